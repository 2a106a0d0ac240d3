//! From a message to its answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use kantoku_streams::warn_missing;
use serde_json::value::{RawValue, to_raw_value};
use tokio::{sync::Semaphore, time::timeout};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    Api, Limits,
    access::{Access, Asked},
    message::{Message, Parsed, Request, response},
    metric,
    module::{Call, Caller, Entry, Module},
    room::{Held, Room},
    subscriptions::{Started, Subscriptions, unsubscribe},
    together::{refused_together, together, too_many},
    weight::{
        ANSWER_BYTES, CALL_BYTES, CARRIED_OUT_TIMES, Lane, Patience, Rooms, Weight, bytes_of_json,
    },
};
use crate::{ApiError, Code};

/// Requests of one batch that are carried out at once.
const BATCH_AT_ONCE: usize = 16;

/// What a request of a batch takes before its turn comes.
const QUEUED_BYTES: usize = 2 * 1024;

/// How long a call waits for its turn.
const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// What methods stand on.
pub(super) trait Ground: Send + Sync + 'static {
    /// Waits for the position that an answer has to be as of.
    fn reach(&self, patience: Patience) -> BoxFuture<'_, Result<()>>;
}

/// Carries out messages. Cheap to clone.
pub(super) struct Dispatcher<A = Api> {
    pub(super) api: Arc<A>,
    pub(super) module: Arc<Module<A>>,
    pub(super) limits: Arc<Limits>,
    pub(super) rooms: Arc<Rooms>,
    pub(super) access: Arc<Access>,
}

impl<A> Clone for Dispatcher<A> {
    fn clone(&self) -> Self {
        Self {
            api: Arc::clone(&self.api),
            module: Arc::clone(&self.module),
            limits: Arc::clone(&self.limits),
            rooms: Arc::clone(&self.rooms),
            access: Arc::clone(&self.access),
        }
    }
}

/// Where messages come from.
pub(super) struct Peer {
    /// Who sends them.
    pub(super) caller: Caller,
    /// Where subscriptions are kept; `None` where there can be none.
    pub(super) subscriptions: Option<Arc<Subscriptions>>,
    /// The memory that calls of one connection may have.
    pub(super) share: Room,
}

/// What a message came to.
#[derive(Default)]
pub(super) struct Answer {
    /// What to send; `None` when all of it were notifications.
    pub(super) text: Option<String>,
    /// The subscriptions that begin once it is sent.
    pub(super) started: Vec<Started>,
    /// The memory that the text takes.
    pub(super) held: Held,
}

/// What a message takes before it is known what it comes to.
struct Need {
    lane: Lane,
    /// With the message itself.
    bytes: usize,
}

pub(super) type Result<T> = std::result::Result<T, ApiError>;

impl<A: Ground> Dispatcher<A> {
    /// Finds room for a message and what it takes to carry it out, where `arrived_bytes` are held for
    /// it already; waits for `patience` at most. What there is no room for is answered with a
    /// refusal.
    pub(super) async fn admit(
        &self,
        message: &[u8],
        arrived_bytes: usize,
        peer: &Peer,
        patience: Duration,
    ) -> std::result::Result<Held, Answer> {
        let refuse =
            |error| Err(Answer { text: self.refuse(message, &error), ..Answer::default() });
        let Need { lane, bytes } = match self.need(message) {
            Ok(need) => need,
            Err(error) => return refuse(error),
        };
        // What it holds already is part of it, and all it needs may be all there is.
        let bytes = bytes.min(self.limits.calls_bytes_max / 4 * 3).saturating_sub(arrived_bytes);
        let taken = self.rooms.take(lane, &peer.share, bytes.max(CALL_BYTES), patience).await;
        taken.map_or_else(
            || {
                metric::refused("room");
                refuse(busy())
            },
            Ok,
        )
    }

    fn need(&self, message: &[u8]) -> Result<Need> {
        let bytes = bytes_of_json(message);
        let bytes_max = self.limits.calls_bytes_max;
        if bytes > bytes_max {
            let text = format!(
                "the message would take {bytes} bytes of memory, and may take {bytes_max}; \
                 send less at once, or many small values as one text"
            );
            return Err(ApiError::new(Code::Limit, text).for_good());
        }
        let Limits { depth_max, batch_max, .. } = *self.limits;
        let mut need = Need { lane: Lane::Reads, bytes: message.len() + bytes };
        let (mut calls, mut waits) = (0, 0);
        if let Ok(parsed) = Message::parse(message, depth_max, batch_max) {
            for request in parsed.requests() {
                calls += 1;
                let Some((name, entry)) = self.module.get(&request.method) else { continue };
                if matches!(entry, Entry::Call { is_command: true, .. }) {
                    need.lane = Lane::Commands;
                }
                waits += usize::from(Weight::of(name) == Weight::Lasting);
            }
        }
        if need.lane == Lane::Commands {
            need.bytes += CARRIED_OUT_TIMES * message.len();
        }
        if waits > 0 {
            need.lane = Lane::Lasting;
        }
        need.bytes += CALL_BYTES * waits.max(calls.min(BATCH_AT_ONCE)) + QUEUED_BYTES * calls;
        Ok(need)
    }

    /// Answers every request of a message with the same refusal.
    fn refuse(&self, message: &[u8], error: &ApiError) -> Option<String> {
        let Limits { depth_max, batch_max, .. } = *self.limits;
        match Message::parse(message, depth_max, batch_max) {
            Err(error) | Ok(Message::One(Err(error))) => Some(refusal(error)),
            Ok(Message::One(Ok(request))) => {
                request.id.map(|id| response(Some(id), &Err(error.clone())))
            }
            Ok(Message::Batch(entries)) => refused_together(entries, error),
            Ok(Message::TooMany { count, entries }) => too_many(count, &entries, batch_max).text,
        }
    }

    /// Carries out a message that there is room for.
    pub(super) async fn answer(&self, message: &[u8], peer: &Peer) -> Answer {
        let Limits { depth_max, batch_max, answer_bytes_max, .. } = *self.limits;
        match Message::parse(message, depth_max, batch_max) {
            Err(error) => Answer { text: Some(refusal(error)), ..Answer::default() },
            Ok(Message::One(parsed)) => self.carry_out(parsed, peer).await,
            Ok(Message::TooMany { count, entries }) => too_many(count, &entries, batch_max),
            Ok(Message::Batch(entries)) => {
                let calls = entries.into_iter().map(|parsed| self.carry_out(parsed, peer).boxed());
                let calls: Vec<_> = calls.collect();
                let answers = stream::iter(calls).buffered(BATCH_AT_ONCE);
                together(answers, answer_bytes_max).await
            }
        }
    }

    /// Carries out one request; a notification has no answer, whatever came of it.
    async fn carry_out(&self, parsed: Parsed<'_>, peer: &Peer) -> Answer {
        let request = match parsed {
            Ok(request) => request,
            Err(error) => return Answer { text: Some(refusal(error)), ..Answer::default() },
        };
        let trace_id = Uuid::now_v7().simple().to_string();
        let span = tracing::info_span!("call", method = %request.method, trace_id);
        let called = self.call(&request, peer, &trace_id).instrument(span.clone()).await;
        let mut answer = Answer::default();
        let result = match called {
            Ok(done) => {
                answer.held = done.held;
                // Nobody knows the id of a subscription that was started by a notification.
                answer.started.extend(done.started.filter(|_| request.id.is_some()));
                Ok(done.answer)
            }
            Err(mut error) => {
                span.in_scope(|| log(&error));
                error.data.trace_id = Some(trace_id);
                Err(error)
            }
        };
        answer.text = request.id.map(|id| response(Some(id), &result));
        answer
    }

    async fn call(&self, request: &Request<'_>, peer: &Peer, trace_id: &str) -> Result<Done> {
        let begin = Instant::now();
        let found = self.module.find(&request.method);
        let name = found.as_ref().map_or("unknown", |(name, _)| name);
        let known = found.as_ref().ok().map(|(name, _)| *name);
        let result = match (self.access.check(&peer.caller, known, request.params), &found) {
            (Ok(()), Ok((name, entry))) => self.enter(name, entry, request, peer).await,
            (Ok(()), Err(error)) => Err(error.clone()),
            (Err(refused), _) => Err(refused),
        };
        if let Ok((method, entry)) = found {
            let asked = Asked { caller: &peer.caller, method, params: request.params, trace_id };
            let is_command = matches!(entry, Entry::Call { is_command: true, .. });
            self.access.note(asked, is_command, result.as_ref().err()).await;
        }
        metric::called(name, result.as_ref().err().map(|error| error.code), begin.elapsed());
        result
    }

    async fn enter(
        &self,
        name: &'static str,
        entry: &Entry<A>,
        request: &Request<'_>,
        peer: &Peer,
    ) -> Result<Done> {
        let call = Call {
            api: Arc::clone(&self.api),
            caller: peer.caller.clone(),
            params: request.params,
            answer_bytes_max: self.limits.answer_bytes_max,
        };
        // A call that waits because it was told to has more time.
        let asked = Patience::of(request.params);
        let is_waiting = asked.min_seq.is_some() || Weight::of(name) == Weight::Lasting;
        let more = if is_waiting { asked.asked() } else { Duration::ZERO };
        let patience = self.limits.call_timeout + more;
        match entry {
            Entry::Call { is_command, begin } => {
                let answer = begin(call);
                let done = async {
                    match Weight::of(name) {
                        _ if *is_command => {
                            let turn = timeout(TURN_PATIENCE, self.rooms.commands.acquire()).await;
                            let _turn = turn.map_err(|_| busy())?;
                            Ok(answer.await?.into())
                        }
                        Weight::Lasting => Ok(answer.await?.into()),
                        Weight::Small => self.look(&self.rooms.small, answer, asked, peer).await,
                        Weight::Large => self.look(&self.rooms.large, answer, asked, peer).await,
                    }
                };
                timeout(patience, done).await.map_err(|_| too_slow(*is_command, patience))?
            }
            Entry::Subscribe(begin) => {
                let reserved = subscriptions(peer)?.reserve(name)?;
                let items = timeout(patience, begin(call)).await;
                let items = items.map_err(|_| too_slow(false, patience))??;
                let started = reserved.start(items);
                let answer = raw(&started.id());
                Ok(Done { started: Some(started), ..Done::from(answer) })
            }
            Entry::Unsubscribe => {
                let was_open = unsubscribe(subscriptions(peer)?, request.params)?;
                Ok(raw(&was_open).into())
            }
        }
    }

    /// Reads, in turn with others. Nobody waits for the read model meanwhile.
    async fn look(
        &self,
        turns: &Semaphore,
        answer: BoxFuture<'static, Result<Box<RawValue>>>,
        asked: Patience,
        peer: &Peer,
    ) -> Result<Done> {
        self.api.reach(asked).await?;
        let turn = timeout(TURN_PATIENCE, turns.acquire()).await;
        let _turn = turn.map_err(|_| busy())?;
        let mut done = Done::from(answer.await?);
        let bytes = done.answer.get().len();
        if bytes > ANSWER_BYTES {
            let held = self.rooms.take(Lane::Reads, &peer.share, bytes, TURN_PATIENCE).await;
            done.held = held.ok_or_else(busy)?;
        }
        Ok(done)
    }
}

/// What a call came to that went well.
struct Done {
    answer: Box<RawValue>,
    started: Option<Started>,
    held: Held,
}

impl From<Box<RawValue>> for Done {
    fn from(answer: Box<RawValue>) -> Self {
        Self { answer, started: None, held: Held::default() }
    }
}

/// There is no room for a call.
pub(super) fn busy() -> ApiError {
    let message = "the server has as much under way as it has memory for, and did nothing of this; \
                   send it again in a second, and less at once";
    ApiError::new(Code::Limit, message).reason("busy")
}

fn too_slow(is_command: bool, patience: Duration) -> ApiError {
    if is_command {
        let message = format!(
            "the command had no outcome within {patience:?}: it may have taken effect; send it \
             again with the same idempotency key, or look"
        );
        return ApiError::new(Code::UnknownOutcome, message);
    }
    let message = format!("there was no answer within {patience:?}; ask again, or for less");
    ApiError::new(Code::Unavailable, message).reason("deadline")
}

fn subscriptions(peer: &Peer) -> Result<&Arc<Subscriptions>> {
    peer.subscriptions.as_ref().ok_or_else(|| {
        ApiError::new(
            Code::Invalid,
            "subscriptions need a connection that stays: use a WebSocket to /rpc",
        )
    })
}

fn raw(plain: &impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(plain).expect("numbers and booleans are JSON")
}

/// The answer to what is no request, whose id is null.
pub(super) fn refusal(mut error: ApiError) -> String {
    error.data.trace_id = Some(Uuid::now_v7().simple().to_string());
    metric::called("unknown", Some(error.code), Duration::ZERO);
    response(None, &Err(error))
}

fn log(error: &ApiError) {
    match error.code {
        Code::Internal => tracing::error!(%error, "a call failed by a mistake of ours"),
        Code::Unavailable | Code::UnknownOutcome => {
            let is_read_model = error.data.reason == ApiError::READ_MODEL;
            let component = if is_read_model { "postgres" } else { "nats" };
            warn_missing(component, "carry out a call", error);
        }
        _ => tracing::debug!(%error, "a call was refused"),
    }
}
