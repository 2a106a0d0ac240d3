//! What a task waits for, by the aggregates.

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Id, Timestamp,
    dependency::{Cause, Ending, EventPattern, Facts, How, Known, Needs, Readiness},
    task::Outcome,
};
use kantoku_projections::document::TaskStatus;

use super::World;

/// Later than all that happens.
const LATER: Timestamp = Timestamp::from_micros(i64::MAX / 2);

/// Who has custody of each resource.
pub(super) type Custody = BTreeMap<Id, Vec<Id>>;

struct OnBehalf<'a> {
    world: &'a World,
    custody: &'a Custody,
    id: Id,
}

impl World {
    pub(super) fn readiness(&self, id: Id, custody: &Custody) -> Readiness {
        let now = self.ended_at(id).unwrap_or(LATER);
        let facts = OnBehalf { world: self, custody, id };
        Needs::of(&self.named[&id].spawned).evaluate(&facts, now)
    }

    /// When a task ended, with its context if it was never unfolded.
    fn ended_at(&self, id: Id) -> Option<Timestamp> {
        if !self.status(id).is_terminal() {
            return None;
        }
        let stop = || self.events.iter().find(|event| event.stream_seq == self.stopped_at);
        let dropped = || Some(stop()?.metadata.at.max(self.named[&id].at));
        self.ended.get(&id).copied().or_else(dropped)
    }

    /// When a task began to wait.
    pub(super) fn since_of(&self, id: Id) -> Timestamp {
        self.since.get(&id).map_or(self.named[&id].at, |(at, _)| *at)
    }

    fn head(&self, id: Id) -> Id {
        let next = self.tasks.get(&id).and_then(|(task, _)| task.restarted_as);
        next.map_or(id, |next| self.head(next))
    }

    fn how(&self, id: Id) -> Option<How> {
        let task = self.tasks.get(&id).map(|(task, _)| task);
        Some(match self.status(id) {
            TaskStatus::Finished => {
                let is_ok = task.is_some_and(|task| task.outcome == Some(Outcome::Ok));
                if is_ok { How::Ok } else { How::Failed }
            }
            TaskStatus::Cancelled => How::Cancelled,
            TaskStatus::Skipped => task?.skipped.as_ref()?.into(),
            TaskStatus::Initialized | TaskStatus::Ready | TaskStatus::Received => return None,
        })
    }
}

impl Facts for OnBehalf<'_> {
    fn resource(&self, id: Id) -> Known {
        let world = self.world;
        if let Some(at) = world.resolved.get(&id) {
            return Known::Holds { at: *at };
        }
        let Some(custodian) = self.custody.get(&id).map(|holders| holders[0]) else {
            return Known::Pending;
        };
        let at = world.ended_at(custodian).unwrap_or_default();
        match world.how(custodian) {
            None | Some(How::Ok) => Known::Pending,
            Some(How::Skipped { root_causes, cause }) => {
                Known::Impossible { root_causes: root_causes.by_way_of(custodian), cause, at }
            }
            Some(_) => {
                Known::Impossible { root_causes: custodian.into(), cause: Cause::Failure, at }
            }
        }
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let task = self.world.head(id);
        Some(Ending { task, how: self.world.how(task)?, at: self.world.ended_at(task)? })
    }

    fn since(&self) -> Timestamp {
        self.world.since_of(self.id)
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.world.given.get(&self.id).into_iter().flatten();
        given.filter(|(of, ..)| of == name).map(|(_, by, at)| (by.as_str(), *at)).collect()
    }

    fn event(&self, pattern: &EventPattern) -> Option<Timestamp> {
        let (_, since) = self.world.since.get(&self.id)?;
        let labels = [("team".to_owned(), "a".to_owned())].into();
        let mut after = self.world.events.iter().filter(|event| event.stream_seq > *since);
        let found = after.find(|event| {
            matches!(event.event, Event::ContextResumed(_)) && pattern.matches(event, &labels)
        })?;
        Some(found.metadata.at)
    }
}
