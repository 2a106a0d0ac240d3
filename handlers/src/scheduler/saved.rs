//! What a scheduler writes down, and how it goes on from that.

use std::sync::Arc;

use kantoku_domain::{Id, admission::Admission};
use serde::{Deserialize, Serialize};

use super::{Scheduler, WINDOW, task::Waiting};
use crate::{
    SavedError,
    saved::{as_json, read, write},
};

/// Slots are the tasks', so they are written beside them, without what is the tasks'.
#[derive(Serialize, Deserialize)]
struct Slots(#[serde(with = "as_json")] kantoku_domain::admission::Saved);

/// In the place of what is put there once the tasks are known.
pub(super) fn no_admission() -> Admission {
    Admission::new(WINDOW)
}

impl Scheduler {
    /// Its state, without tasks to look at that are over.
    pub(super) fn written(&mut self) -> Result<Vec<u8>, SavedError> {
        self.due.retain(|id| self.tasks.contains_key(id));
        self.watchers.tidy(|id| self.tasks.contains_key(id));
        write(&(&*self, Slots(self.admission.saved())))
    }

    /// A scheduler with the same window that goes on from what was written.
    pub(super) fn read(&self, saved: &[u8]) -> Result<Self, SavedError> {
        let (mut restored, Slots(slots)): (Self, Slots) = read(saved)?;
        let profile = |id| Some(Arc::clone(&restored.tasks.get(&id)?.profile));
        restored.admission = self.admission.restored(slots, profile);
        let is_listening = |task: &Waiting| task.heard.is_some() && !task.is_given_up();
        let tasks = restored.tasks.iter().filter(|(_, task)| is_listening(task));
        for id in tasks.map(|(id, _)| *id).collect::<Vec<Id>>() {
            restored.listen(id);
        }
        Ok(restored)
    }
}
