//! The ends of tasks: known at the moment of the event, from whichever source tells first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kantoku_domain::{Event, Id, Recorded};
use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;

type Waiting = HashMap<u64, oneshot::Sender<Arc<Recorded>>>;

/// Who waits for the end of which task. Costs nothing for events that nobody waits for.
#[derive(Default)]
pub(crate) struct Ends(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<Id, Waiting>,
    next: u64,
}

/// Whether a task has ended with this, at the latest. One that was skipped may come back.
pub(crate) const fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::TaskFinished(_)
            | Event::TaskCancelled(_)
            | Event::TaskSkipped(_)
            | Event::TaskRestarted(_)
    )
}

impl Ends {
    /// The end of `task` that comes from now on.
    pub(crate) fn expect(self: &Arc<Self>, task: Id) -> End {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.entry(task).or_default().insert(number, sender);
        drop(state);
        End { of: Arc::clone(self), task, number, receiver }
    }

    /// Tells who waits for it. The same end may come twice.
    pub(super) fn take(&self, recorded: &Arc<Recorded>) {
        if !is_end(&recorded.event) {
            return;
        }
        let waiting = self.lock().waiting.remove(&recorded.id);
        for sender in waiting.into_iter().flat_map(HashMap::into_values) {
            // Who has gone meanwhile needs no answer.
            sender.send(Arc::clone(recorded)).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The maps are whole even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a task that somebody waits for; given up when dropped.
pub(crate) struct End {
    of: Arc<Ends>,
    task: Id,
    number: u64,
    receiver: oneshot::Receiver<Arc<Recorded>>,
}

impl End {
    /// The event. `None` when none can come any more, as the server stops.
    pub(crate) async fn event(&mut self) -> Option<Arc<Recorded>> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        if let Some(waiting) = state.waiting.get_mut(&self.task) {
            waiting.remove(&self.number);
            if waiting.is_empty() {
                state.waiting.remove(&self.task);
            }
        }
    }
}

/// Takes the events that this process appends at the moment of their acknowledgement, ahead of
/// their delivery. What this short cut drops, the stream delivers.
pub(super) async fn own(
    mut events: broadcast::Receiver<Arc<Recorded>>,
    ends: Arc<Ends>,
    stop: CancellationToken,
) {
    loop {
        let recorded = tokio::select! {
            () = stop.cancelled() => return,
            recorded = events.recv() => recorded,
        };
        match recorded {
            Ok(recorded) => ends.take(&recorded),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
