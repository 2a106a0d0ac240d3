//! `ktk cancel`

mod gone;

use kantoku_api::contract::{
    Alive, BulkAction, BulkKind, CancelParams, Cancelled, ContextCancel, OperationCancel,
    OperationCancelParams, TaskCancel,
};
use serde_json::json;

use super::{bulk, operation, visible};
use crate::{
    complete,
    error::CommandError,
    kind::Kind,
    output::{Format, ShortIds, Table, View, print_document, print_line, print_text},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk cancel task/0193a5c2 --reason 'wrong input'
  ktk cancel task/0193a5c2 --cascade    and all that waits for it
  ktk cancel context/@last --wait       until nothing of it runs any more
  ktk cancel tasks --where 'status == \"ready\" && specification == \"text/fetch\"' --dry-run
  ktk cancel -l team=search --yes --wait
  ktk cancel operation/0193a5c2-…       what was begun for many, and is not done";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to stop: task/ID, context/ID or operation/ID; with --where or -l: tasks or contexts
    #[arg(value_name = "KIND/NAME", add = complete::targets())]
    target: Option<Target>,
    /// Why, for people
    #[arg(long, default_value = "")]
    reason: String,
    /// Of a task: stop also the tasks that wait for it, near or far, which are skipped otherwise; a
    /// context always stops as a whole
    #[arg(long)]
    cascade: bool,
    /// Return when no attempt of it runs any more; of many, when all were ordered to stop
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    many: bulk::Many,
    /// Of many: say which they are, and do nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    if args.many.is_given(session) {
        let kind = bulk::kind(args.target.as_ref(), &[BulkKind::Task, BulkKind::Context])?;
        let action = BulkAction::Cancel { reason: args.reason, cascade: args.cascade };
        let (dry_run, wait) = (args.dry_run, args.wait);
        let order = bulk::Order { action, done: "cancelled", dry_run, wait };
        return args.many.run(kind, order, session).await;
    }
    args.many.refuse_yes()?;
    if args.dry_run {
        return Err(CommandError::usage("--dry-run is for --where and -l"));
    }
    let Some(target) = &args.target else {
        return Err(CommandError::usage("name what to stop, or say --where or -l"));
    };
    let (kind, id) = match target.kind {
        Some(Kind::Operation) => return stop_operation(&target.name, session).await,
        Some(_) => target.resolve(session, Kind::Task).await?,
        None => target.resolve_either(session).await?,
    };
    let params = CancelParams {
        id: id.clone(),
        reason: args.reason,
        cascade: args.cascade,
        idempotency_key: None,
        namespace: session.namespace(),
    };
    let cancelled = match kind {
        Kind::Task => session.call::<TaskCancel>(&params).await,
        Kind::Context => session.call::<ContextCancel>(&params).await,
        kind => {
            return Err(CommandError::usage(format!(
                "a {kind} cannot be cancelled: name a task or a context"
            )));
        }
    };
    let cancelled = cancelled.map_err(|error| error.or_list(kind))?;
    visible(session, cancelled.stream_seq).await;
    let what = format!("{kind}/{id}");
    match session.output() {
        Format::Table | Format::Wide => {
            print_text(&text(&what, &cancelled, &View::of(session)))?;
            if !args.wait {
                return Ok(());
            }
            gone::wait(&what, &cancelled, session).await?;
            print_line("nothing of it runs any more")
        }
        format => {
            if args.wait {
                gone::wait(&what, &cancelled, session).await?;
            }
            match format {
                Format::Name => print_line(&what),
                format => print_document(
                    format,
                    &json!({
                        "id": id,
                        "stream_seq": cancelled.stream_seq,
                        "alive": cancelled.alive,
                        "alive_total": cancelled.alive_total,
                        "gone": args.wait,
                    }),
                ),
            }
        }
    }
}

/// What it has done stays done.
async fn stop_operation(id: &str, session: &Session) -> Result<(), CommandError> {
    let (id, namespace) = (operation::whole(id)?, session.namespace());
    let stopped = session.call::<OperationCancel>(&OperationCancelParams { id, namespace }).await;
    let stopped = stopped.map_err(|error| error.or_list(Kind::Operation))?;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("operation/{id} is to stop")),
        Format::Name => print_line(&format!("operation/{id}")),
        format => print_document(format, &stopped),
    }
}

/// That it was ordered to stop, and what ran then, each line with its end.
fn text(what: &str, cancelled: &Cancelled, view: &View) -> String {
    let alive = match cancelled.alive_total {
        Some(0) => String::new(),
        Some(1) => "1 attempt still runs and is told to stop:\n".into(),
        Some(total) => format!("{total} attempts still run and are told to stop:\n"),
        None => "what of it still runs could not be told in time\n".into(),
    };
    let told = cancelled.alive.len() as u64;
    let more = match cancelled.alive_total.unwrap_or(told).saturating_sub(told) {
        0 => String::new(),
        more => format!("  … and {more} more\n"),
    };
    let table = if told > 0 { table(&cancelled.alive, view) } else { String::new() };
    format!("{what} cancelled\n{alive}{table}{more}")
}

fn table(alive: &[Alive], view: &View) -> String {
    let ids = ShortIds::of(alive.iter().map(|alive| alive.task_id));
    let view = View { ids, ..view.clone() };
    let mut table = Table::with_header(["TASK", "STEP", "ATTEMPT", "NODE", "FOR"]);
    for Alive { task_id, step, attempt, node, started_at } in alive {
        table.push(vec![
            view.id(*task_id),
            step.clone().unwrap_or_default(),
            attempt.to_string(),
            node.clone().unwrap_or_default(),
            view.took(*started_at, None),
        ]);
    }
    table.take_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::Paint,
        render::testing::{at, id},
    };

    #[test]
    fn what_still_runs_is_named() {
        let view = View {
            wide: false,
            namespaces: false,
            ids: ShortIds::default(),
            paint: Paint::OFF,
            now: at(4_200),
        };
        let alive = Alive {
            task_id: id(3),
            step: Some("tree".into()),
            attempt: 2,
            node: Some("node-1".into()),
            started_at: Some(at(200)),
        };
        let cancelled = Cancelled { stream_seq: 7, alive: vec![alive], alive_total: Some(3) };
        assert_eq!(
            text("context/1", &cancelled, &view),
            "context/1 cancelled\n\
             3 attempts still run and are told to stop:\n\
             TASK       STEP   ATTEMPT   NODE     FOR\n\
             00000003   tree   2         node-1   4.0 s\n  \
             … and 2 more\n"
        );
        let nothing = Cancelled { stream_seq: 7, alive: vec![], alive_total: Some(0) };
        assert_eq!(text("task/1", &nothing, &view), "task/1 cancelled\n");
        let unknown = Cancelled { alive_total: None, ..nothing };
        assert!(text("task/1", &unknown, &view).contains("could not be told"));
    }
}
