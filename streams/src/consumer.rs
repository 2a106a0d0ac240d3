//! Durable consumers: how handlers read the stream.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_nats::jetstream::{
    Context, ErrorCode, Message,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    stream::ConsumerErrorKind,
};
use futures::{FutureExt as _, StreamExt as _};
use tokio::task::unconstrained;
use tokio_util::sync::CancellationToken;

use crate::{
    Fault, Ledger, Raw,
    cache::Known,
    defect::{self, Defect},
    delivery::{Delivery, Held, InHand, Source},
    full_jitter,
    interruptions::Interruptions,
    subject, warn_missing,
    went_back::{Doubt, Place, WentBack},
};

const HEARTBEAT: Duration = Duration::from_secs(5);
const EXPIRES: Duration = Duration::from_secs(30);
/// How much the events of one batch have as JSON, but for the last: one plan may have megabytes.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
const DELAY_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(2);

/// What a consumer reads, and how much at once.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// The durable's name, derived from the service's persistent id. At most 255 characters of
    /// `A-Z a-z 0-9 - _`.
    pub name: String,
    /// The subjects; all of them when empty.
    pub filters: Vec<String>,
    /// The first position of interest. The consumer begins there at start, whatever the server
    /// remembers.
    pub from_seq: u64,
    /// How many events one batch has at most.
    pub batch_max: usize,
}

/// A durable pull consumer of the stream of events, of one service alone. What several read through is
/// a [`Queue`](crate::Queue).
pub struct Consumer {
    ledger: Ledger,
    config: ConsumerConfig,
    source: Arc<Source>,
    in_hand: Arc<InHand>,
    messages: Option<pull::Stream>,
    interruptions: Interruptions,
    /// What came and could not be decoded yet: nothing overtakes it.
    waiting: VecDeque<Held>,
    /// How many messages have come since it was opened.
    came: u64,
    /// What was read last, to be found there when it is opened again.
    place: Place,
}

impl Consumer {
    /// A consumer that is opened, and made where it is missing, with the first batch.
    pub fn new(context: Context, ledger: Ledger, config: ConsumerConfig) -> Self {
        let interruptions = Interruptions::of(&context.client());
        let source = Arc::new(Source { context, consumer: config.name.clone() });
        let in_hand = Arc::new(InHand::new(config.from_seq));
        let (messages, waiting, place) = (None, VecDeque::new(), Place::default());
        Self { ledger, config, source, in_hand, messages, interruptions, waiting, came: 0, place }
    }

    /// The next events: at least one, and what else is at hand, up to the limit. `None` once `stop`
    /// is cancelled. What is no event goes to the dead letters.
    ///
    /// Connection losses and a deleted durable are repaired here. The durable then goes on at the
    /// lowest position that was not settled, so that every event comes in the order of the stream,
    /// though some come again later. Where the stream is not the one any more that was read, it ends
    /// with an error: what comes is no sequel to what came.
    pub async fn next_batch(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<Delivery>>, WentBack> {
        let mut attempt = 0;
        loop {
            let failed = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                batch = self.try_batch() => match batch {
                    Ok(batch) if batch.is_empty() => None,
                    Ok(batch) => return Ok(Some(batch)),
                    Err(Doubt::WentBack(went_back)) => return Err(went_back),
                    Err(Doubt::Fault(fault)) => Some(fault),
                },
            };
            let Some(fault) = failed else {
                attempt = 0;
                continue;
            };
            let what = format!("read events through {}", self.config.name);
            warn_missing("nats", &what, &fault);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)) => {}
            }
            attempt += 1;
        }
    }

    async fn try_batch(&mut self) -> Result<Vec<Delivery>, Doubt> {
        if self.messages.is_none() {
            self.interruptions.connected().await;
            self.place.check(&self.source.context, &self.ledger).await?;
            self.messages = Some(self.open().await?);
        }
        if self.waiting.is_empty() {
            let again = self.in_hand.returned.take();
            self.waiting
                .extend(again.into_iter().map(|raw| hold(raw, 0, &self.source, &self.in_hand)));
        }
        if self.waiting.is_empty() {
            let held = self.collect().await.inspect_err(|_| self.messages = None)?;
            self.waiting.extend(held);
        }
        let mut batch = Vec::with_capacity(self.waiting.len());
        let mut bytes = 0;
        while bytes < BATCH_BYTES_MAX
            && let Some(held) = self.waiting.front()
        {
            let decoded = self.ledger.decode_shared(held.raw().clone()).await;
            bytes += decoded.as_ref().map_or(0, |known| known.bytes);
            // A fault is seen to with the next call, when nothing is in hand that it could cost.
            if decoded.is_err() && !batch.is_empty() {
                break;
            }
            match (decoded, self.waiting.pop_front()) {
                (Err(fault), Some(held)) if !fault.is_final() => {
                    self.waiting.push_front(held);
                    return Err(fault.into());
                }
                (decoded, Some(held)) => batch.extend(sort(decoded, held).await?),
                (_, None) => break,
            }
        }
        if let Some(last) = batch.last().map(Delivery::recorded) {
            self.place.at(last.stream_seq, last.metadata.event_id);
        }
        Ok(batch)
    }

    /// Waits for a message, then takes what has arrived with it. Nothing when something was given
    /// back.
    async fn collect(&mut self) -> Result<Vec<Held>, Fault> {
        let fault = |cause: crate::Cause| Fault::unreachable("deliver events", cause);
        let Some(stream) = &mut self.messages else { return Ok(Vec::new()) };
        let mut collected = Vec::new();
        let mut next = tokio::select! {
            next = stream.next() => next,
            () = self.in_hand.returned.some() => return Ok(collected),
            // The server has forgotten what it was asked for.
            () = self.interruptions.over() => {
                return Err(fault("the connection was lost".into()));
            }
        };
        loop {
            match next {
                Some(Ok(message)) if is_next(&message, self.came)? => {
                    self.came += 1;
                    let (raw, left) = taken(&message)?;
                    collected.push(hold(raw, left, &self.source, &self.in_hand));
                }
                // What was collected is still good; the error comes again with the next call.
                _ if !collected.is_empty() => return Ok(collected),
                Some(Ok(_)) => return Err(fault("a message went astray".into())),
                Some(Err(error)) => return Err(fault(error.into())),
                None => return Err(fault("the stream of messages ended".into())),
            }
            if collected.len() >= self.config.batch_max {
                return Ok(collected);
            }
            // What is at hand is taken whole: tokio would end it after 128 messages, and a small batch
            // costs its reader as much as a large one.
            match unconstrained(stream.next()).now_or_never() {
                Some(more) => next = more,
                None => return Ok(collected),
            }
        }
    }

    async fn open(&mut self) -> Result<pull::Stream, Fault> {
        self.waiting.clear();
        // It is delivered once more from the lowest position on that was not settled.
        self.in_hand.returned.take();
        self.came = 0;
        let (context, config) = (&self.source.context, &self.config);
        let durable = make_anew(context, config, self.in_hand.floor.lowest()).await?;
        durable
            .stream()
            .max_messages_per_batch(config.batch_max.max(1))
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| opening(&config.name, error))
    }
}

/// Decodes what was delivered. What is no event goes to the dead letters.
pub(crate) async fn deliver(ledger: &Ledger, held: Held) -> Result<Option<Delivery>, Fault> {
    let decoded = ledger.decode_shared(held.raw().clone()).await;
    sort(decoded, held).await
}

async fn sort(decoded: Result<Known, Fault>, held: Held) -> Result<Option<Delivery>, Fault> {
    match decoded {
        Ok(known) => Ok(Some(Delivery::new(known, held))),
        // It is no event and was never meant to be one.
        Err(_) if held.raw().subject == subject::GAP => held.ack().await.map(|()| None),
        Err(fault) if fault.is_final() => held.bury(&fault.to_string()).await.map(|()| None),
        Err(fault) => Err(fault),
    }
}

/// The durable of `config`, at `start`. An old one goes, and with it what it was
/// asked for: by this reader, whose connection was lost, or by the run before this one. What was
/// delivered there would never come, or behind what follows it.
async fn make_anew(
    context: &Context,
    config: &ConsumerConfig,
    start: u64,
) -> Result<PullConsumer, Fault> {
    let name = &config.name;
    match context.delete_consumer_from_stream(name, subject::EVENTS).await {
        Ok(_) => {}
        Err(error) if is_missing(error.kind()) => {}
        Err(error) => return Err(opening(name, error)),
    }
    let own = pull::Config {
        durable_name: Some(name.clone()),
        filter_subjects: config.filters.clone(),
        deliver_policy: beginning(start),
        // Nothing is lost with a message: whoever reads knows where it is, and begins there anew.
        ack_policy: AckPolicy::None,
        max_deliver: -1,
        ..pull::Config::default()
    };
    make(context, name, own)
        .await
        .inspect(|_| tracing::info!(consumer = name, start, "reading events"))
}

pub(crate) fn beginning(start: u64) -> DeliverPolicy {
    if defect::has(Defect::ConsumerAtHead) {
        return DeliverPolicy::New;
    }
    DeliverPolicy::ByStartSequence { start_sequence: start }
}

fn is_missing(kind: ConsumerErrorKind) -> bool {
    matches!(kind, ConsumerErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

pub(crate) async fn make(
    context: &Context,
    name: &str,
    config: pull::Config,
) -> Result<PullConsumer, Fault> {
    context
        .create_consumer_on_stream(config, subject::EVENTS)
        .await
        .map_err(|error| opening(name, error))
}

fn opening(name: &str, cause: impl Into<crate::Cause>) -> Fault {
    Fault::unreachable(format!("open consumer {name}"), cause)
}

/// Whether no message of the durable went to anybody else since `came` of them came here.
fn is_next(message: &Message, came: u64) -> Result<bool, Fault> {
    let info = message.info().map_err(|error| Fault::unreachable("say a position", error))?;
    Ok(info.consumer_sequence == came + 1)
}

/// What was delivered, and how many are left behind it.
pub(crate) fn taken(message: &Message) -> Result<(Raw, u64), Fault> {
    let info = message.info().map_err(|error| Fault::unreachable("say a position", error))?;
    let event_type = message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(subject::TYPE_HEADER))
        .map(|value| value.as_str().to_owned());
    let (subject, payload) = (message.subject.to_string(), message.payload.clone());
    Ok((Raw { stream_seq: info.stream_sequence, subject, event_type, payload }, info.pending))
}

/// Takes what was delivered into hands that give it back when it is dropped.
fn hold(raw: Raw, left: u64, source: &Arc<Source>, in_hand: &Arc<InHand>) -> Held {
    Held::of_reader(raw, left, Arc::clone(source), Arc::clone(in_hand))
}

#[cfg(test)]
#[path = "consumer_tests.rs"]
mod tests;
