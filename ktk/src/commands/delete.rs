//! `ktk delete`

use kantoku_api::contract::{PolicyDelete, PolicyDeleteParams, SecretDelete};
use serde_json::json;

use super::visible;
use crate::{
    complete,
    error::CommandError,
    kind::Kind,
    output::{Format, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk delete policy/gentle      what waits for its limits goes on at once
  ktk delete policy gentle
  ktk delete secret db-password";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What holds no longer: a policy or a secret
    #[arg(value_name = "KIND[/NAME]", add = complete::kinds())]
    kind: String,
    /// Its name
    #[arg(value_name = "NAME", add = complete::names_of_kind())]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let target = match args.name {
        Some(name) => Target::new(args.kind.parse().map_err(CommandError::usage)?, &name),
        None => args.kind.parse::<Target>().map_err(CommandError::usage)?,
    };
    match target.kind {
        Some(Kind::Policy) => policy(&target, session).await,
        Some(Kind::Secret) => secret(&target, session).await,
        Some(kind) => {
            let text = format!("a {kind} cannot be deleted: policies and secrets can");
            Err(CommandError::usage(text))
        }
        None => Err(CommandError::usage("write policy/NAME or secret/NAME")),
    }
}

async fn secret(target: &Target, session: &Session) -> Result<(), CommandError> {
    let deleted = session.call::<SecretDelete>(&session.secret(&target.name)?).await;
    let deleted = deleted.map_err(|error| error.or_list(Kind::Secret))?;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("secret/{} deleted", deleted.name)),
        Format::Name => print_line(&format!("secret/{}", deleted.name)),
        format => print_document(format, &deleted),
    }
}

async fn policy(target: &Target, session: &Session) -> Result<(), CommandError> {
    let version = session.version(&target.name)?;
    if version.version.is_some() {
        return Err(CommandError::usage("a policy is deleted as a whole: leave the version out"));
    }
    let name = version.name;
    let params = PolicyDeleteParams {
        name: name.clone(),
        idempotency_key: None,
        namespace: session.namespace(),
    };
    let accepted = session.call::<PolicyDelete>(&params).await;
    let stream_seq = accepted.map_err(|error| error.or_list(Kind::Policy))?.stream_seq;
    visible(session, stream_seq).await;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("policy/{name} deleted")),
        Format::Name => print_line(&format!("policy/{name}")),
        format => print_document(
            format,
            &json!({ "kind": "policy", "name": name, "stream_seq": stream_seq }),
        ),
    }
}
