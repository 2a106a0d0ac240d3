//! Events that tasks wait for, by what is asked first of every event: its type, and whose it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kantoku_domain::{Event, Id, Recorded, dependency::EventPattern};
use serde::{Deserialize, Serialize};

use crate::saved::sorted;

type Labels = BTreeMap<String, String>;

static NONE: Labels = Labels::new();

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Awaited {
    /// Who waits for events of a type, of one aggregate or of any.
    #[serde(skip)]
    tasks: HashMap<(&'static str, Option<Id>), BTreeSet<Id>>,
    /// The labels of contexts that have some.
    #[serde(with = "sorted")]
    contexts: HashMap<Id, Labels>,
}

fn key(pattern: &EventPattern) -> Option<(&'static str, Option<Id>)> {
    let name = Event::NAMES.iter().find(|name| **name == pattern.type_)?;
    Some((name, pattern.id))
}

impl Awaited {
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn watch(&mut self, pattern: &EventPattern, task: Id) {
        if let Some(key) = key(pattern) {
            self.tasks.entry(key).or_default().insert(task);
        }
    }

    pub(super) fn leave(&mut self, pattern: &EventPattern, task: Id) {
        let Some(key) = key(pattern) else { return };
        if let Some(tasks) = self.tasks.get_mut(&key) {
            tasks.remove(&task);
            if tasks.is_empty() {
                self.tasks.remove(&key);
            }
        }
    }

    /// Who may wait for just this event.
    pub(super) fn by(&self, recorded: &Recorded) -> BTreeSet<Id> {
        let name = recorded.event.name();
        let keys = [(name, None), (name, Some(recorded.id))];
        keys.iter().filter_map(|key| self.tasks.get(key)).flatten().copied().collect()
    }

    pub(super) fn context(&mut self, id: Id, labels: &Labels) {
        if !labels.is_empty() {
            self.contexts.insert(id, labels.clone());
        }
    }

    /// The labels of what an event happened to; `task` are those of a task that is not over. What
    /// happens to a task after its end, besides a restart, has none.
    pub(super) fn labels<'a>(
        &'a self,
        recorded: &'a Recorded,
        task: Option<&'a Labels>,
    ) -> &'a Labels {
        let known = match &recorded.event {
            Event::TaskSpawned(spawned) => Some(&spawned.labels),
            Event::TaskRestarted(restarted) => Some(&restarted.successor.task.labels),
            Event::ContextOpened(opened) => Some(&opened.labels),
            _ => task.or_else(|| self.contexts.get(&recorded.id)),
        };
        known.unwrap_or(&NONE)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}
