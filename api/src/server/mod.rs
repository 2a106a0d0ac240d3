//! Carries out the methods of the [`contract`](crate::contract).
//!
//! A message comes in over HTTP (`http`) or WebSocket (`socket`), is taken apart into requests
//! (`message`), and each is handed (`dispatch`) to what stands behind its name (`module`).
//! The other files are the methods: each registers its own.

mod access;
mod admission;
mod alive;
mod attempt;
mod blob;
mod bulk;
mod cancel;
mod command;
mod config;
mod context;
mod count;
mod dead_letter;
mod definition;
mod discover;
mod dispatch;
mod event;
mod export;
mod filter;
#[cfg(test)]
mod fuzz;
mod graph;
mod http;
mod import;
mod inlet;
mod key;
mod label;
mod listen;
mod logs;
mod manifest;
mod message;
pub mod metric;
mod module;
mod operation;
mod outlet;
mod paced;
mod params;
#[cfg(test)]
mod past;
mod pause;
mod place;
mod policy;
mod record;
mod resource;
mod restart;
mod room;
mod run;
mod script;
mod seal;
mod secret;
mod shared;
mod socket;
mod sound;
mod spawn;
mod subscribe;
mod subscriptions;
mod system;
mod together;
mod travel;
mod tree;
mod upgrade;
mod wait;
mod weight;
mod why;

use std::sync::Arc;

use kantoku_projections::{Database, Reader, Rebuild};
use kantoku_streams::{Bus, Fault};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::feed::Feed;
pub(crate) use access::ClientAddress;
use access::{Access, Keyring};
pub use config::{AccessPolicy, ApiConfig, Limits};
use dispatch::Dispatcher;
pub(crate) use http::{Arrived, Edge};
pub use key::first_key;
pub use listen::serve;
pub(crate) use module::Caller;
use module::Module;
use operation::Operations;
use room::Room;
use weight::Rooms;

/// What the methods work with.
pub struct Api {
    /// Events, blobs, presence.
    pub(crate) bus: Bus,
    /// The read models.
    pub(crate) reader: Reader,
    /// Where the read models live.
    pub(crate) database: Database,
    /// What happens, as it happens.
    pub(crate) feed: Feed,
    /// What takes longer than a call.
    pub(crate) operations: Operations,
    /// The same over many records, which outlasts this process.
    bulks: bulk::Bulks,
    /// Contexts that are looked at as a whole at once, as each may be large.
    pub(crate) contexts: Arc<Semaphore>,
    /// Scripts of callers that are tried out at once.
    scripts: Semaphore,
    /// Where calls get their memory.
    pub(crate) rooms: Arc<Rooms>,
    /// Who may do what.
    access: Arc<Access>,
    /// How the server is set up.
    pub(crate) config: ApiConfig,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    /// Connections and what runs in the background; waited for when the server stops.
    pub(crate) tasks: TaskTracker,
}

/// Why the server cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The read models are out of reach.
    #[error(transparent)]
    Database(#[from] kantoku_projections::Error),
    /// NATS is out of reach.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl StartError {
    /// Whether it may work later, with nothing changed but that the servers are back.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(error) => matches!(error, kantoku_projections::Error::Database { .. }),
            Self::Fault(fault) => !fault.is_final(),
        }
    }
}

impl Api {
    /// Over an open bus and database.
    pub async fn start(
        bus: Bus,
        database: Database,
        config: ApiConfig,
    ) -> Result<Arc<Self>, StartError> {
        // Both hold a connection that is being made: large, and not for the caller's stack.
        let reader = Box::pin(Reader::start(database.clone())).await?;
        Box::pin(Rebuild::sweep(&database)).await?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let feed = Feed::start(&bus, &reader, &config, &tasks, &stop).await?;
        let operations = Operations::default();
        let bulks = Box::pin(bulk::Bulks::open(&bus, &config)).await?;
        let contexts = Arc::new(Semaphore::new(context::CONTEXTS_AT_ONCE));
        let scripts = Semaphore::new(config.limits.scripts_max);
        let rooms = Arc::new(Rooms::new(&config.limits));
        let access = match config.access {
            AccessPolicy::Open => Access::Open,
            AccessPolicy::Keys => {
                let ring = Box::pin(Keyring::open(&bus)).await?;
                tasks.spawn(Arc::clone(&ring).keep(stop.clone()));
                Access::Keys { ring, audit: Box::new(bus.audit()) }
            }
        };
        metric::watch(&rooms, &tasks, &stop);
        let api = Arc::new(Self {
            bus,
            reader,
            database,
            feed,
            operations,
            bulks,
            contexts,
            scripts,
            rooms,
            access: Arc::new(access),
            config,
            stop,
            tasks,
        });
        api.tasks.spawn(bulk::keep(Arc::clone(&api)));
        Ok(api)
    }

    /// The memory that calls, waits and subscriptions hold, in bytes.
    pub fn held_bytes(&self) -> usize {
        let Rooms { calls, lasting, notices, .. } = &*self.rooms;
        [calls, lasting, notices].into_iter().map(Room::held_bytes).sum()
    }

    /// Takes no more requests, ends subscriptions and waits, lets other calls end within
    /// [`Limits::drain_timeout`], and closes all connections.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The route `/rpc`, for HTTP POST and WebSocket, and the routes of REST.
pub fn router(api: &Arc<Api>) -> axum::Router {
    http::router(Dispatcher {
        api: Arc::clone(api),
        module: Arc::new(methods()),
        limits: Arc::new(api.config.limits.clone()),
        rooms: Arc::clone(&api.rooms),
        access: Arc::clone(&api.access),
    })
}

/// Every method there is: each file registers its own.
fn methods() -> Module {
    let mut module = Module::default();
    let families = [
        attempt::register,
        blob::register,
        bulk::register,
        cancel::register,
        dead_letter::register,
        definition::register,
        discover::register,
        event::register,
        export::register,
        graph::register,
        import::register,
        key::register,
        label::register,
        logs::register,
        manifest::register,
        operation::register,
        pause::register,
        policy::register,
        record::register,
        count::register,
        resource::register,
        restart::register,
        run::register,
        script::register,
        seal::register,
        secret::register,
        spawn::register,
        subscribe::register,
        system::register,
        tree::register,
        wait::register,
        why::register,
    ];
    for register in families {
        register(&mut module);
    }
    module
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_that_is_declared_is_carried_out_and_nothing_else() {
        let declared: BTreeSet<&str> = crate::contract::names().into_iter().collect();
        assert_eq!(methods().names().collect::<BTreeSet<_>>(), declared);
    }
}
