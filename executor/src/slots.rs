//! Slots: how many attempts may run at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kantoku_streams::Heartbeat;
use tokio::sync::Notify;

/// How many attempts there may be that have ended and are being reported, beside those that run.
const REPORTING_MAX: usize = 256;

/// See the module. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct Slots {
    max: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    taken: AtomicUsize,
    freed: Notify,
}

/// A slot that is taken until this is dropped.
pub(crate) struct Slot(Arc<Shared>);

impl Slots {
    /// So many slots, all of them free.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, shared: Arc::default() }
    }

    /// How many attempts may be begun while `attempts` of them have not been reported.
    pub(crate) fn free(&self, attempts: usize) -> usize {
        let free = self.max.saturating_sub(self.shared.taken.load(Ordering::Acquire));
        // No more than one heartbeat lists.
        let most = (self.max + REPORTING_MAX).min(Heartbeat::ATTEMPTS_MAX);
        free.min(most.saturating_sub(attempts))
    }

    /// Takes one.
    pub(crate) fn take(&self) -> Slot {
        self.shared.taken.fetch_add(1, Ordering::AcqRel);
        Slot(Arc::clone(&self.shared))
    }

    /// Waits until one was freed since the last call. May be dropped and called again.
    pub(crate) async fn freed(&self) {
        self.shared.freed.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_slot_is_free_again_once_its_attempt_has_ended_and_reports_are_bounded() {
        let slots = Slots::new(2);
        let (one, other) = (slots.take(), slots.take());
        assert_eq!(slots.free(2), 0);
        assert!(slots.freed().now_or_never().is_none());
        drop(one);
        assert!(slots.freed().now_or_never().is_some());
        assert_eq!(slots.free(2), 1);
        drop(other);
        assert_eq!((slots.free(2), slots.free(2 + REPORTING_MAX - 1)), (2, 1));
        assert_eq!(slots.free(2 + REPORTING_MAX), 0);
    }
}
