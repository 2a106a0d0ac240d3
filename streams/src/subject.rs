//! All names in NATS: streams, subjects, buckets. Nothing else in Kantoku spells one.

use std::fmt::Write as _;

use kantoku_domain::{Id, Kind, Namespace, SecretName};
use thiserror::Error;

/// The stream of all domain events.
pub const EVENTS: &str = "KTK_EVENTS";
/// The stream of scheduled messages.
pub const TIMERS: &str = "KTK_TIMERS";
/// The stream of the tasks' output.
pub const LOGS: &str = "KTK_LOGS";
/// The stream of what no handler could digest.
pub const DEAD: &str = "KTK_DEAD";
/// The stream of seals over the events.
pub const SEALS: &str = "KTK_SEALS";
/// The key-value bucket of present services.
pub const SERVICES: &str = "ktk_services";
/// The key-value bucket of the keys of the API.
pub const KEYS: &str = "ktk_keys";
/// The key-value bucket of operations over many records.
pub const OPERATIONS: &str = "ktk_operations";
/// The key-value bucket of secrets.
pub const SECRETS: &str = "ktk_secrets";
/// The key-value bucket of who leads.
pub const LEADS: &str = "ktk_leads";
/// The lease of the scheduler that acts.
pub const SCHEDULER: &str = "scheduler";
/// The object store of large values.
pub const BLOBS: &str = "ktk_blobs";
/// The object store of what nodes have folded.
pub const SNAPSHOTS: &str = "ktk_snapshots";

/// The stream of who asked for what.
pub const AUDIT: &str = "KTK_AUDIT";

/// All streams, but those under buckets and object stores.
pub const STREAMS: [&str; 6] = [EVENTS, TIMERS, LOGS, DEAD, SEALS, AUDIT];

/// The subjects of [`EVENTS`].
pub const EVENTS_SUBJECTS: [&str; 2] = ["evt.>", "ready.>"];
/// The subjects of [`TIMERS`].
pub const TIMERS_SUBJECTS: [&str; 2] = ["timer.*", "due.*"];
/// The subjects of [`LOGS`].
pub const LOGS_SUBJECTS: [&str; 1] = ["log.>"];
/// The subjects of [`DEAD`].
pub const DEAD_SUBJECTS: [&str; 1] = ["dead.*"];
/// The subject of [`AUDIT`].
pub const AUDITED: &str = "audit";
/// The subject of [`SEALS`], one for all: whoever seals is guarded by its last position.
pub const SEAL: &str = "seal";

/// Where an import puts what fills a position that no event has, until it is purged.
pub const GAP: &str = "evt.gap";

/// Where the stream of logs says that it has stored something: [`LOGS_SUBJECTS`] by another name,
/// headers only.
pub const LOGGED: &str = "logged.>";

/// Where services say that they live, in no stream.
pub const BEATS: &str = "beat.*";
/// Where a lease keeper hears itself; no service's token is this.
pub const ECHOES: &str = "beat.==";

/// Where services are told to stop attempts, in no stream: [`orders`] of all.
pub const ORDERS: &str = "order.*";
/// Where consumers are asked to take events in again, in no stream: [`again`] of all.
pub const AGAIN: &str = "again.*";

/// The kind of the durables of executors.
pub const EXECUTOR: &str = "executor";

/// Where schedulers are asked about tasks, in no stream.
pub const QUESTIONS: &str = "ask.scheduler";

/// The header that names an event's type. Types are no part of subjects: loading by a wildcard
/// is some three hundred times slower than by a literal subject.
pub const TYPE_HEADER: &str = "Ktk-Type";

/// The stream under a bucket.
pub fn under_bucket(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// The stream under an object store.
pub fn under_objects(store: &str) -> String {
    format!("OBJ_{store}")
}

/// The streams under all buckets and object stores.
pub fn under_buckets() -> Vec<String> {
    let buckets = [SERVICES, LEADS, KEYS, OPERATIONS, SECRETS].map(under_bucket);
    buckets.into_iter().chain([BLOBS, SNAPSHOTS].map(under_objects)).collect()
}

/// The one subject of an aggregate: `evt.<namespace>.<partition>.<kind>.<id>`.
pub fn event(namespace: &Namespace, kind: Kind, id: Id) -> String {
    format!("evt.{namespace}.{}.{kind}.{id}", id.partition())
}

/// Where a task of `queue` is announced as ready: `ready.<namespace>.<queue>.<shard>`.
pub fn ready(namespace: &Namespace, queue: &str, shard: u16) -> String {
    format!("ready.{namespace}.{}.{shard}", token(queue))
}

/// The filter for all shards of `queue`, in one namespace or, with `None`, in all.
pub fn ready_filter(namespace: Option<&Namespace>, queue: &str) -> String {
    format!("ready.{}.{}.*", namespace.map_or("*", Namespace::as_str), token(queue))
}

/// Whether `subject` is one on which tasks of `queue` are announced.
pub fn is_ready_for(subject: &str, queue: &str) -> bool {
    let mut tokens = subject.split('.');
    tokens.next() == Some("ready") && tokens.nth(1) == Some(token(queue).as_str())
}

/// The name of the durable that all services of `kind` share which serve `queue`. Different queues
/// have different ones.
pub fn shared_durable(kind: &str, queue: &str) -> String {
    durable(kind, queue)
}

/// The name of the durable of a `kind` that belongs to `owner`, a service id or what a group has in
/// common. Different owners have different ones.
pub fn durable(kind: &str, owner: &str) -> String {
    let mut name = format!("{kind}-");
    for byte in owner.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            write!(name, "_{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    name
}

/// The one subject of a timer, so that setting it twice is one timer.
pub fn timer(id: Id) -> String {
    format!("timer.{id}")
}

/// The timer that `subject` belongs to.
pub fn timer_id(subject: &str) -> Option<Id> {
    subject.strip_prefix("timer.")?.parse().ok()
}

/// Where a timer of `kind` (`retry`, `timeout`, …) arrives when it is due.
pub fn due(kind: &str) -> String {
    format!("due.{}", token(kind))
}

/// Where an attempt's output goes.
pub fn log(namespace: &Namespace, context: Id, task: Id, attempt: u32) -> String {
    format!("log.{namespace}.{context}.{task}.{attempt}")
}

/// Where the output of a task goes: of one attempt or, with `None`, of all.
pub fn log_filter(namespace: &Namespace, context: Id, task: Id, attempt: Option<u32>) -> String {
    match attempt {
        Some(attempt) => log(namespace, context, task, attempt),
        None => format!("log.{namespace}.{context}.{task}.*"),
    }
}

/// Where it is said that something was stored on `log`, which may hold wildcards.
pub fn logged(log: &str) -> String {
    format!("logged{}", log.strip_prefix("log").unwrap_or(log))
}

/// Where `service` says that it lives.
pub fn beat(service: &str) -> String {
    format!("beat.{}", token(service))
}

/// Where `service` is told to stop attempts, in no stream.
pub fn orders(service: &str) -> String {
    format!("order.{}", token(service))
}

/// The key of `service` in [`SERVICES`].
pub fn service_key(service: &str) -> String {
    token(service)
}

/// The key of a secret in [`SECRETS`].
pub fn secret_key(namespace: &Namespace, name: &SecretName) -> String {
    format!("{namespace}.{}", token(name.as_str()))
}

/// Where `consumer` puts what it could not digest.
pub fn dead(consumer: &str) -> String {
    format!("dead.{}", token(consumer))
}

/// Where `consumer` is asked to take an event in again, in no stream.
pub fn again(consumer: &str) -> String {
    format!("again.{}", token(consumer))
}

/// The aggregate that an event's subject names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose it is.
    pub namespace: Namespace,
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
}

/// What a subject of [`EVENTS`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An event of this aggregate.
    Event(Address),
    /// A task is ready in this namespace; the event says which.
    Ready(Namespace),
}

/// Why a subject cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{subject:?} is no subject of {EVENTS}: expected evt.<namespace>.<partition>.<kind>.<id> or \
     ready.<namespace>.<queue>.<shard>; something else writes to this stream"
)]
pub struct SubjectError {
    /// The subject.
    pub subject: String,
}

/// Reads a subject of [`EVENTS`].
pub fn parse(subject: &str) -> Result<Parsed, SubjectError> {
    let tokens: Vec<&str> = subject.splitn(6, '.').collect();
    let parsed = match tokens.as_slice() {
        ["evt", namespace, partition, kind, id] => address(namespace, kind, id)
            .filter(|address| address.id.partition().to_string() == *partition)
            .map(Parsed::Event),
        ["ready", namespace, _queue, _shard] => namespace.parse().ok().map(Parsed::Ready),
        _ => None,
    };
    parsed.ok_or_else(|| SubjectError { subject: subject.to_owned() })
}

fn address(namespace: &str, kind: &str, id: &str) -> Option<Address> {
    Some(Address {
        namespace: namespace.parse().ok()?,
        kind: kind.parse().ok()?,
        id: id.parse().ok()?,
    })
}

/// Makes one token of a subject of any text: what NATS gives a meaning becomes `=<hex>`.
/// Different texts stay different.
fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/') {
            token.push(char::from(byte));
        } else {
            write!(token, "={byte:02x}").expect("writing to a string cannot fail");
        }
    }
    if token.is_empty() {
        token.push('=');
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        "0193b0de-0000-7000-8000-00000000002a".parse().unwrap()
    }

    #[test]
    fn an_event_subject_is_read_back() {
        let namespace: Namespace = "team-7".parse().unwrap();
        let subject = event(&namespace, Kind::Task, id());
        assert_eq!(subject, "evt.team-7.2a.task.0193b0de-0000-7000-8000-00000000002a");
        let address = Address { namespace: namespace.clone(), kind: Kind::Task, id: id() };
        assert_eq!(parse(&subject), Ok(Parsed::Event(address)));
        assert_eq!(parse(&ready(&namespace, "gpu", 3)), Ok(Parsed::Ready(namespace)));
    }

    #[test]
    fn every_kind_has_a_subject_that_is_read_back() {
        let namespace: Namespace = "team-7".parse().unwrap();
        for kind in Kind::ALL {
            let address = Address { namespace: namespace.clone(), kind, id: id() };
            assert_eq!(parse(&event(&namespace, kind, id())), Ok(Parsed::Event(address)));
        }
    }

    #[test]
    fn what_is_no_subject_of_ours_is_refused() {
        let wrong_partition = "evt.team-7.2b.task.0193b0de-0000-7000-8000-00000000002a";
        for subject in ["", "evt", "evt.a.00.task.7", "ready.A.q.0", "log.a.b.c.1", wrong_partition]
        {
            assert!(parse(subject).is_err(), "{subject}");
        }
    }

    #[test]
    fn a_queue_of_any_name_is_one_token() {
        let namespace = Namespace::default();
        assert_eq!(ready(&namespace, "a.b *", 0), "ready.default.a=2eb=20=2a.0");
        assert_eq!(ready_filter(None, ""), "ready.*.=.*");
        assert!(is_ready_for(&ready(&namespace, "a.b *", 3), "a.b *"));
        assert!(!is_ready_for(&ready(&namespace, "a.b *", 3), "a.b"));
        assert!(!is_ready_for(&event(&namespace, Kind::Task, id()), "task"));
        assert_eq!(shared_durable("executor", "default"), "executor-default");
        assert_eq!(shared_durable("executor", "a.b_c"), "executor-a_2eb_5fc");
        assert_ne!(token("a=2eb"), token("a.b"));
    }
}
