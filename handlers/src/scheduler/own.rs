//! Takes in what happens to a task itself.

use kantoku_domain::{
    Event, Id, Recorded,
    dependency::{Cause, How, RootCauses},
    task::{Approved, Finished, Outcome, Ready, Received},
};

use super::{
    Scheduler,
    fold::Because,
    task::{Stage, Waiting},
    watchers::{Watched, watched},
};

/// What becomes of an output at the end of its task.
pub(super) enum Fate {
    Resolved,
    Delegated,
    Lost,
}

impl Scheduler {
    /// An event on the task's own subject, the first and the last aside.
    pub(super) fn changed(&mut self, recorded: &Recorded) {
        let Some(task) = self.tasks.get_mut(&recorded.id) else { return };
        if recorded.stream_seq <= task.guard {
            return;
        }
        (task.guard, task.version) = (recorded.stream_seq, recorded.version);
        match &recorded.event {
            Event::TaskReceived(received) => self.received(recorded, received),
            Event::TaskAttemptFailed(failed) => {
                task.attempt = failed.attempt + 1;
                task.not_before = failed.not_before;
                task.changed_at = recorded.metadata.at;
                self.reopen(recorded);
            }
            Event::TaskFinished(finished) => self.finished(recorded, finished),
            Event::TaskCancelled(_) => self.ended(recorded, How::Cancelled, |_| Fate::Lost),
            Event::TaskSkipped(skipped) => self.skipped(recorded, skipped),
            Event::TaskRevived(_) => self.revived(recorded),
            Event::TaskApproved(approved) => self.approved(recorded, approved),
            Event::TaskLabelled(_) => self.labelled(recorded),
            Event::TaskPaused(_) => self.reopen_unless_held(recorded),
            Event::TaskResumed(_) => {
                task.round += 1;
                self.reopen_unless_held(recorded);
            }
            _ => {}
        }
    }

    /// An attempt was announced, by this scheduler or another.
    pub(super) fn announced(&mut self, recorded: &Recorded, ready: &Ready) {
        let id = ready.task_id;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if (ready.attempt, ready.round) != (task.attempt, task.round) {
            return;
        }
        let at = recorded.metadata.at;
        match task.stage {
            Stage::Open | Stage::Queued { .. } | Stage::Announcing => {
                task.stage = Stage::Announced { at };
            }
            // Until that is decided, the attempt may be claimed.
            Stage::Skipping | Stage::Stopping => {}
            _ => return,
        }
        self.admission.announced(&task.profile, task.attempt, at);
        self.lay_aside(id);
    }

    fn received(&mut self, recorded: &Recorded, received: &Received) {
        let node = self.nodes.name(&received.node);
        let Some(task) = self.tasks.get_mut(&recorded.id) else { return };
        let at = recorded.metadata.at;
        task.attempt = received.attempt;
        task.stage = Stage::Held { node, at };
        self.admission.claimed(&task.profile, received.attempt, at);
        // There is room for another to be announced.
        self.may_admit = true;
        self.lay_aside(recorded.id);
    }

    fn approved(&mut self, recorded: &Recorded, approved: &Approved) {
        let Some(task) = self.tasks.get_mut(&recorded.id) else { return };
        let at = recorded.metadata.at;
        if let Some(heard) = &mut task.heard {
            heard.approvals.push((approved.name.clone(), approved.by.clone(), at));
        }
        task.changed_at = at;
        task.cause = recorded.metadata.event_id;
        if let Stage::Announcing = task.stage {
            // It has overtaken the announcement, which was refused.
            self.reopen(recorded);
        } else {
            self.look_at(recorded.id);
        }
    }

    /// Nothing goes by labels that were put on later, but an announcement that this has overtaken was
    /// refused. Whoever folds it later knows of no announcement: what is due has the same cause.
    fn labelled(&mut self, recorded: &Recorded) {
        let Some(task) = self.tasks.get_mut(&recorded.id) else { return };
        task.cause = recorded.metadata.event_id;
        if let Stage::Announcing = task.stage {
            self.reopen(recorded);
        }
    }

    /// What was announced and is not claimed is void.
    fn reopen_unless_held(&mut self, recorded: &Recorded) {
        let is_open = |task: &Waiting| {
            let stage = &task.stage;
            matches!(stage, Stage::Announcing | Stage::Announced { .. } | Stage::Stopping)
                || task.is_undecided()
        };
        if self.tasks.get(&recorded.id).is_some_and(is_open) {
            self.reopen(recorded);
        }
    }

    /// The task has no slots, and is to be looked at.
    fn reopen(&mut self, recorded: &Recorded) {
        self.lay_aside(recorded.id);
        self.release(recorded.id);
        let Some(task) = self.tasks.get_mut(&recorded.id) else { return };
        task.cause = recorded.metadata.event_id;
        task.stage = Stage::Open;
        self.look_at(recorded.id);
    }

    fn finished(&mut self, recorded: &Recorded, finished: &Finished) {
        let how = if finished.outcome == Outcome::Ok { How::Ok } else { How::Failed };
        self.ended(recorded, how, |name| {
            if finished.outputs.contains_key(name) {
                Fate::Resolved
            } else if finished.delegated.contains_key(name) {
                Fate::Delegated
            } else {
                Fate::Lost
            }
        });
    }

    /// The task is over, and its outputs with it, unless they were resolved or passed on.
    pub(super) fn ended(&mut self, recorded: &Recorded, how: How, fate: impl Fn(&str) -> Fate) {
        let Some(task) = self.forget(recorded.id) else { return };
        let (seq, at) = (recorded.stream_seq, recorded.metadata.at);
        for (name, output) in &task.outputs {
            match fate(name) {
                Fate::Resolved => {
                    let news = self.knowledge.resolve(*output, seq, at, Some(name));
                    self.tell_resolved(*output, news, Because::of(recorded));
                }
                Fate::Delegated => {}
                Fate::Lost => self.give_up(*output, recorded, recorded.id.into(), Cause::Failure),
            }
        }
        let news = self.knowledge.end(recorded.id, how, at);
        self.tell(recorded.id, news, Because::of(recorded));
    }

    pub(super) fn give_up(
        &mut self,
        output: Id,
        recorded: &Recorded,
        root_causes: RootCauses,
        cause: Cause,
    ) {
        let at = recorded.metadata.at;
        if let Some(news) = self.knowledge.give_up(output, root_causes, cause, at) {
            self.tell(output, news, Because::of(recorded));
        }
    }

    /// The task is no more: nothing will follow for it.
    pub(super) fn forget(&mut self, id: Id) -> Option<Waiting> {
        self.lay_aside(id);
        self.release(id);
        self.ignore(id);
        self.blame_nobody(id);
        let task = self.tasks.remove(&id)?;
        for it in watched(&task.needs) {
            let watched = match it {
                Watched::Resource(id) => id,
                Watched::Task(id) => self.knowledge.head(id),
            };
            self.watchers.leave(watched, |id| self.tasks.contains_key(id));
        }
        Some(task)
    }

    /// The task waits neither for admission, nor for the end of a pause, nor for the clock.
    pub(super) fn lay_aside(&mut self, id: Id) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if let Stage::Queued { .. } = task.stage {
            self.admission.withdraw(id);
            // Something may have been kept for it.
            self.may_admit = true;
        }
        self.ready.remove(&(task.profile.context_id, id));
        if let Some(at) = task.alarm.take() {
            self.alarms.remove(&(at, id));
        }
    }

    /// The task has no slots: others may.
    pub(super) fn release(&mut self, id: Id) {
        self.admission.release(id);
        self.may_admit = true;
    }

    /// The task is told what it waits for besides resources and tasks.
    pub(super) fn listen(&mut self, id: Id) {
        let Some(heard) = self.tasks.get(&id).and_then(|task| task.heard.as_ref()) else { return };
        heard.events.iter().for_each(|(pattern, _)| self.awaited.watch(pattern, id));
        heard.probes.iter().for_each(|probe| self.probes.watch(probe, id));
    }

    pub(super) fn ignore(&mut self, id: Id) {
        let Some(heard) = self.tasks.get(&id).and_then(|task| task.heard.as_ref()) else { return };
        heard.events.iter().for_each(|(pattern, _)| self.awaited.leave(pattern, id));
        heard.probes.iter().for_each(|probe| self.probes.leave(probe, id));
    }
}
