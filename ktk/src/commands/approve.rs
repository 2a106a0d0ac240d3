//! `ktk approve`

use kantoku_api::contract::{
    ApproveParams, Approved, Filter, ListParams, TaskApprove, TaskGet, TaskList,
};
use kantoku_domain::{Dependency, dependency::Approval};
use kantoku_projections::{document::TaskDocument, reader::LIMIT_MAX};
use serde_json::json;

use super::visible;
use crate::{
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    output::{Format, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk approve task/0193a5c2 release --by ada
  ktk approve @last/ship release       the step of a context
  ktk approve context/@last release    the task of it that waits for that";

/// How many pages of a context's tasks are looked through at most.
const PAGES_MAX: usize = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The task, or its context if only one task of it waits for that
    #[arg(value_name = "TASK|CONTEXT", add = complete::targets())]
    target: Target,
    /// Which approval
    #[arg(value_name = "NAME")]
    name: String,
    /// Who says yes [default: whoever calls]
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (kind, mut id) = match args.target.kind {
        Some(_) => args.target.resolve(session, Kind::Task).await?,
        None => args.target.resolve_either(session).await?,
    };
    match kind {
        Kind::Task => {}
        Kind::Context => id = waiting_task(&id, &args.name, session).await?,
        kind => {
            return Err(CommandError::usage(format!(
                "a {kind} waits for no approval: name a task or a context"
            )));
        }
    }
    let params = ApproveParams {
        id: id.clone(),
        name: args.name.clone(),
        by: args.by,
        idempotency_key: None,
        namespace: session.namespace(),
    };
    let approved = session.call::<TaskApprove>(&params).await;
    let approved = approved.map_err(|error| error.or_list(Kind::Task))?;
    visible(session, approved.stream_seq).await;
    // The word was given, whether or not the task can be read now.
    let task = session.call::<TaskGet>(&session.get(id.clone())).await.ok();
    let id = task.as_ref().map_or(id, |task| task.id.to_string());
    let asked = task.as_ref().and_then(|task| approval(task, &args.name));
    print(&id, &args.name, &approved, asked, session)
}

/// The only task of a context that waits for the approval.
async fn waiting_task(
    context: &str,
    name: &str,
    session: &Session,
) -> Result<String, CommandError> {
    let filter = [("context_id", context), ("status", "initialized")];
    let mut params = ListParams {
        filter: Filter::from_iter(filter.map(|(key, value)| (key.to_owned(), value.into()))),
        limit: Some(LIMIT_MAX),
        namespace: session.namespace(),
        min_seq: session.min_seq(),
        ..ListParams::default()
    };
    let mut waiting = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = session.call::<TaskList>(&params).await?;
        waiting.extend(page.items.into_iter().filter(|task| approval(task, name).is_some()));
        params.cursor = page.next_cursor;
        if params.cursor.is_none() {
            break;
        }
    }
    match waiting.as_slice() {
        [task] => Ok(task.id.to_string()),
        several => {
            let what = match several.len() {
                0 => "no task".to_owned(),
                count => format!("{count} tasks"),
            };
            Err(CommandError::new(
                Exit::NotFound,
                format!("{what} of context/{context} waits for approval {name:?}: name the task"),
            )
            .advise(format!("ktk tree {context}")))
        }
    }
}

fn approval<'a>(task: &'a TaskDocument, name: &str) -> Option<&'a Approval> {
    let asked = task.depends_on.as_ref().map(Dependency::approvals).unwrap_or_default();
    asked.into_iter().find(|approval| approval.name == name)
}

fn print(
    id: &str,
    name: &str,
    approved: &Approved,
    asked: Option<&Approval>,
    session: &Session,
) -> Result<(), CommandError> {
    let missing = approved.needed.saturating_sub(approved.given.len() as u32);
    let may = asked.map(|approval| may_still(approval, &approved.given));
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&told(&format!("task/{id}"), name, approved))?;
            if missing > 0 {
                session.note(&still_missing(missing, may.as_deref()));
            }
            Ok(())
        }
        Format::Name => print_line(&format!("task/{id}")),
        format => print_document(
            format,
            &json!({
                "task_id": id,
                "name": name,
                "given": approved.given,
                "needed": approved.needed,
                "missing": missing,
                "may": may,
                "stream_seq": approved.stream_seq,
            }),
        ),
    }
}

/// Who may say yes and has not yet; empty: anybody.
fn may_still(approval: &Approval, given: &[String]) -> Vec<String> {
    approval.by.iter().filter(|who| !given.contains(who)).cloned().collect()
}

fn told(task: &str, name: &str, approved: &Approved) -> String {
    let (given, needed) = (approved.given.len(), approved.needed);
    format!("{task} approval {name:?}: {given} of {needed} given, by {}", approved.given.join(", "))
}

/// `may`: who may give it; empty: anybody; `None`: that is not known.
fn still_missing(missing: u32, may: Option<&[String]>) -> String {
    match may {
        None => format!("{missing} more has to be given"),
        Some([]) => format!("{missing} more of anybody has to be given"),
        Some(may) => format!("{missing} more has to be given, by {}", may.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_who_may_give_it() {
        let approval: Approval = serde_json::from_value(
            json!({"name": "ship", "count": 2, "by": ["ada", "grace", "linus"]}),
        )
        .unwrap();
        let approved = Approved { given: vec!["ada".into()], needed: 2, stream_seq: 7 };
        let may = may_still(&approval, &approved.given);
        assert_eq!(
            told("task/1", "ship", &approved),
            "task/1 approval \"ship\": 1 of 2 given, by ada"
        );
        assert_eq!(still_missing(1, Some(&may)), "1 more has to be given, by grace or linus");
        assert_eq!(still_missing(1, Some(&[])), "1 more of anybody has to be given");
    }
}
