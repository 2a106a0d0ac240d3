//! How much memory calls may take, all together: whoever wants some has to get a piece first, and
//! what gets none is refused instead of being carried out.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Memory is counted in pieces of this size.
const UNIT_BYTES: usize = 1024;

/// Memory that is shared by all who ask for it. Who waits longest is served first. Cheap to clone;
/// clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

/// Memory that somebody has, given back when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<OwnedSemaphorePermit>);

impl Held {
    /// Holds what `other` holds as well.
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl Room {
    /// Of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// How many bytes are held.
    pub(crate) fn held_bytes(&self) -> usize {
        (self.units as usize).saturating_sub(self.free.available_permits()) * UNIT_BYTES
    }

    /// What is larger than all of it takes all of it: such a call can be carried out, alone.
    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.units)
    }
}

/// `bytes` of each of these rooms, if there are as many now.
pub(crate) fn try_take(rooms: &[&Room], bytes: usize) -> Option<Held> {
    let take =
        |room: &&Room| Arc::clone(&room.free).try_acquire_many_owned(room.units_of(bytes)).ok();
    rooms.iter().map(take).collect::<Option<_>>().map(Held)
}

/// The same, after waiting for `patience` at most.
pub(crate) async fn take(rooms: &[&Room], bytes: usize, patience: Duration) -> Option<Held> {
    match try_take(rooms, bytes) {
        Some(held) => Some(held),
        None if patience.is_zero() => None,
        None => timeout(patience, wait_for(rooms, bytes)).await.ok(),
    }
}

/// The same, however long it takes.
pub(crate) async fn wait_for(rooms: &[&Room], bytes: usize) -> Held {
    let mut held = Held::default();
    for room in rooms {
        let permit = Arc::clone(&room.free).acquire_many_owned(room.units_of(bytes)).await;
        held.0.push(permit.expect("a room is never closed"));
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_given_back_to_every_room() {
        let (share, all) = (Room::new(8 * 1024), Room::new(16 * 1024));
        let first = try_take(&[&share, &all], 5_000).expect("there is room");
        assert_eq!((share.held_bytes(), all.held_bytes()), (5 * 1024, 5 * 1024));
        assert!(try_take(&[&share, &all], 5_000).is_none());
        assert_eq!(all.held_bytes(), 5 * 1024, "half a piece is none");
        assert!(take(&[&share, &all], 5_000, Duration::from_millis(1)).await.is_none());
        let waiting = tokio::spawn({
            let (share, all) = (share.clone(), all.clone());
            async move { wait_for(&[&share, &all], 5_000).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        let second = waiting.await.expect("no panic");
        assert_eq!((share.held_bytes(), all.held_bytes()), (5 * 1024, 5 * 1024));
        drop(second);
        assert_eq!((share.held_bytes(), all.held_bytes()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_too_large_for_a_room_takes_all_of_it() {
        let room = Room::new(4 * 1024);
        let mut all = try_take(&[&room], 1_000_000).expect("it is empty");
        assert!(try_take(&[&room], 1).is_none());
        all.add(Held::default());
        drop(all);
        assert!(try_take(&[&room], 1).is_some());
    }
}
