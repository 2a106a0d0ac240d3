//! Who is to be told when something is learnt of a resource or a task.

use std::collections::HashMap;

use kantoku_domain::{Dependency, Id, dependency::Needs};
use serde::{Deserialize, Serialize};

use crate::saved::sorted;

/// Something that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watched {
    Resource(Id),
    /// A task, or what takes its place.
    Task(Id),
}

/// All that `needs` are about, each once.
pub(super) fn watched(needs: &Needs) -> Vec<Watched> {
    let leaves = needs.depends_on.iter().flat_map(Dependency::leaves);
    let leaves = leaves.filter_map(|leaf| match leaf {
        Dependency::Resource(id) => Some(Watched::Resource(*id)),
        other => other.named().map(|id| Watched::Task(*id)),
    });
    let upstream = needs.when.iter().flat_map(|when| &when.upstream);
    let tasks = upstream.map(|upstream| Watched::Task(upstream.task));
    let resources = needs.inputs.values().map(|id| Watched::Resource(*id));
    let mut all: Vec<_> = resources.chain(tasks).chain(leaves).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    ids: Vec<Id>,
    /// How many of these have not left.
    staying: usize,
}

/// See the module. A resource is watched until it is resolved; a task for as long as whoever
/// watches is there, for it may be restarted after its end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Watchers {
    #[serde(with = "sorted")]
    lists: HashMap<Id, List>,
}

impl Watchers {
    /// Lets `id` watch a resource or a task.
    pub(super) fn add(&mut self, watched: Id, id: Id) {
        let list = self.lists.entry(watched).or_default();
        list.ids.push(id);
        list.staying += 1;
    }

    /// Those who watch; some may have left.
    pub(super) fn of(&self, watched: Id) -> &[Id] {
        self.lists.get(&watched).map(|list| list.ids.as_slice()).unwrap_or_default()
    }

    /// Those who watch something of which there is no more to learn; some may have left.
    pub(super) fn take(&mut self, watched: Id) -> Vec<Id> {
        self.lists.remove(&watched).map(|list| list.ids).unwrap_or_default()
    }

    /// One of those who watch has left; `stays` knows of each whether it has.
    pub(super) fn leave(&mut self, watched: Id, stays: impl Fn(&Id) -> bool) {
        let Some(list) = self.lists.get_mut(&watched) else { return };
        list.staying = list.staying.saturating_sub(1);
        if list.staying == 0 {
            self.lists.remove(&watched);
        } else if list.ids.len() > 2 * list.staying + 16 {
            list.ids.retain(stays);
        }
    }

    /// Drops those who have left; `stays` knows of each whether it has.
    pub(super) fn tidy(&mut self, stays: impl Fn(&Id) -> bool) {
        self.lists.values_mut().for_each(|list| list.ids.retain(&stays));
    }

    /// Whoever watched a task watches its successor.
    pub(super) fn follow(&mut self, task: Id, successor: Id) {
        let Some(list) = self.lists.remove(&task) else { return };
        let other = self.lists.entry(successor).or_default();
        other.ids.extend(list.ids);
        other.staying += list.staying;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }
}
