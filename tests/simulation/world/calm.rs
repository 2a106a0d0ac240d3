//! Restarts that nobody overtakes: what comes of them is what the plan says.

use std::collections::BTreeSet;

use kantoku_domain::{
    Event, Id,
    restart::{Action, OutputPolicy, Plan, Target, VersionPolicy},
};

use super::World;
use crate::judge::{End, ensure};

const PLAN: &str = "what comes of a restart is what its plan says";

impl World {
    /// Restarts something of a context that is at rest, and compares plan and outcome.
    pub(crate) fn restart_in_peace(&mut self, turn: u64) {
        if self.violation.is_some() {
            return;
        }
        self.turn(u64::MAX / 2 + turn);
        let context_id = self.contexts[self.rng.below(self.contexts.len())];
        let tasks = self.judge.contexts.get(&context_id).map(|it| it.tasks.clone());
        let tasks: Vec<Id> = tasks.unwrap_or_default().into_iter().collect();
        let target = match (self.rng.below(4), self.rng.pick(&tasks)) {
            (0, _) => Target::Failed,
            (1, Some(id)) => Target::Task(*id),
            (2, Some(id)) => Target::From(*id),
            _ => Target::All,
        };
        let outputs =
            if self.rng.chance(50) { OutputPolicy::Reuse } else { OutputPolicy::Reallocate };
        let planned = self.plan(context_id, target, outputs, VersionPolicy::Same);
        let Some((plan, specifications)) = planned else { return };
        self.tally.count("a restart in peace");
        let before = self.ledger.head();
        let order = plan.order("again", None, &specifications);
        self.order_planned(&order, context_id);
        self.run_handlers();
        self.check_plan(&plan, before);
        self.run_to_rest();
    }

    fn check_plan(&mut self, plan: &Plan, before: u64) {
        if self.violation.is_some() {
            return;
        }
        let of = |action: Action| -> BTreeSet<Id> {
            let entries = plan.entries.iter().filter(|entry| entry.action == action);
            entries.map(|entry| entry.task_id).collect()
        };
        let after = || self.ledger.events.iter().skip(before as usize);
        let of_context = |id: &Id| {
            self.judge.tasks.get(id).is_some_and(|it| it.spawned.context_id == plan.context_id)
        };
        let by = |is_it: fn(&Event) -> bool| -> BTreeSet<Id> {
            let events = after().filter(|recorded| is_it(&recorded.event));
            events.map(|recorded| recorded.id).filter(of_context).collect()
        };
        let restarted = by(|event| matches!(event, Event::TaskRestarted(_)));
        let revived = by(|event| matches!(event, Event::TaskRevived(_)));
        let stopped = by(|event| matches!(event, Event::TaskCancelled(_)));
        let (rerun, revive) = (of(Action::Rerun), of(Action::Revive));
        let kept = of(Action::Keep);
        let verdict = ensure(restarted == rerun, PLAN, || {
            format!("restarted {restarted:?} instead of {rerun:?}")
        })
        .and_then(|()| {
            ensure(revive.is_subset(&revived), PLAN, || {
                format!("revived {revived:?} instead of {revive:?}")
            })
        })
        .and_then(|()| {
            // What is skipped again may come back for a moment, and so may what is new.
            let came_back = |id: &&Id| {
                self.judge.tasks.get(id).is_some_and(|entry| entry.end() != Some(End::Skipped))
                    && plan.entries.iter().any(|planned| planned.task_id == **id)
            };
            let others: Vec<_> = revived.difference(&revive).filter(came_back).collect();
            ensure(others.is_empty(), PLAN, || format!("revived, too: {others:?}"))
        })
        .and_then(|()| {
            let lost: Vec<_> = stopped.intersection(&kept).collect();
            ensure(lost.is_empty(), PLAN, || format!("stopped, and was to be kept: {lost:?}"))
        });
        self.judged(verdict);
    }
}
