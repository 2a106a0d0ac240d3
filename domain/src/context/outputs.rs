//! The outputs of a pipeline after restarts.

use std::collections::BTreeMap;

use super::Restarted;
use crate::{Event, Id, restart::successor_id};

/// The outputs of a pipeline as they are now, folded from the events of its context.
///
/// An output moves when a restart with fresh outputs is decided. If the step that was to make it
/// was overtaken, it stays where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    current: BTreeMap<String, Id>,
    /// By restart that is not carried out yet.
    moved: BTreeMap<Id, Vec<Moved>>,
}

/// An output that another resource is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Moved {
    name: String,
    /// Because this task runs again.
    task_id: Id,
    from: Id,
    to: Id,
}

impl Outputs {
    /// Takes in an event of the context.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::ContextOpened(opened) => self.current.clone_from(&opened.outputs),
            Event::ContextRestarted(restarted) if !restarted.results.is_empty() => {
                self.restarted(restarted);
            }
            Event::ContextRestartSettled(settled) => {
                let moved = self.moved.remove(&settled.id).unwrap_or_default();
                let overtaken = |it: &Moved| {
                    settled.superseded.iter().any(|superseded| superseded.task_id == it.task_id)
                };
                for Moved { name, from, to, .. } in moved.into_iter().filter(overtaken) {
                    if self.current.get(&name) == Some(&to) {
                        self.current.insert(name, from);
                    }
                }
            }
            _ => {}
        }
    }

    fn restarted(&mut self, restarted: &Restarted) {
        let fresh: BTreeMap<Id, Id> = restarted
            .steps
            .iter()
            .flat_map(|step| {
                let successor = successor_id(restarted.id, step.task_id);
                let partition = step.task_id.partition();
                let names = step.replaces.keys();
                names.map(move |name| (successor.derive(name, partition), step.task_id))
            })
            .collect();
        for (name, to) in &restarted.results {
            let from = self.current.insert(name.clone(), *to);
            if let (Some(from), Some(task_id)) = (from, fresh.get(to)) {
                let moved = Moved { name: name.clone(), task_id: *task_id, from, to: *to };
                self.moved.entry(restarted.id).or_default().push(moved);
            }
        }
    }

    /// By name, the resources that hold them or will.
    pub fn current(&self) -> &BTreeMap<String, Id> {
        &self.current
    }

    /// The same, for keeping.
    pub fn into_current(self) -> BTreeMap<String, Id> {
        self.current
    }
}
