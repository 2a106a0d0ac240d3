//! `ktk cancel`

use kantoku_api::contract::{CancelParams, ContextCancel, TaskCancel};
use serde_json::json;

use super::visible;
use crate::{
    error::CommandError,
    kind::Kind,
    output::{Format, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk cancel task/0193a5c2 --reason 'wrong input'
  ktk cancel context/@last";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to stop: task/ID or context/ID; the beginning of an id is enough
    #[arg(value_name = "KIND/NAME")]
    target: Target,
    /// Why, for people
    #[arg(long, default_value = "")]
    reason: String,
    /// Stop the tasks that descend from a task, too; a context always stops as a whole
    #[arg(long)]
    cascade: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (kind, id) = match args.target.kind {
        Some(_) => args.target.resolve(session, Kind::Task).await?,
        None => args.target.resolve_either(session).await?,
    };
    let params = CancelParams {
        id: id.clone(),
        reason: args.reason,
        cascade: args.cascade,
        namespace: session.namespace(),
    };
    let accepted = match kind {
        Kind::Task => session.call::<TaskCancel>(&params).await,
        Kind::Context => session.call::<ContextCancel>(&params).await,
        kind => {
            return Err(CommandError::usage(format!(
                "a {kind} cannot be cancelled: name a task or a context"
            )));
        }
    };
    let accepted = accepted.map_err(|error| error.or_list(kind))?;
    visible(session, accepted.stream_seq).await;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("{kind}/{id} cancelled")),
        Format::Name => print_line(&format!("{kind}/{id}")),
        format => print_document(format, &json!({ "id": id, "stream_seq": accepted.stream_seq })),
    }
}
