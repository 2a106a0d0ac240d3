//! How the server is set up, and its limits.

use std::{sync::Arc, time::Duration};

use kantoku_preprocessors::Pool;
use kantoku_streams::SecretKeys;

use crate::contract::{ANSWER_BYTES_MAX, REQUEST_BYTES_MAX};

/// How the server is set up. Every limit has a default that suits one server on a laptop as well as
/// one in a cluster.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// The persistent id of this service, which stands in the events that it decides.
    pub service_id: String,
    /// Names under which the server is asked for besides those of the loopback interface, without
    /// port; `*` for any. Any other is refused: a page elsewhere may have bent its own name to
    /// point here.
    pub hosts: Vec<String>,
    /// Origins of web pages, e.g. `https://kantoku.example`, that may open connections besides
    /// pages that this server or the loopback interface gave; `*` for any.
    pub origins: Vec<String>,
    /// Who may use it.
    pub access: AccessPolicy,
    /// What seals secrets; without, there are none.
    pub secret_keys: Option<SecretKeys>,
    /// Where scripts run that callers try out; without, none do.
    pub scripts: Option<Arc<Pool>>,
    /// The limits.
    pub limits: Limits,
}

/// Who may use a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Whoever reaches it may do everything: for a private stand.
    #[default]
    Open,
    /// Whoever has a key, what that is good for; and it is written down.
    Keys,
}

impl ApiConfig {
    /// For service `service_id`, on the loopback interface, without keys, with the default limits.
    pub fn new(service_id: impl Into<String>) -> Self {
        Self {
            service_id: service_id.into(),
            hosts: Vec::new(),
            origins: Vec::new(),
            access: AccessPolicy::Open,
            secret_keys: None,
            scripts: None,
            limits: Limits::default(),
        }
    }
}

const MIB: usize = 1024 * 1024;

/// What clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of one request or batch, and with it of a value that is given by a call.
    pub request_bytes_max: usize,
    /// Length of one answer.
    pub answer_bytes_max: usize,
    /// Requests in one batch.
    pub batch_max: usize,
    /// How deep the JSON of a request may nest. Values end up deeper in events than in requests,
    /// and readers give up at 128.
    pub depth_max: usize,
    /// Requests over HTTP under way and WebSocket connections open, together.
    pub connections_max: usize,
    /// Connections that are open, those that ask for nothing at the moment included. When there are
    /// as many, the one that has asked for nothing for the longest time makes room.
    pub sockets_max: usize,
    /// Memory that calls under way may take together: what was sent, what is made of it, and
    /// answers until they are sent. What finds no room is refused.
    pub calls_bytes_max: usize,
    /// How much of it the calls of one connection may take.
    pub connection_bytes_max: usize,
    /// Memory that waits and subscriptions may take together.
    pub lasting_bytes_max: usize,
    /// Commands that are carried out at once; others wait for their turn.
    pub commands_max: usize,
    /// Reads that are carried out at once; others wait for their turn.
    pub reads_max: usize,
    /// Large answers that are made at once: pages, trees, logs.
    pub large_max: usize,
    /// Scripts that are compiled or run at once because somebody tries them out; others wait for
    /// their turn.
    pub scripts_max: usize,
    /// How long a call waits for room before it is refused.
    pub call_patience: Duration,
    /// How long a call may take, besides what it asks to wait.
    pub call_timeout: Duration,
    /// Subscriptions of one connection.
    pub subscriptions_max: usize,
    /// Messages of one WebSocket connection that are carried out at once; further ones wait.
    pub in_flight_max: usize,
    /// Events that are kept for waits and subscriptions: those that are behind more read the stream.
    pub feed_events_max: usize,
    /// How long a new connection may take until the head of its first request has arrived, the
    /// handshake of TLS included.
    pub first_request_timeout: Duration,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// A WebSocket connection is pinged this often.
    pub ping_every: Duration,
    /// One that says nothing for this long, not even pong, is closed.
    pub silence_max: Duration,
    /// How long a server that carries out operations may be silent before another takes them over.
    pub operation_lease: Duration,
    /// How long calls under way may take to end when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes_max: REQUEST_BYTES_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
            batch_max: 1_000,
            depth_max: 64,
            connections_max: 1_500,
            sockets_max: 2_000,
            calls_bytes_max: 80 * MIB,
            connection_bytes_max: 16 * MIB,
            lasting_bytes_max: 24 * MIB,
            commands_max: 512,
            reads_max: 64,
            large_max: 4,
            scripts_max: 2,
            call_patience: Duration::from_secs(1),
            call_timeout: Duration::from_secs(60),
            subscriptions_max: 256,
            in_flight_max: 256,
            feed_events_max: 8_192,
            first_request_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            ping_every: Duration::from_secs(20),
            silence_max: Duration::from_secs(60),
            operation_lease: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
