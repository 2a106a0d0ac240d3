//! Tasks that were given up, and come back when a restart makes them possible after all.

use kantoku_domain::{
    Id, Recorded,
    dependency::{How, RootCauses},
    task::Skipped,
};

use super::{Scheduler, fold::Because, task::Stage};

impl Scheduler {
    /// The task will not run unless it is revived: it is kept.
    pub(super) fn skipped(&mut self, recorded: &Recorded, skipped: &Skipped) {
        let id = recorded.id;
        self.lay_aside(id);
        self.release(id);
        self.ignore(id);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.stage = Stage::Skipped(Box::new(skipped.clone()));
        task.is_reviving = false;
        task.cause = recorded.metadata.event_id;
        let root_causes = RootCauses::from(skipped);
        for output in task.output_ids() {
            self.give_up(output, recorded, root_causes.by_way_of(id), skipped.cause);
        }
        self.blamed.extend(skipped.causes().map(|blamed| (blamed, id)));
        let how = How::Skipped { root_causes, cause: skipped.cause };
        let news = self.knowledge.end(id, how, recorded.metadata.at);
        self.tell(id, news, Because::of(recorded));
        // Perhaps a restart was seen before.
        self.look_at(id);
    }

    /// The task waits again, and begins anew to do so.
    pub(super) fn revived(&mut self, recorded: &Recorded) {
        let (id, because) = (recorded.id, Because::of(recorded));
        self.blame_nobody(id);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        (task.stage, task.is_reviving) = (Stage::Open, false);
        task.round += 1;
        task.cause = recorded.metadata.event_id;
        task.begin_to_wait(recorded);
        for output in task.output_ids() {
            self.hope(output, because);
        }
        self.listen(id);
        if let Some(news) = self.knowledge.go_on(id) {
            self.tell(id, news, because);
        }
        self.look_at(id);
    }

    /// A task was restarted: those that were given up because of it may come back, even if nothing
    /// else changes for them.
    pub(super) fn reconsider(&mut self, restarted: Id, because: Because) {
        let given_up = self.blamed.range((restarted, Id::default())..);
        let given_up = given_up.take_while(|(blamed, _)| *blamed == restarted);
        for id in given_up.map(|(_, id)| *id).collect::<Vec<_>>() {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.cause = because.event_id;
            }
            self.look_at(id);
        }
    }

    /// The task is not given up, or is no more.
    pub(super) fn blame_nobody(&mut self, id: Id) {
        let Some(task) = self.tasks.get(&id) else { return };
        if let Stage::Skipped(skipped) = &task.stage {
            for blamed in skipped.causes() {
                self.blamed.remove(&(blamed, id));
            }
        }
    }
}
