//! Takes in events: what they mean for the tasks that wait for something, and who is to be looked
//! at.

use std::sync::Arc;

use kantoku_domain::{
    Event, Id, Kind, Recorded, Timestamp,
    dependency::{How, Known},
    restart::OutputPolicy,
    task::{Restarted, Spawned},
};

use super::{
    Scheduler,
    knowledge::News,
    own::Fate,
    tally::Counted,
    task::{Stage, Waiting},
    watchers::{Watched, watched},
};

/// The event that changed something, and when.
#[derive(Clone, Copy)]
pub(super) struct Because {
    pub(super) event_id: Id,
    at: Timestamp,
}

impl Because {
    pub(super) fn of(recorded: &Recorded) -> Self {
        Self { event_id: recorded.metadata.event_id, at: recorded.metadata.at }
    }
}

impl Scheduler {
    pub(super) fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::TaskSpawned(spawned) => self.spawned(recorded, spawned),
            Event::TaskReady(ready) => self.announced(recorded, ready),
            Event::TaskRestarted(restarted) => self.restarted(recorded, restarted),
            Event::ResourceInitialized(_) => {
                let (seq, at) = (recorded.stream_seq, recorded.metadata.at);
                let news = self.knowledge.resolve(recorded.id, seq, at, None);
                self.tell_resolved(recorded.id, news, Because::of(recorded));
            }
            Event::ContextOpened(opened) => self.awaited.context(recorded.id, &opened.labels),
            Event::PolicyApplied(applied) => {
                self.policies.insert(recorded.id, applied.name.clone());
                let definition = Some(applied.definition.clone());
                self.admission.set_policy(&recorded.namespace, &applied.name, definition);
                self.may_admit = true;
            }
            Event::PolicyDeleted(_) => {
                if let Some(name) = self.policies.remove(&recorded.id) {
                    self.admission.set_policy(&recorded.namespace, &name, None);
                    self.may_admit = true;
                }
            }
            _ if recorded.aggregate == Kind::Task => {
                self.ordered(&recorded.event);
                self.changed(recorded);
            }
            _ => {}
        }
    }

    /// Tells the tasks that wait for just this event.
    pub(super) fn happened(&mut self, recorded: &Recorded) {
        if self.awaited.is_empty() {
            return;
        }
        let profile = self.tasks.get(&recorded.id).map(|task| Arc::clone(&task.profile));
        let labels = self.awaited.labels(recorded, profile.as_deref().map(|it| &it.labels));
        let mut concerned = Vec::new();
        for id in self.awaited.by(recorded) {
            if let Some(task) = self.tasks.get_mut(&id)
                && task.profile.namespace == recorded.namespace
                && task.hear(recorded, labels)
            {
                concerned.push(id);
            }
        }
        for id in concerned {
            self.look_at(id);
        }
    }

    /// Takes in pauses, and looks at those that could run but for one, or after all.
    pub(super) fn paused(&mut self, recorded: &Recorded) {
        if !self.pauses.apply(recorded) {
            return;
        }
        let concerned: Vec<Id> = match recorded.aggregate {
            // It has been looked at.
            Kind::Task => Vec::new(),
            Kind::Context => {
                let of_context = self.ready.range((recorded.id, Id::default())..);
                let of_context = of_context.take_while(|(context, _)| *context == recorded.id);
                of_context.map(|(_, id)| *id).collect()
            }
            _ => self.ready.iter().map(|(_, id)| *id).collect(),
        };
        for id in concerned {
            self.look_at(id);
        }
    }

    fn spawned(&mut self, recorded: &Recorded, spawned: &Spawned) {
        let id = recorded.id;
        if self.tasks.contains_key(&id) || self.knowledge.has_ended(id) {
            return;
        }
        let mut task = Waiting::new(recorded, spawned);
        for it in watched(&task.needs) {
            let (fact, is_settled, is_bad) = self.judge(it);
            let is_task = matches!(it, Watched::Task(_));
            task.tally.add(is_task, is_settled, is_bad);
            if is_task || !is_settled || is_bad {
                self.watchers.add(fact, id);
            }
        }
        let is_worth_it = task.tally.counted() != Counted::Pending;
        if self.to_stop.remove(&id) {
            task.stage = Stage::Stopping;
        }
        self.tasks.insert(id, task);
        self.listen(id);
        if is_worth_it {
            self.look_at(id);
        }
    }

    /// What to watch, whether it is settled, and whether that is bad for whoever needs it.
    fn judge(&self, it: Watched) -> (Id, bool, bool) {
        match it {
            Watched::Resource(id) => match self.knowledge.resource(id) {
                Known::Pending => (id, false, false),
                Known::Holds { .. } => (id, true, false),
                Known::Impossible { .. } => (id, true, true),
            },
            Watched::Task(id) => {
                let ending = self.knowledge.ending(id);
                let is_bad = ending.as_ref().is_some_and(|ending| ending.how != How::Ok);
                (self.knowledge.head(id), ending.is_some(), is_bad)
            }
        }
    }

    /// Another task takes the place of one. With its outputs reused, that one may resolve them.
    fn restarted(&mut self, recorded: &Recorded, restarted: &Restarted) {
        let (id, successor) = (recorded.id, restarted.successor.id);
        if self.knowledge.successor(id).is_some() {
            return;
        }
        let because = Because::of(recorded);
        if self.tasks.get(&id).is_some_and(Waiting::is_given_up) {
            self.forget(id);
        } else {
            // Its inputs are replaced while it lives: it ends.
            self.ended(recorded, How::Cancelled, |_| Fate::Lost);
        }
        if restarted.outputs == OutputPolicy::Reuse {
            for output in restarted.successor.task.outputs.values() {
                self.hope(output.id, because);
            }
        }
        let news = self.knowledge.succeed(id, successor);
        self.watchers.follow(id, successor);
        if let Some(news) = news {
            self.tell(successor, news, because);
        }
        self.reconsider(id, because);
    }

    /// A resource can be resolved after all.
    pub(super) fn hope(&mut self, id: Id, because: Because) {
        if let Some(news) = self.knowledge.hope(id) {
            self.tell(id, news, because);
        }
    }

    /// Tells those who watch a resource that it is resolved: they need not watch any more.
    pub(super) fn tell_resolved(&mut self, id: Id, news: Option<News>, because: Because) {
        let Some(news) = news else { return };
        for watcher in self.watchers.take(id) {
            self.learn(watcher, news, because);
        }
    }

    /// Tells those who watch what has changed.
    pub(super) fn tell(&mut self, watched: Id, news: News, because: Because) {
        // Told or not, they watch on; nobody joins or leaves meanwhile.
        for index in 0..self.watchers.of(watched).len() {
            let watcher = self.watchers.of(watched)[index];
            self.learn(watcher, news, because);
        }
    }

    fn learn(&mut self, id: Id, news: News, because: Because) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.cause = because.event_id;
        task.changed_at = task.changed_at.max(because.at);
        if task.learn(news) {
            self.look_at(id);
        }
    }

    /// Queues a task if anything may follow for it.
    pub(super) fn look_at(&mut self, id: Id) {
        if let Some(task) = self.tasks.get_mut(&id)
            && task.is_undecided()
            && !task.is_due
        {
            task.is_due = true;
            self.due.push_back(id);
        }
    }
}
