//! The one reader of the stream: events in order, without gap, whatever becomes of deliveries.

use std::{sync::Arc, time::Duration};

use kantoku_domain::{Id, Recorded};
use kantoku_streams::{
    Bus, ConsumerConfig, Fault, WentBack, acknowledge, full_jitter, warn_missing,
};
use tokio_util::sync::CancellationToken;

use super::{
    Ends, Ring,
    ring::Item,
    size::{bytes_as, bytes_of},
};

const BATCH_MAX: usize = 1_000;
const DELAY_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(5);

impl Item for Recorded {
    fn at_seq(&self) -> u64 {
        self.stream_seq
    }

    fn subjects(&self) -> [Id; 2] {
        [self.id, self.metadata.correlation_id]
    }
}

/// Reads what comes after the ring's head through `durable`, until `stop` is cancelled. Where the
/// stream goes back, it is read on from what is its end then.
pub(super) async fn read(
    bus: Bus,
    durable: String,
    events: Ring<Recorded>,
    ends: Arc<Ends>,
    stop: CancellationToken,
) {
    while let Err(went_back) = read_on(&bus, &durable, &events, &ends, &stop).await {
        tracing::error!(%went_back, "who follows events has to begin anew");
        let Some(head) = until_answered(&stop, || bus.head()).await else { return };
        events.restart(head);
    }
}

async fn read_on(
    bus: &Bus,
    durable: &str,
    events: &Ring<Recorded>,
    ends: &Arc<Ends>,
    stop: &CancellationToken,
) -> Result<(), WentBack> {
    let mut consumer = bus.consumer(ConsumerConfig {
        name: durable.to_owned(),
        filters: vec![],
        from_seq: events.head() + 1,
        batch_max: BATCH_MAX,
    });
    while let Some(batch) = consumer.next_batch(stop).await? {
        let mut order = Order::after(events.head());
        for delivery in &batch {
            let recorded = delivery.recorded();
            if let Some((from, to)) = order.gap_before(recorded.stream_seq) {
                let read = || bus.between(from, to);
                let Some(missing) = until_answered(stop, read).await else { return Ok(()) };
                for recorded in missing {
                    let bytes = bytes_of(&recorded);
                    order.take(Arc::new(recorded), bytes);
                }
            }
            let bytes = delivery.json().map_or_else(|| bytes_of(&**recorded), bytes_as);
            order.take(Arc::clone(recorded), bytes);
        }
        order.taken.iter().for_each(|(recorded, _)| ends.take(recorded));
        events.push_sized(order.taken, order.last);
        acknowledge(batch).await;
    }
    Ok(())
}

/// Puts deliveries in order: what comes again is dropped, what is missing is found out.
struct Order {
    last: u64,
    /// And how much memory each takes.
    taken: Vec<(Arc<Recorded>, usize)>,
}

impl Order {
    fn after(last: u64) -> Self {
        Self { last, taken: Vec::new() }
    }

    /// The first and the last position that is missing before `stream_seq`.
    fn gap_before(&self, stream_seq: u64) -> Option<(u64, u64)> {
        (stream_seq > self.last + 1).then_some((self.last + 1, stream_seq - 1))
    }

    fn take(&mut self, recorded: Arc<Recorded>, bytes: usize) {
        if recorded.stream_seq > self.last {
            self.last = recorded.stream_seq;
            self.taken.push((recorded, bytes));
        }
    }
}

/// What the stream answers at last, however often it has to be asked. `None` when it was stopped
/// first.
async fn until_answered<T, F: Future<Output = Result<T, Fault>>>(
    stop: &CancellationToken,
    ask: impl Fn() -> F,
) -> Option<T> {
    for attempt in 1.. {
        let fault = tokio::select! {
            () = stop.cancelled() => return None,
            answer = ask() => match answer {
                Ok(answer) => return Some(answer),
                Err(fault) => fault,
            },
        };
        warn_missing("nats", "read what follows what was read of the stream", &fault);
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::ring::tests::event;

    #[test]
    fn deliveries_are_put_in_order() {
        let mut order = Order::after(4);
        order.take(event(5), 1);
        assert_eq!(order.gap_before(6), None);
        assert_eq!(order.gap_before(9), Some((6, 8)));
        for stream_seq in [6, 8, 9, 7, 9, 5] {
            order.take(event(stream_seq), 1);
        }
        let taken: Vec<u64> = order.taken.iter().map(|(recorded, _)| recorded.stream_seq).collect();
        assert_eq!((taken, order.last), (vec![5, 6, 8, 9], 9));
        assert_eq!(order.gap_before(3), None);
    }
}
