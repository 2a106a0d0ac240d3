//! Says what follows for a task, by the rules of the domain and nothing else.

use std::sync::Arc;

use kantoku_domain::{
    Id, Kind, Timestamp,
    dependency::{Hopeless, Readiness},
    pause::Paused,
    task::{Command, Ready, Revived},
};

use super::{
    Scheduler,
    probes::Probes,
    task::{Stage, Waiting},
    view::View,
};
use crate::Effect;

impl Scheduler {
    /// What is known on behalf of a task.
    pub(super) fn view<'a>(&'a self, task: &'a Waiting, fresh_at: Option<Timestamp>) -> View<'a> {
        View { knowledge: &self.knowledge, probes: &self.probes, task, fresh_at }
    }

    /// What a task has to wait for, if something is paused.
    pub(super) fn pause_of(&self, task: &Waiting) -> Option<(Kind, &Paused)> {
        let profile = &task.profile;
        let (namespace, specification) = (&profile.namespace, &profile.specification);
        self.pauses.of(namespace, specification, profile.context_id, profile.task_id)
    }

    /// Looks at a task: adds to `effects`, up to `max`, what follows for it now.
    pub(super) fn decide(&mut self, id: Id, now: Timestamp, max: usize, effects: &mut Vec<Effect>) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.is_due = false;
        }
        let Some(task) = self.tasks.get(&id).filter(|task| task.is_undecided()) else { return };
        match (&task.stage, self.view(task, Some(now)).readiness(now)) {
            (Stage::Skipped(skipped), readiness) => {
                let revived = skipped.revival(&readiness, |cause| self.knowledge.successor(cause));
                effects.extend(revived.and_then(|revived| self.revive(id, revived, now)));
            }
            (_, Readiness::Failed(hopeless)) => effects.extend(self.skip(id, hopeless, now)),
            (_, Readiness::Pending { next: Some(next) }) if next <= now => {
                self.probe(id, now, max, effects);
                // Something else may be due before that is answered.
                self.wait(id, Some(now.plus(Probes::LOOK_EVERY)));
            }
            (_, Readiness::Pending { next }) => self.wait(id, next),
            (_, Readiness::Ready { .. }) => self.wait_for_admission(id, now),
        }
    }

    /// Adds to `effects`, up to `max`, what was handed out a while ago and has shown no effect. An
    /// announcement keeps its slots, as it may only be late.
    pub(super) fn take_up_lost(&mut self, now: Timestamp, max: usize, effects: &mut Vec<Effect>) {
        while effects.len() < max
            && let Some((id, guard)) = self.taken.next(now)
        {
            let Some(task) = self.tasks.get(&id).filter(|task| task.guard == guard) else {
                continue;
            };
            match task.stage {
                Stage::Announcing if self.may_run(task, now) => {
                    effects.extend(self.announcement(id, now));
                }
                // It waits again, and keeps its slots: the word of before may still come.
                Stage::Announcing => self.taken.taken(now, (id, guard)),
                Stage::Skipping => match self.view(task, Some(now)).readiness(now) {
                    Readiness::Failed(hopeless) => effects.extend(self.skip(id, hopeless, now)),
                    // What made it hopeless is taken back: an event of its own says what follows.
                    _ => self.taken.taken(now, (id, guard)),
                },
                Stage::Skipped(_) if task.is_reviving => self.revive_again(id),
                _ => {}
            }
        }
    }

    /// What was handed out and is not shown by an event was not done, as far as is known: another
    /// scheduler decides now. If it was done after all, the event will say so.
    pub(super) fn take_back(&mut self) {
        for (id, guard) in self.taken.drain() {
            let Some(task) = self.tasks.get_mut(&id).filter(|task| task.guard == guard) else {
                continue;
            };
            task.is_reviving = false;
            if let Stage::Announcing | Stage::Skipping = task.stage {
                task.stage = Stage::Open;
                self.lay_aside(id);
                self.release(id);
            }
            self.look_at(id);
        }
    }

    fn may_run(&self, task: &Waiting, now: Timestamp) -> bool {
        let readiness = self.view(task, Some(now)).readiness(now);
        matches!(readiness, Readiness::Ready { .. }) && self.pause_of(task).is_none()
    }

    fn skip(&mut self, id: Id, hopeless: Hopeless, now: Timestamp) -> Option<Effect> {
        self.lay_aside(id);
        let task = self.tasks.get_mut(&id)?;
        task.stage = Stage::Skipping;
        self.taken.taken(now, (id, task.guard));
        Some(task.command(Command::Skip(hopeless.skipped(id))))
    }

    fn revive(&mut self, id: Id, revived: Revived, now: Timestamp) -> Option<Effect> {
        let task = self.tasks.get_mut(&id)?;
        task.is_reviving = true;
        self.taken.taken(now, (id, task.guard));
        Some(task.command(Command::Revive(revived)))
    }

    /// The word that it may run after all was lost, or has come to nothing.
    fn revive_again(&mut self, id: Id) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.is_reviving = false;
        }
        self.look_at(id);
    }

    /// The task cannot run before something changes, or before `until`.
    fn wait(&mut self, id: Id, until: Option<Timestamp>) {
        self.lay_aside(id);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.stage = Stage::Open;
        }
        self.set_alarm(id, until);
    }

    /// Asks what is to be asked of the probes that a task waits for.
    fn probe(&mut self, id: Id, now: Timestamp, max: usize, effects: &mut Vec<Effect>) {
        let Some(heard) = self.tasks.get(&id).and_then(|task| task.heard.as_ref()) else { return };
        for probe in &heard.probes {
            if effects.len() < max && self.probes.ask(probe, now) {
                effects.push(Effect::Probe { task_id: id, probe: probe.clone() });
            }
        }
    }

    /// All that the task waits for is there.
    fn wait_for_admission(&mut self, id: Id, now: Timestamp) {
        let Some(task) = self.tasks.get(&id) else { return };
        let (profile, not_before) = (Arc::clone(&task.profile), task.not_before);
        let is_paused = self.pause_of(task).is_some();
        if now < not_before {
            return self.wait(id, Some(not_before));
        }
        let since = task.ready_since(now);
        if is_paused {
            self.wait(id, None);
        } else if !matches!(task.stage, Stage::Queued { since: before } if before == since) {
            // It waits from the last change on, so that whoever folds the history anew agrees.
            self.wait(id, None);
            if let Some(task) = self.tasks.get_mut(&id) {
                task.stage = Stage::Queued { since };
                self.admission.wait(&profile, task.attempt, since);
                self.may_admit = true;
            }
        }
        self.ready.insert((profile.context_id, id));
        self.set_alarm(id, self.tasks.get(&id).and_then(|task| task.ready_until(now)));
    }

    fn set_alarm(&mut self, id: Id, at: Option<Timestamp>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if let Some(before) = task.alarm.take() {
            self.alarms.remove(&(before, id));
        }
        if let Some(at) = at {
            task.alarm = Some(at);
            self.alarms.insert((at, id));
        }
    }

    /// Adds to `effects`, up to `max`, the announcements of tasks that are admitted now.
    pub(super) fn admit(&mut self, now: Timestamp, max: usize, effects: &mut Vec<Effect>) {
        let is_due = self.may_admit || self.admits_at.is_some_and(|at| at <= now);
        if !is_due || effects.len() >= max {
            return;
        }
        let admitted = self.admission.admit(now, max - effects.len());
        for id in admitted.chosen {
            self.lay_aside(id);
            if let Some(task) = self.tasks.get_mut(&id) {
                task.stage = Stage::Announcing;
            }
            effects.extend(self.announcement(id, now));
        }
        // With more room there may have been more.
        self.may_admit = effects.len() >= max;
        self.admits_at = admitted.next;
    }

    fn announcement(&mut self, id: Id, now: Timestamp) -> Option<Effect> {
        let task = self.tasks.get(&id)?;
        self.taken.taken(now, (id, task.guard));
        let inputs = task.needs.inputs.iter();
        let inputs =
            inputs.filter_map(|(name, id)| Some((name.clone(), self.knowledge.resolved(*id)?)));
        Some(Effect::Announce {
            namespace: task.profile.namespace.clone(),
            queue: task.profile.queue.clone(),
            context_id: task.profile.context_id,
            cause: task.cause,
            version: task.version,
            ready: Ready {
                task_id: id,
                attempt: task.attempt,
                guard: task.guard,
                round: task.round,
                inputs: inputs.collect(),
            },
        })
    }
}
