//! What admission has folded, to be kept beside the stream and taken up again.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Admission, Held, Profile,
    counter::{Counters, SavedStarts},
    rules::Rules,
};
use crate::{Id, Name, Namespace, Timestamp, policy::Definition};

/// What is known of policies, slots and starts. Who waits is not: that is for whoever decides to say
/// again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    policies: BTreeMap<Namespace, BTreeMap<Name, Definition>>,
    held: Vec<SavedSlots>,
    starts: SavedStarts,
}

/// The slots of a task; its profile is the task's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedSlots {
    task_id: Id,
    attempt: u32,
    at: i64,
    is_claimed: bool,
}

impl Admission {
    /// What is to be kept.
    pub fn saved(&self) -> Saved {
        let held = self.held.iter().map(|(task_id, held)| SavedSlots {
            task_id: *task_id,
            attempt: held.attempt,
            at: held.at.micros(),
            is_claimed: held.is_claimed,
        });
        let mut held: Vec<_> = held.collect();
        held.sort_unstable_by_key(|slots| slots.task_id);
        let policies = self.rules.policies.clone();
        Saved { policies, held, starts: self.counters.saved() }
    }

    /// Admission with the same window that goes on from what was kept; `profile` knows the tasks that
    /// hold slots. Slots of others are free.
    #[must_use]
    pub fn restored(&self, saved: Saved, profile: impl Fn(Id) -> Option<Arc<Profile>>) -> Self {
        let mut restored = Self::new(self.window);
        restored.rules = Rules { policies: saved.policies };
        restored.counters = Counters::restored(saved.starts);
        for slots in saved.held {
            let Some(profile) = profile(slots.task_id) else { continue };
            for key in restored.rules.keys(&profile) {
                restored.counters.take(&key, slots.task_id);
            }
            let at = Timestamp::from_micros(slots.at);
            let SavedSlots { attempt, is_claimed, .. } = slots;
            restored.insert_held(Held { profile, attempt, at, is_claimed });
        }
        restored
    }
}
