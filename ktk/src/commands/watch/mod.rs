//! `ktk watch`

mod context;
mod overview;
mod picture;
mod view;

use kantoku_projections::document::ContextStatus;

use crate::{
    complete,
    error::{CommandError, Exit},
    session::Session,
    target::Target,
};

pub(crate) use context::watch as watch_context;

pub(crate) const EXAMPLES: &str = "Examples:
  ktk watch @last              until it ends; exit 5 if it failed
  ktk watch context/0193a5c2 --timeout 10m
  ktk watch                    all contexts, until Ctrl-C
  ktk watch @last -o jsonl     each change as a document";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A context, or one of its tasks; the beginning of an id is enough [default: all contexts]
    #[arg(value_name = "CONTEXT|TASK", add = complete::targets())]
    target: Option<Target>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let Some(target) = args.target else {
        return overview::watch(session).await;
    };
    let (_, id) = target.resolve_either(session).await?;
    let end = watch_context(id, session.min_seq(), session).await?;
    let context = &end.context;
    let word = match context.status {
        ContextStatus::Ok | ContextStatus::Running => return Ok(()),
        ContextStatus::Failed => "failed",
        ContextStatus::Cancelled => "was cancelled",
    };
    Err(CommandError::new(Exit::TaskFailed, format!("context/{} {word}", context.id))
        .as_of(end.as_of_seq)
        .advise("ktk why @failed, ktk logs @failed"))
}
