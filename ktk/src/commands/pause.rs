//! `ktk pause`, `ktk resume`

use kantoku_api::contract::{
    Accepted, ContextPause, ContextResume, NamedPauseParams, NamedResumeParams, NamespacePause,
    NamespacePauseParams, NamespaceResume, NamespaceResumeParams, PauseParams, ResumeParams,
    SpecificationPause, SpecificationResume, TaskPause, TaskResume,
};
use kantoku_domain::{Name, Namespace};
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

pub(crate) const PAUSE_EXAMPLES: &str = "Examples:
  ktk pause task/0193a5c2
  ktk pause context/@last --reason 'the disk is full'
  ktk pause specification/text/fetch
  ktk pause namespace/staging
What runs already goes on to its end; nothing new of it starts until `ktk resume`.";

pub(crate) const RESUME_EXAMPLES: &str = "Examples:
  ktk resume task/0193a5c2
  ktk resume context/@last
  ktk resume specification/text/fetch
  ktk resume namespace/staging";

#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    /// What is to wait: task/ID, context/ID, specification/NAME or namespace/NAME
    #[arg(value_name = "KIND/NAME", add = complete::targets())]
    target: Target,
    /// Why, for people
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    /// What is to go on: task/ID, context/ID, specification/NAME or namespace/NAME
    #[arg(value_name = "KIND/NAME", add = complete::targets())]
    target: Target,
}

pub(crate) async fn pause(args: PauseArgs, session: &Session) -> Result<(), CommandError> {
    let (kind, id) = resolve(&args.target, session).await?;
    let (reason, namespace) = (args.reason, session.namespace());
    let accepted = match kind {
        Kind::Task => {
            let params = PauseParams { id: id.clone(), reason, idempotency_key: None, namespace };
            session.call::<TaskPause>(&params).await
        }
        Kind::Context => {
            let params = PauseParams { id: id.clone(), reason, idempotency_key: None, namespace };
            session.call::<ContextPause>(&params).await
        }
        Kind::Specification => {
            let params =
                NamedPauseParams { name: name(&id)?, reason, idempotency_key: None, namespace };
            session.call::<SpecificationPause>(&params).await
        }
        Kind::Namespace => {
            let params = NamespacePauseParams {
                reason,
                idempotency_key: None,
                namespace: Some(namespace_of(&id)?),
            };
            session.call::<NamespacePause>(&params).await
        }
        kind => return Err(no_pause(kind)),
    };
    end(kind, &id, "paused", accepted, session).await
}

pub(crate) async fn resume(args: ResumeArgs, session: &Session) -> Result<(), CommandError> {
    let (kind, id) = resolve(&args.target, session).await?;
    let namespace = session.namespace();
    let accepted = match kind {
        Kind::Task => {
            let params = ResumeParams { id: id.clone(), idempotency_key: None, namespace };
            session.call::<TaskResume>(&params).await
        }
        Kind::Context => {
            let params = ResumeParams { id: id.clone(), idempotency_key: None, namespace };
            session.call::<ContextResume>(&params).await
        }
        Kind::Specification => {
            let params = NamedResumeParams { name: name(&id)?, idempotency_key: None, namespace };
            session.call::<SpecificationResume>(&params).await
        }
        Kind::Namespace => {
            let params = NamespaceResumeParams {
                idempotency_key: None,
                namespace: Some(namespace_of(&id)?),
            };
            session.call::<NamespaceResume>(&params).await
        }
        kind => return Err(no_pause(kind)),
    };
    end(kind, &id, "resumed", accepted, session).await
}

async fn resolve(target: &Target, session: &Session) -> Result<(Kind, String), CommandError> {
    match target.kind {
        Some(_) => target.resolve(session, Kind::Task).await,
        None => target.resolve_either(session).await,
    }
}

fn name(text: &str) -> Result<Name, CommandError> {
    text.parse().map_err(|error: kantoku_domain::NameError| CommandError::usage(error.to_string()))
}

fn namespace_of(text: &str) -> Result<Namespace, CommandError> {
    text.parse().map_err(|error: kantoku_domain::NameError| CommandError::usage(error.to_string()))
}

fn no_pause(kind: Kind) -> CommandError {
    CommandError::usage(format!(
        "a {kind} neither pauses nor resumes: name a task, a context, a specification or a namespace"
    ))
}

async fn end(
    kind: Kind,
    id: &str,
    word: &str,
    accepted: Result<Accepted, CommandError>,
    session: &Session,
) -> Result<(), CommandError> {
    let stream_seq = accepted.map_err(|error| error.or_list(kind))?.stream_seq;
    visible(session, stream_seq).await;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("{kind}/{id} {word}")),
        Format::Name => print_line(&format!("{kind}/{id}")),
        format => print_document(
            format,
            &json!({
                "kind": kind.name(),
                "name": id,
                "paused": word == "paused",
                "stream_seq": stream_seq,
            }),
        ),
    }
}
