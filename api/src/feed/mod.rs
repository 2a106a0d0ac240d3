//! What happens, as it happens, for whoever waits for it or follows it.
//!
//! One reader of the stream per process ([`stream`]) and one follower of the read model
//! ([`documents`]) put what comes into bounded [`ring`]s. A watcher is woken for what it is
//! interested in and for nothing else; one that was too slow is told, and reads what it missed
//! where it is kept: in the stream or in the read model. Nobody is ever polled.

mod documents;
mod ends;
mod metric;
mod ring;
mod size;
mod stream;

use std::sync::Arc;

use kantoku_domain::Recorded;
use kantoku_projections::{
    Reader,
    document::{ContextDocument, TaskDocument},
};
use kantoku_streams::{Bus, Fault};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::server::ApiConfig;

pub(crate) use documents::{Documents, Followed, Follower};
pub(crate) use ends::{Ends, is_end};
pub(crate) use ring::{Interest, Ring, Watcher};

/// Documents that a ring keeps.
const DOCUMENTS_MAX: usize = 4_096;
/// What a ring keeps, as JSON.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What happens, as it happens.
pub(crate) struct Feed {
    /// Every event, in the order of the stream.
    pub(crate) events: Ring<Recorded>,
    /// The ends of tasks, ahead of their order.
    pub(crate) ends: Arc<Ends>,
    /// Tasks as they change in the read model.
    pub(crate) tasks: Documents<TaskDocument>,
    /// Contexts as they change in the read model.
    pub(crate) contexts: Documents<ContextDocument>,
}

impl Feed {
    /// Starts to read from what is the last position now, until `stop` is cancelled.
    pub(crate) async fn start(
        bus: &Bus,
        reader: &Reader,
        config: &ApiConfig,
        processes: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, Fault> {
        metric::describe();
        let head = bus.head().await?;
        let events = Ring::new("events", config.limits.feed_events_max, BYTES_MAX, head);
        let ends = Arc::new(Ends::default());
        processes.spawn(stream::read(
            bus.clone(),
            format!("feed-{}", config.service_id),
            events.clone(),
            Arc::clone(&ends),
            stop.clone(),
        ));
        processes.spawn(ends::own(bus.ledger().own_events(), Arc::clone(&ends), stop.clone()));
        let tasks = Documents::new(Ring::new("tasks", DOCUMENTS_MAX, BYTES_MAX, 0));
        let contexts = Documents::new(Ring::new("contexts", DOCUMENTS_MAX, BYTES_MAX, 0));
        processes.spawn(tasks.clone().read(reader.clone(), stop.clone()));
        processes.spawn(contexts.clone().read(reader.clone(), stop.clone()));
        Ok(Self { events, ends, tasks, contexts })
    }
}
