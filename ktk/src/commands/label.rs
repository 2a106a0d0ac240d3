//! `ktk label`

use std::collections::{BTreeMap, BTreeSet};

use kantoku_api::contract::{BulkAction, BulkKind, LabelParams, TaskLabel};
use serde_json::json;

use super::{bulk, visible};
use crate::{
    complete,
    error::CommandError,
    kind::Kind,
    output::{Format, labels, print_document, print_line},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk label task/0193a5c2 triage=done           one more label
  ktk label task 0193a5c2 team=search owner-    one set, one taken off
  ktk label task @failed team=ads --overwrite   one that has another value already
  ktk label tasks --where 'sub_status == \"failed\"' triage=open --yes --wait
Limits and other rules go by the labels that a task was spawned with.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which task: task/ID or task ID; then KEY=VALUE sets a label, KEY- takes it off
    #[arg(value_name = "KIND[/NAME]", add = complete::kinds())]
    kind: String,
    /// The name, unless it stands before; and what is to be changed
    #[arg(value_name = "NAME|KEY=VALUE|KEY-", required = true)]
    words: Vec<String>,
    /// Replace labels that are there with another value
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    many: bulk::Many,
    /// Of many: say which they are, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Of many: return when all are labelled
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
}

/// What is to be changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    set: BTreeMap<String, String>,
    remove: BTreeSet<String>,
}

pub(crate) async fn run(mut args: Args, session: &Session) -> Result<(), CommandError> {
    if args.many.is_given(session) {
        let target: Target = args.kind.parse().map_err(CommandError::usage)?;
        let kind = bulk::kind(Some(&target), &[BulkKind::Task])?;
        let Changes { set, remove } = changes(&args.words)?;
        let action = BulkAction::Label { set, remove, overwrite: args.overwrite };
        let (dry_run, wait) = (args.dry_run, args.wait);
        let order = bulk::Order { action, done: "labelled", dry_run, wait };
        return args.many.run(kind, order, session).await;
    }
    args.many.refuse_yes()?;
    if args.dry_run || args.wait {
        return Err(CommandError::usage("--dry-run and --wait are for --where and -l"));
    }
    let target = match args.kind.parse::<Kind>() {
        Ok(kind) => Target::new(kind, &args.words.remove(0)),
        Err(_) => args.kind.parse().map_err(CommandError::usage)?,
    };
    let (kind, id) = target.resolve(session, Kind::Task).await?;
    if kind != Kind::Task {
        return Err(CommandError::usage(format!("a {kind} cannot be labelled: tasks can")));
    }
    let Changes { set, remove } = changes(&args.words)?;
    let params = LabelParams {
        id: id.clone(),
        set,
        remove,
        overwrite: args.overwrite,
        idempotency_key: None,
        namespace: session.namespace(),
    };
    let labelled = session.call::<TaskLabel>(&params).await.map_err(|error| {
        let is_taken = error.api().is_some_and(|it| it.data.reason == "already_exists");
        let error = error.or_list(Kind::Task);
        if is_taken { error.or_advise(|| "the same with --overwrite".into()) } else { error }
    })?;
    visible(session, labelled.stream_seq).await;
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!("task/{id} labelled: {}", labels(&labelled.labels)))
        }
        Format::Name => print_line(&format!("task/{id}")),
        format => print_document(
            format,
            &json!({ "id": id, "labels": labelled.labels, "stream_seq": labelled.stream_seq }),
        ),
    }
}

fn changes(words: &[String]) -> Result<Changes, CommandError> {
    let mut changes = Changes::default();
    for word in words {
        let is_new = match (word.split_once('='), word.strip_suffix('-')) {
            (Some((key, value)), _) if !key.is_empty() => {
                changes.set.insert(key.to_owned(), value.to_owned()).is_none()
                    && !changes.remove.contains(key)
            }
            (None, Some(key)) if !key.is_empty() => {
                changes.remove.insert(key.to_owned()) && !changes.set.contains_key(key)
            }
            _ => {
                let text =
                    format!("{word:?} is no change: KEY=VALUE sets a label, KEY- takes it off");
                return Err(CommandError::usage(text));
            }
        };
        if !is_new {
            return Err(CommandError::usage(format!("{word:?}: this label is named twice")));
        }
    }
    if words.is_empty() {
        return Err(CommandError::usage("say what to change: KEY=VALUE or KEY-"));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_and_what_is_taken_off_are_told_apart() {
        let read =
            |words: &[&str]| changes(&words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        let Changes { set, remove } = read(&["a=1", "b=", "c-d=x-", "e-"]).unwrap();
        let expected = [("a", "1"), ("b", ""), ("c-d", "x-")];
        assert_eq!(set, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(remove, ["e".to_owned()].into());
        for wrong in
            [&["a"][..], &["=1"], &["-"], &["a=1", "a=2"], &["a=1", "a-"], &["a-", "a-"], &[]]
        {
            assert_eq!(read(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
