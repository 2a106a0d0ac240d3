//! What a restart comes to, or would: for people and for programs.

use std::collections::HashMap;

use kantoku_api::contract::{Restarted, TaskGet, TaskTree};
use kantoku_domain::{
    Id,
    restart::{Action, Entry, Plan, successor_id},
};
use serde_json::{Map, Value, json};

use crate::{
    error::CommandError,
    output::{Format, Paint, print_document, print_line, print_text},
    render::{PlanCounts, PlanView, plan_text},
    session::Session,
};

/// Prints what would happen, and the command that does it.
pub(super) async fn preview(
    restarted: &Restarted,
    command: &str,
    full: bool,
    session: &Session,
) -> Result<(), CommandError> {
    let plan = &restarted.plan;
    match session.output() {
        format @ (Format::Table | Format::Wide) => {
            let view = PlanView {
                full: full || format.is_wide(),
                paint: Paint::stdout(),
                specifications: &specifications(plan, session).await,
                successors: &HashMap::new(),
                superseded: &restarted.superseded,
            };
            print_text(&plan_text(plan, &view))?;
            print_line(&view.paint.dim(&format!("nothing was done yet; to do it: {command}")))
        }
        Format::Name => plan.steps().try_for_each(|entry| print_line(&name(entry.task_id))),
        Format::Jsonl => {
            plan.entries.iter().try_for_each(|entry| print_document(Format::Jsonl, entry))
        }
        format => {
            let mut document = document(restarted);
            document.insert("dry_run".into(), true.into());
            document.insert("command".into(), command.into());
            print_document(format, &Value::Object(document))
        }
    }
}

/// A restart that was accepted.
pub(super) struct Done {
    pub(super) restarted: Restarted,
    /// What takes the place of which task.
    successors: HashMap<Id, Id>,
}

impl Done {
    pub(super) async fn new(restarted: Restarted, session: &Session) -> Self {
        let is_overtaken =
            |entry: &&Entry| restarted.superseded.iter().any(|it| it.task_id == entry.task_id);
        let reruns = restarted.plan.steps().filter(|entry| entry.action == Action::Rerun);
        let reruns: Vec<Id> =
            reruns.filter(|entry| !is_overtaken(entry)).map(|entry| entry.task_id).collect();
        let successors = match (restarted.restart_id, restarted.task_id, reruns.as_slice()) {
            (Some(decided_by), _, reruns) => {
                reruns.iter().map(|id| (*id, successor_id(decided_by, *id))).collect()
            }
            (None, Some(successor), [only]) => HashMap::from([(*only, successor)]),
            (None, None, [only]) => {
                // The restart was accepted, whether or not it can be read already.
                let task = session.call::<TaskGet>(&session.get(only.to_string())).await.ok();
                let successor = task.and_then(|task| task.restarted_as);
                successor.map(|successor| (*only, successor)).into_iter().collect()
            }
            (None, _, _) => HashMap::new(),
        };
        Self { restarted, successors }
    }

    /// What takes the place of the task that was named.
    pub(super) fn successor(&self) -> Option<Id> {
        self.restarted.task_id.or_else(|| match self.successors.len() {
            1 => self.successors.values().next().copied(),
            _ => None,
        })
    }

    /// Prints what was done; `ended`: what came of it, if that was waited for.
    pub(super) async fn print(
        &self,
        full: bool,
        ended: Option<Map<String, Value>>,
        session: &Session,
    ) -> Result<(), CommandError> {
        let Restarted { plan, context_id, .. } = &self.restarted;
        match session.output() {
            format @ (Format::Table | Format::Wide) => {
                let view = PlanView {
                    full: full || format.is_wide(),
                    paint: Paint::stdout(),
                    specifications: &specifications(plan, session).await,
                    successors: &self.successors,
                    superseded: &self.restarted.superseded,
                };
                print_text(&plan_text(plan, &view))?;
                if ended.is_none() {
                    session.note(&format!(
                        "ktk watch {context_id} shows them live; ktk tree {context_id} --by restart"
                    ));
                }
                Ok(())
            }
            Format::Name => self.successors_in_order().try_for_each(|id| print_line(&name(id))),
            Format::Jsonl => plan.steps().try_for_each(|entry| {
                let mut line = json!(entry);
                line["restarted_as"] = json!(self.successors.get(&entry.task_id));
                print_document(Format::Jsonl, &line)
            }),
            format => {
                let mut document = document(&self.restarted);
                document.insert("dry_run".into(), false.into());
                document.insert("successors".into(), json!(self.successors));
                document.extend(ended.unwrap_or_default());
                print_document(format, &Value::Object(document))
            }
        }
    }

    fn successors_in_order(&self) -> impl Iterator<Item = Id> {
        let steps = self.restarted.plan.steps();
        steps.filter_map(|entry| self.successors.get(&entry.task_id).copied())
    }
}

fn name(id: Id) -> String {
    format!("task/{id}")
}

/// What all documents about a restart hold.
fn document(restarted: &Restarted) -> Map<String, Value> {
    let mut document = match json!(restarted) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    document.insert("counts".into(), json!(PlanCounts::of(&restarted.plan)));
    document
}

/// What the tasks of a plan do. Nothing that a plan could not be shown without.
async fn specifications(plan: &Plan, session: &Session) -> HashMap<Id, String> {
    match session.call::<TaskTree>(&session.get(plan.context_id.to_string())).await {
        Ok(tree) => {
            tree.tasks.into_iter().map(|task| (task.id, task.specification.to_string())).collect()
        }
        Err(error) => {
            tracing::info!(%error, "what the tasks do is not known");
            HashMap::new()
        }
    }
}
