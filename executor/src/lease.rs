//! Leases: what this executor says of its attempts, and what it hears of them.
//!
//! A heartbeat that is not heard stops nothing: healthy work goes on, and the fence refuses its end
//! if it was given to another meanwhile.

use std::time::Duration;

use futures::StreamExt as _;
use kantoku_service::Backoff;
use kantoku_streams::{CancelOrder, Heartbeat, warn_missing};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{executor::Parts, running::Stop};

/// Sends heartbeats and follows orders for as long as it is polled.
pub(crate) async fn keep(parts: &Parts) {
    tokio::join!(beat(parts), obey(parts));
}

async fn beat(parts: &Parts) {
    let every = parts.config.lease / 3;
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut born = None;
    loop {
        ticks.tick().await;
        if born.is_none() {
            born = parts.bus.head().await.ok();
        }
        let heartbeat = Heartbeat {
            service_id: parts.config.service_id.clone(),
            boot_id: parts.config.boot(),
            // Until it is known, the leases of an earlier run end by themselves.
            born: born.unwrap_or_default(),
            attempts: parts.running.list(),
            lease: parts.config.lease_millis(),
        };
        match parts.bus.beat(&heartbeat, every).await {
            Ok(Some(reply)) => {
                for order in reply.cancelled {
                    follow(parts, order);
                }
                for held in &reply.lost {
                    parts.running.lose(held);
                }
            }
            // Then nobody takes leases away either.
            Ok(None) => tracing::debug!("no lease keeper listens"),
            Err(fault) => warn_missing("nats", "send a heartbeat", &fault),
        }
    }
}

/// An order that is not heard comes again with the reply to the next heartbeat.
async fn obey(parts: &Parts) {
    let mut backoff = Backoff::default();
    loop {
        match parts.bus.cancel_orders(&parts.config.service_id).await {
            Ok(mut orders) => {
                while let Some(order) = orders.next().await {
                    follow(parts, order);
                }
            }
            Err(fault) => warn_missing("nats", "hear orders", &fault),
        }
        sleep(backoff.next_wait()).await;
    }
}

fn follow(parts: &Parts, order: CancelOrder) {
    parts.running.stop(order.task_id, order.attempt, &Stop::Cancelled(order.reason));
}
