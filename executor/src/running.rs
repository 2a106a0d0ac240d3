//! The attempts that this executor has, and how each is told to stop.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use kantoku_domain::Id;
use kantoku_streams::HeldAttempt;
use tokio_util::sync::CancellationToken;

use crate::metric;

/// Why an attempt is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its task is over, for this reason.
    Cancelled(String),
    /// It belongs to another by now.
    Lost,
    /// The executor has to go.
    Shutdown,
}

/// Who runs. Cheap to clone; clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashMap<Key, Entry>>>);

type Key = (Id, u32);

struct Entry {
    fence: u64,
    told: Arc<Told>,
}

/// What an attempt has been told.
#[derive(Default)]
struct Told {
    halt: CancellationToken,
    reason: OnceLock<Stop>,
}

/// An attempt's place among those that run, until it is dropped.
pub(crate) struct Place {
    running: Running,
    key: Key,
    told: Arc<Told>,
}

impl Running {
    /// Takes in an attempt that was claimed at `fence`.
    pub(crate) fn enter(&self, task_id: Id, attempt: u32, fence: u64) -> Place {
        let (key, told) = ((task_id, attempt), Arc::<Told>::default());
        self.lock().insert(key, Entry { fence, told: Arc::clone(&told) });
        Place { running: self.clone(), key, told }
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<HeldAttempt> {
        let held = |(&(task_id, attempt), entry): (&Key, &Entry)| HeldAttempt {
            task_id,
            attempt,
            fence: entry.fence,
        };
        self.lock().iter().map(held).collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Tells one to stop, if it is here. The first reason counts.
    pub(crate) fn stop(&self, task_id: Id, attempt: u32, reason: &Stop) {
        if let Some(entry) = self.lock().get(&(task_id, attempt)) {
            tracing::info!(%task_id, attempt, reason = reason.name(), "an attempt is stopped");
            entry.told.stop(reason);
        }
    }

    /// Tells one to stop that belongs to another by now.
    pub(crate) fn lose(&self, held: &HeldAttempt) {
        let key = (held.task_id, held.attempt);
        if self.lock().get(&key).is_some_and(|entry| entry.fence == held.fence) {
            self.stop(held.task_id, held.attempt, &Stop::Lost);
        }
    }

    /// Tells all of them to stop.
    pub(crate) fn stop_all(&self, reason: &Stop) {
        for entry in self.lock().values() {
            entry.told.stop(reason);
        }
    }

    /// No entry is ever half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn stop(&self, reason: &Stop) {
        if self.reason.set(reason.clone()).is_ok() {
            metric::stopped(reason.name());
        }
        self.halt.cancel();
    }
}

impl Place {
    /// Cancelled when the attempt has to stop.
    pub(crate) fn halt(&self) -> &CancellationToken {
        &self.told.halt
    }

    /// Why it has to stop, if it has to.
    pub(crate) fn reason(&self) -> Option<&Stop> {
        self.told.reason.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.lock().remove(&self.key);
    }
}

impl Stop {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Cancelled(_) => "cancelled",
            Self::Lost => "lost",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled(reason) if reason.is_empty() => "its task is over",
            Self::Cancelled(reason) => reason,
            Self::Lost => {
                "its lease was lost, and another has or may have the task; it was stopped"
            }
            Self::Shutdown => "the executor has to go",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Id {
        Id::from_uuid(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn an_attempt_is_listed_and_can_be_stopped_while_it_has_its_place() {
        let running = Running::default();
        let (one, other) = (running.enter(id(1), 1, 10), running.enter(id(2), 3, 20));
        assert_eq!(running.count(), 2);
        assert!(running.list().contains(&HeldAttempt { task_id: id(2), attempt: 3, fence: 20 }));

        running.stop(id(2), 2, &Stop::Lost);
        assert!(!other.halt().is_cancelled(), "that is another attempt");
        let cancelled = Stop::Cancelled("enough".into());
        running.stop(id(2), 3, &cancelled);
        running.stop_all(&Stop::Shutdown);
        assert_eq!((one.reason(), other.reason()), (Some(&Stop::Shutdown), Some(&cancelled)));
        assert!(one.halt().is_cancelled() && other.halt().is_cancelled());
        drop((one, other));
        assert_eq!(running.count(), 0);
    }
}
