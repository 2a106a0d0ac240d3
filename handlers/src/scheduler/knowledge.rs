//! What is known of resources and of the ends of tasks. It outlives the tasks, for those that come
//! later, so it is kept small.

use std::collections::HashMap;

use kantoku_domain::{
    Id, Timestamp,
    dependency::{Cause, Ending, How, Known, RootCauses},
    task::Resolved,
};

use serde::{Deserialize, Serialize};

use super::{
    archive::Archive,
    names::{Name, Names},
};
use crate::saved::{micros, sorted};

/// A time, written in a compact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct At(#[serde(with = "micros")] Timestamp);

/// What has become of a resource. One that somebody may resolve yet is not noted.
#[derive(Debug, Serialize, Deserialize)]
enum Fate {
    /// It was resolved by the event at `seq`, of a task under this name.
    Holds { seq: u64, at: At, output: Option<Name> },
    /// Its custodian has ended without.
    Impossible(Box<(RootCauses, Cause, At)>),
}

/// How a task has ended, and when.
#[derive(Debug, Serialize, Deserialize)]
enum End {
    Ok(At),
    Failed(At),
    Cancelled(At),
    Skipped(Box<(RootCauses, Cause, At)>),
}

impl End {
    fn of(how: How, at: Timestamp) -> Self {
        match how {
            How::Ok => Self::Ok(At(at)),
            How::Failed => Self::Failed(At(at)),
            How::Cancelled => Self::Cancelled(At(at)),
            How::Skipped { root_causes, cause } => {
                Self::Skipped(Box::new((root_causes, cause, At(at))))
            }
        }
    }

    fn of_task(&self, task: Id) -> Ending {
        let (how, At(at)) = match self {
            Self::Ok(at) => (How::Ok, *at),
            Self::Failed(at) => (How::Failed, *at),
            Self::Cancelled(at) => (How::Cancelled, *at),
            Self::Skipped(skipped) => {
                let (root_causes, cause, at) = &**skipped;
                (How::Skipped { root_causes: root_causes.clone(), cause: *cause }, *at)
            }
        };
        Ending { task, how, at }
    }
}

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Knowledge {
    fates: Archive<Fate>,
    ends: Archive<End>,
    /// What took the place of tasks that were restarted.
    #[serde(with = "sorted")]
    successors: HashMap<Id, Id>,
    /// The names of outputs: there are few, and many resources.
    names: Names,
}

/// What a change means to those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct News {
    /// By how much there is more to wait for: one, nothing, or one less.
    pub(super) open: isize,
    /// Whether something went wrong, as far as whoever waits for it to go well is concerned.
    pub(super) is_bad: bool,
    /// Whether it is about the end of a task, and not about a resource.
    pub(super) is_end: bool,
}

impl News {
    const SETTLED: Self = Self { open: -1, is_bad: false, is_end: false };
    const OPENED: Self = Self { open: 1, is_bad: false, is_end: false };
    /// A task is to end once more.
    const GOES_ON: Self = Self { is_end: true, ..Self::OPENED };
}

impl Knowledge {
    pub(super) fn resource(&self, id: Id) -> Known {
        match self.fates.get(&id) {
            None => Known::Pending,
            Some(Fate::Holds { at: At(at), .. }) => Known::Holds { at: *at },
            Some(Fate::Impossible(lost)) => {
                let (root_causes, cause, At(at)) = &**lost;
                Known::Impossible { root_causes: root_causes.clone(), cause: *cause, at: *at }
            }
        }
    }

    /// Where a resource got its value.
    pub(super) fn resolved(&self, id: Id) -> Option<Resolved> {
        match self.fates.get(&id)? {
            Fate::Holds { seq, output, .. } => {
                let output = output.map(|name| self.names.text(name).to_owned());
                Some(Resolved { seq: *seq, output })
            }
            Fate::Impossible(_) => None,
        }
    }

    /// The end of a task, or of what took its place.
    pub(super) fn ending(&self, id: Id) -> Option<Ending> {
        let task = self.head(id);
        self.ends.get(&task).map(|end| end.of_task(task))
    }

    /// Whether a task itself has ended.
    pub(super) fn has_ended(&self, id: Id) -> bool {
        self.ends.contains(&id)
    }

    pub(super) fn successor(&self, id: Id) -> Option<Id> {
        self.successors.get(&id).copied()
    }

    /// What stands in the place of a task: itself, unless it was restarted.
    pub(super) fn head(&self, id: Id) -> Id {
        let mut head = id;
        while let Some(next) = self.successor(head) {
            head = next;
        }
        head
    }

    /// Takes in that the event at `seq` resolved a resource. The first word counts.
    pub(super) fn resolve(
        &mut self,
        id: Id,
        seq: u64,
        at: Timestamp,
        output: Option<&str>,
    ) -> Option<News> {
        let news = match self.fates.get(&id) {
            Some(Fate::Holds { .. }) => return None,
            Some(Fate::Impossible(_)) => News { open: 0, ..News::SETTLED },
            None => News::SETTLED,
        };
        let output = output.map(|name| self.names.name(name));
        self.fates.insert(id, Fate::Holds { seq, at: At(at), output });
        Some(news)
    }

    /// Takes in that nobody can resolve a resource any more, unless somebody has.
    pub(super) fn give_up(
        &mut self,
        id: Id,
        root_causes: RootCauses,
        cause: Cause,
        at: Timestamp,
    ) -> Option<News> {
        if self.fates.contains(&id) {
            return None;
        }
        self.fates.insert(id, Fate::Impossible(Box::new((root_causes, cause, At(at)))));
        Some(News { is_bad: true, ..News::SETTLED })
    }

    /// Takes in that somebody may resolve a resource after all.
    pub(super) fn hope(&mut self, id: Id) -> Option<News> {
        let is_given_up = matches!(self.fates.get(&id), Some(Fate::Impossible(_)));
        is_given_up.then(|| {
            self.fates.remove(&id);
            News::OPENED
        })
    }

    /// Takes in how a task has ended.
    pub(super) fn end(&mut self, id: Id, how: How, at: Timestamp) -> News {
        let is_bad = how != How::Ok;
        let open = if self.ends.insert(id, End::of(how, at)).is_none() { -1 } else { 0 };
        News { open, is_bad, is_end: true }
    }

    /// Takes in that a task goes on after all.
    pub(super) fn go_on(&mut self, id: Id) -> Option<News> {
        self.ends.remove(&id).map(|_| News::GOES_ON)
    }

    /// Takes in that another task takes the place of one.
    pub(super) fn succeed(&mut self, id: Id, successor: Id) -> Option<News> {
        self.successors.insert(id, successor);
        self.has_ended(id).then_some(News::GOES_ON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million finished tasks have a million of each.
    #[test]
    fn what_is_kept_for_good_is_small() {
        let sizes = [size_of::<(Id, Option<Fate>)>(), size_of::<(Id, Option<End>)>()];
        assert_eq!(sizes, [40, 32]);
    }
}
