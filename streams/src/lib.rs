//! Events in NATS `JetStream`. The only crate of Kantoku that knows NATS.
//!
//! [`Ledger`] is the one path by which events are appended; it stands on a [`Store`]
//! ([`JetStream`], or [`Memory`] in tests) and on [`Blobs`] for what is large. [`connect()`] and
//! [`setup()`] come first; [`Bus`] opens everything at once. A [`Consumer`] is how handlers read;
//! [`Timers`] fire as [`Due`]; [`Logs`] keep what tasks say; [`Heartbeats`] and [`CancelOrder`]s go
//! between executors and lease keepers, [`Questions`] to schedulers; [`Presence`] tells who is there. All names are in
//! [`subject`], the stored form is in [`codec`]. [`Seals`] keep what the [`Chain`] over all events was.

mod again;
mod audit;
mod backoff;
mod blobs;
mod bus;
mod cache;
mod chain;
mod clock;
pub mod codec;
mod connect;
mod consumer;
pub mod cqrs;
pub mod dead;
pub mod defect;
mod delivery;
mod direct;
mod discovery;
mod document;
mod draft;
mod due;
mod fault;
mod inspect;
mod interruptions;
mod jetstream;
mod keys;
mod lead;
mod leases;
mod ledger;
mod login;
mod logs;
mod lru;
mod memory;
pub mod metric;
mod missing;
mod named;
mod operations;
mod permissions;
mod presence;
mod questions;
mod queue;
mod reach;
mod replay;
mod restore;
mod seal;
mod secrets;
mod setup;
mod snapshots;
mod store;
pub mod subject;
#[cfg(test)]
mod sync_bench;
#[cfg(test)]
mod testing;
mod timers;
mod went_back;

pub use again::{Again, Redelivered, Wanted};
pub use audit::{Audit, AuditEntry, StoredAudit};
pub use backoff::{Redial, full_jitter};
pub use blobs::{BlobError, Blobs, digest_of};
pub use bus::{Bus, BusError};
pub use chain::Chain;
pub use clock::now;
pub use codec::Malformed;
pub use connect::{ConnectError, Dialing, connect};
pub use consumer::{Consumer, ConsumerConfig};
pub use dead::{DeadLetter, DeadLetters};
pub use delivery::{Delivery, acknowledge};
pub use discovery::Discovery;
pub use document::{Document, Line};
pub use draft::Draft;
pub use due::{Due, DueConsumer};
pub use fault::{Cause, Fault};
pub use inspect::{Safety, Sync};
pub use jetstream::JetStream;
pub use keys::{KeyEntry, Keys};
pub use lead::{Candidate, Holder, Leading, Term};
pub use leases::{
    CancelOrder, Heard, Heartbeat, HeartbeatReply, Heartbeats, HeldAttempt, Responder,
};
pub use ledger::{ExecuteError, Ledger, Loaded, Outcome};
pub use login::{Credentials, Login, LoginError, NatsKey, Proof};
pub use logs::{LogAddress, LogEntry, LogFilter, LogLine, LogPage, LogStream, Logs};
pub use memory::Memory;
pub use missing::warn_missing;
pub use named::blobs_named;
pub use operations::{OperationLease, Operations, Revised};
pub use permissions::{NatsRole, Permissions, permissions};
pub use presence::{Load, Presence, ServiceEntry};
pub use questions::{Asker, Question, Questions};
pub use queue::{Queue, QueueConfig};
pub use replay::Replay;
pub use restore::RestoreError;
pub use seal::{Begun, Seal, Seals, StoredSeal};
pub use secrets::{SecretError, SecretInfo, SecretKey, SecretKeyError, SecretKeys, Secrets};
pub use setup::{Settings, SetupError, setup};
pub use snapshots::{SnapshotEntry, Snapshots};
pub use store::{AppendError, EVENTS_MAX, Guard, Message, Raw, Store};
pub use timers::Timers;
pub use went_back::WentBack;
