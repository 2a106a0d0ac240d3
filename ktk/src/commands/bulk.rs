//! The same for all that a condition is about: shown, asked for, started, waited for.

use std::io::{self, BufRead as _, IsTerminal as _};

use kantoku_api::contract::{
    Bulk, BulkAction, BulkKind, Filter, Operation, OperationStart, OperationStartParams,
    OperationStarted, Started,
};
use kantoku_projections::document::{ContextDocument, TaskDocument};
use serde::de::DeserializeOwned;

use super::operation;
use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    output::{Format, List, Row, print_document, print_line, print_list},
    session::Session,
    target::Target,
};

/// Which records a command is about instead of one, and how it goes about it. With `-l` these are
/// looked for by label, too.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "For many at once")]
pub(super) struct Many {
    /// Instead of one: all that are so, e.g. 'status == "ready" && attempt > 1'
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Do not ask whether to proceed
    #[arg(short, long)]
    yes: bool,
}

/// What is done to all that are so.
pub(super) struct Order {
    pub(super) action: BulkAction,
    /// What it did, for people: `cancelled`.
    pub(super) done: &'static str,
    /// Says which these are, and does nothing.
    pub(super) dry_run: bool,
    /// Returns when it is done.
    pub(super) wait: bool,
}

impl Many {
    /// Whether it is about what a condition or a label tells, and not about one that is named.
    pub(super) fn is_given(&self, session: &Session) -> bool {
        self.condition.is_some() || !session.labels().is_empty()
    }

    /// Refuses what means nothing where one is named.
    pub(super) fn refuse_yes(&self) -> Result<(), CommandError> {
        if self.yes {
            return Err(CommandError::usage(
                "--yes is for --where and -l: there is nothing to ask",
            ));
        }
        Ok(())
    }

    /// Carries it out.
    pub(super) async fn run(
        &self,
        kind: BulkKind,
        order: Order,
        session: &Session,
    ) -> Result<(), CommandError> {
        let labels = session.labels().into_iter();
        let filter: Filter =
            labels.map(|(key, value)| (format!("labels.{key}"), value.into())).collect();
        let Order { action, done, dry_run, wait } = order;
        let params = OperationStartParams {
            action,
            kind,
            filter,
            condition: self.condition.clone(),
            dry_run: true,
            expect_count: None,
            idempotency_key: None,
            namespace: session.namespace(),
            min_seq: session.min_seq(),
            timeout: session.read_timeout(),
        };
        let preview = session.call::<OperationStart>(&params).await?;
        if dry_run {
            return show(&preview, kind, session);
        }
        let what = amount(preview.count, kind);
        if preview.count == 0 {
            return Err(CommandError::new(
                Exit::NotFound,
                format!("no {kind} is so", kind = kind.name()),
            )
            .as_of(preview.as_of_seq));
        }
        if !self.yes {
            ask(&preview, kind, params.action.name(), session)?;
        }
        let params =
            OperationStartParams { dry_run: false, expect_count: Some(preview.count), ..params };
        let started = session.call::<OperationStart>(&params).await?;
        let Some(id) = started.operation_id else {
            return Err(CommandError::new(Exit::Error, "the server has started nothing"));
        };
        if wait {
            let doing = format!("{what} to be {done}");
            let ended = operation::finish(Started { operation_id: id }, &doing, session).await?;
            return tell(&ended, done, session);
        }
        match session.output() {
            Format::Table | Format::Wide => print_line(&format!(
                "operation/{id} started: {what} to be {done}\nktk describe operation/{id}"
            )),
            Format::Name => print_line(&format!("operation/{id}")),
            format => print_document(format, &started),
        }
    }
}

/// The kind that a target without a name means: `tasks`, `contexts`.
pub(super) fn kind(target: Option<&Target>, kinds: &[BulkKind]) -> Result<BulkKind, CommandError> {
    let Some(target) = target else { return Ok(kinds[0]) };
    let names: Vec<String> = kinds.iter().map(|kind| format!("{}s", kind.name())).collect();
    let written = target.name.parse::<Kind>().ok().filter(|_| target.kind.is_none());
    let found = written.and_then(|kind| kinds.iter().find(|it| it.name() == kind.name()));
    found.copied().ok_or_else(|| {
        CommandError::usage(format!(
            "with --where or -l write {} and no name, or leave it out",
            names.join(" or ")
        ))
    })
}

/// `3 tasks`
fn amount(count: u64, kind: BulkKind) -> String {
    format!("{count} {}{}", kind.name(), if count == 1 { "" } else { "s" })
}

fn show(preview: &OperationStarted, kind: BulkKind, session: &Session) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!(
                "{} (as of position {})",
                amount(preview.count, kind),
                preview.as_of_seq
            ))?;
            sample(preview, kind, session)
        }
        Format::Name => sample(preview, kind, session),
        format => print_document(format, preview),
    }
}

/// Some of them, as `ktk get` shows them.
fn sample(
    preview: &OperationStarted,
    kind: BulkKind,
    session: &Session,
) -> Result<(), CommandError> {
    if preview.sample.is_empty() {
        return Ok(());
    }
    match kind {
        BulkKind::Context => rows::<ContextDocument>(preview, session)?,
        _ => rows::<TaskDocument>(preview, session)?,
    }
    match preview.count.saturating_sub(preview.sample.len() as u64) {
        0 => Ok(()),
        more => {
            session.note(&format!("… and {more} more"));
            Ok(())
        }
    }
}

fn rows<T: Row + DeserializeOwned>(
    preview: &OperationStarted,
    session: &Session,
) -> Result<(), CommandError> {
    let wrong =
        |error| CommandError::new(Exit::Error, format!("the sample cannot be read: {error}"));
    let items = preview.sample.iter().map(|it| T::deserialize(serde_json::Value::from(it.clone())));
    let items = items.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    print_list(session, &List { items, next_cursor: None, as_of_seq: None })
}

/// Shows what would be done, and lets the user say no.
fn ask(
    preview: &OperationStarted,
    kind: BulkKind,
    action: &str,
    session: &Session,
) -> Result<(), CommandError> {
    let what = amount(preview.count, kind);
    if !io::stdin().is_terminal() || !session.output().is_table() {
        return Err(CommandError::usage(format!(
            "{what} would be concerned: --yes says that they are meant, --dry-run shows them"
        )));
    }
    sample(preview, kind, session)?;
    eprint!("{action} {what}: proceed? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| CommandError::new(Exit::Error, format!("cannot read stdin: {error}")))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CommandError::new(Exit::Refused, "nothing was done"))
}

/// What came of it; what was refused ends with 4.
fn tell(ended: &Operation, done: &str, session: &Session) -> Result<(), CommandError> {
    let id = ended.id;
    match session.output() {
        Format::Table | Format::Wide => {
            let Some(bulk) = &ended.bulk else { return Ok(()) };
            print_line(&format!("operation/{id} {}: {}", status(ended), came(bulk, done)))?;
        }
        Format::Name => print_line(&format!("operation/{id}"))?,
        format => print_document(format, ended)?,
    }
    let refused = ended.bulk.as_ref().map_or(0, |bulk| bulk.refused);
    if refused == 0 {
        return Ok(());
    }
    let text = format!("{refused} of {} were refused", ended.total);
    Err(CommandError::new(Exit::Refused, text).advise(format!("ktk describe operation/{id}")))
}

/// The status, as documents have it.
pub(crate) fn status(operation: &Operation) -> String {
    let status = serde_json::to_value(operation.status).ok();
    status.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `3 cancelled, 1 so already, 2 refused`
pub(crate) fn came(bulk: &Bulk, done: &str) -> String {
    let others = [(bulk.unchanged, "so already"), (bulk.refused, "refused")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let parts = std::iter::once((bulk.changed, done)).chain(others);
    parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// What the records were asked to be, in both spellings.
pub(crate) fn asked(bulk: &Bulk) -> String {
    let filter =
        if bulk.filter.is_empty() { None } else { serde_json::to_string(&bulk.filter).ok() };
    filter.into_iter().chain(bulk.condition.clone()).collect::<Vec<_>>().join(" and ")
}
