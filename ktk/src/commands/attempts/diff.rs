//! What is different between one attempt and the next.

use std::{collections::BTreeSet, time::Duration};

use kantoku_api::contract::Attempt;
use kantoku_domain::Id;
use serde::Serialize;
use serde_json::{Value, json};

use super::outcome;
use crate::{
    commands::failures::failure_line,
    output::{Table, View},
    render::duration,
};

/// An attempt among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Which {
    task_id: Id,
    attempt: u32,
}

/// What is different between two attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    before: Which,
    after: Which,
    changes: Vec<Change>,
}

/// One thing that is different. An input is `{"value": …}` or `{"resource": id}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Change {
    /// `specification`, `input NAME`, `node`, `outcome`, `error`, `took_ms`.
    field: String,
    before: Value,
    after: Value,
}

/// Between each attempt and the one before it.
pub(super) fn differences(attempts: &[Attempt]) -> Vec<Difference> {
    attempts.windows(2).map(|pair| difference(&pair[0], &pair[1])).collect()
}

fn difference(before: &Attempt, after: &Attempt) -> Difference {
    let which = |it: &Attempt| Which { task_id: it.task_id, attempt: it.attempt };
    let mut changes = Vec::new();
    let mut compare = |field: &str, before: Value, after: Value| {
        if before != after {
            changes.push(Change { field: field.to_owned(), before, after });
        }
    };
    compare("specification", specification(before), specification(after));
    let names: BTreeSet<&String> = before.inputs.keys().chain(after.inputs.keys()).collect();
    for name in names {
        let (before, after) = (before.inputs.get(name), after.inputs.get(name));
        compare(&format!("input {name}"), json!(before), json!(after));
    }
    compare("node", json!(before.node), json!(after.node));
    compare("outcome", outcome(before.outcome).into(), outcome(after.outcome).into());
    let error = |it: &Attempt| json!(it.error.as_ref().map(failure_line));
    compare("error", error(before), error(after));
    compare("took_ms", took_ms(before), took_ms(after));
    Difference { before: which(before), after: which(after), changes }
}

fn specification(attempt: &Attempt) -> Value {
    format!("{}@{}", attempt.specification.name, attempt.specification.version).into()
}

fn took_ms(attempt: &Attempt) -> Value {
    match (attempt.started_at, attempt.ended_at) {
        (Some(from), Some(to)) => json!(to.since(from).as_millis() as u64),
        _ => Value::Null,
    }
}

impl Difference {
    /// A caption and a line per change, each with its end.
    pub(super) fn text(&self, view: &View) -> String {
        let name = |which: &Which| format!("{} attempt {}", view.id(which.task_id), which.attempt);
        let caption = format!("{} → {}", name(&self.before), name(&self.after));
        let mut text = format!("\n{}\n", view.paint.bold(&caption));
        if self.changes.is_empty() {
            text.push_str("  nothing is different\n");
            return text;
        }
        let mut table = Table::default();
        for change in &self.changes {
            let told = |value: &Value| change.told(value, view);
            let (before, after) = (told(&change.before), told(&change.after));
            table.push(vec![format!("  {}", change.name()), format!("{before} → {after}")]);
        }
        text.push_str(&table.take_text());
        text
    }
}

impl Change {
    fn name(&self) -> &str {
        if self.field == "took_ms" { "took" } else { &self.field }
    }

    fn told(&self, value: &Value, view: &View) -> String {
        match value {
            Value::Null => "none".into(),
            Value::Number(ms) if self.field == "took_ms" => {
                duration(Duration::from_millis(ms.as_u64().unwrap_or_default()))
            }
            Value::String(text) => view.long_text(text),
            input => match (input.get("value"), input.get("resource").and_then(Value::as_str)) {
                (Some(value), _) => view.value(value),
                (None, Some(id)) => format!("resource/{id}"),
                (None, None) => view.value(input),
            },
        }
    }
}
