//! `ktk delete`

use std::path::PathBuf;

use kantoku_api::contract::{
    DeletedItem, ManifestDelete, ManifestDeleteParams, PolicyDelete, PolicyDeleteParams,
    SecretDelete,
};
use serde_json::json;

use super::{
    files::{FileArgs, read, refuse},
    visible,
};
use crate::{
    complete,
    error::CommandError,
    kind::Kind,
    output::{Format, Paint, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk delete policy/gentle      what waits for its limits goes on at once
  ktk delete policy gentle
  ktk delete secret db-password
  ktk delete -f policies.yaml   those that are declared there
  ktk delete -f policies.yaml --dry-run";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What holds no longer: a policy or a secret
    #[arg(
        value_name = "KIND[/NAME]",
        required_unless_present = "filename",
        conflicts_with = "filename",
        add = complete::kinds(),
    )]
    kind: Option<String>,
    /// Its name
    #[arg(value_name = "NAME", conflicts_with = "filename", add = complete::names_of_kind())]
    name: Option<String>,
    /// What the manifests in a file, a directory, or - for stdin declare. Repeatable
    #[arg(short, long, value_name = "FILE|DIR|-")]
    filename: Vec<PathBuf>,
    /// Say what would happen, and do nothing
    #[arg(long, requires = "filename")]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let Some(kind) = args.kind else {
        return declared(FileArgs::of(args.filename), args.dry_run, session).await;
    };
    let target = match args.name {
        Some(name) => Target::new(kind.parse().map_err(CommandError::usage)?, &name),
        None => kind.parse::<Target>().map_err(CommandError::usage)?,
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

/// Deletes what manifests declare.
async fn declared(files: FileArgs, dry_run: bool, session: &Session) -> Result<(), CommandError> {
    let (manifests, _) = read(files, session).await?;
    let params = ManifestDeleteParams {
        documents: manifests.values(),
        dry_run,
        namespace: session.namespace(),
        ..ManifestDeleteParams::default()
    };
    let answer = session.call_within::<ManifestDelete>(session.work_timeout(), &params).await;
    let answer = answer.map_err(|error| refuse(&manifests, "deleted", error, Paint::stderr()))?;
    if !dry_run && answer.stream_seq > 0 {
        visible(session, answer.stream_seq).await;
    }
    let suffix = if dry_run { " (dry run)" } else { "" };
    let reference = |item: &DeletedItem| format!("{}/{}", item.kind.to_lowercase(), item.name);
    match session.output() {
        Format::Table | Format::Wide => answer.items.iter().try_for_each(|item| {
            let word = if item.deleted { "deleted" } else { "was not there" };
            print_line(&format!("{} {word}{suffix}", reference(item)))
        }),
        Format::Name => answer.items.iter().try_for_each(|item| print_line(&reference(item))),
        Format::Jsonl => {
            answer.items.iter().try_for_each(|item| print_document(Format::Jsonl, item))
        }
        format => print_document(
            format,
            &json!({ "items": answer.items, "stream_seq": answer.stream_seq, "dry_run": dry_run }),
        ),
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
