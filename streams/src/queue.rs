//! A durable that several services share, each of which takes only what it has room for.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, StatusCode, Subject, Subscriber,
    jetstream::{
        AckKind, Context, Message,
        consumer::{AckPolicy, PullConsumer, pull, pull::BatchConfig},
    },
};
use futures::{FutureExt as _, StreamExt as _};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Delivery, Fault, Ledger,
    again::{Again, Wanted},
    consumer,
    delivery::{Held, Source},
    direct, full_jitter,
    interruptions::Interruptions,
    subject, warn_missing,
    went_back::{Doubt, Place},
};

const EXPIRES: Duration = Duration::from_secs(30);
/// After this long a request was answered, or its answer is lost.
const ANSWERED_AFTER: Duration = Duration::from_secs(35);
const DELAY_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(2);
/// How many messages a request that the server ended was still good for.
const LEFT: &str = "Nats-Pending-Messages";

/// What a queue reads.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// The durable's name, derived from the group's. At most 255 characters of `A-Z a-z 0-9 - _`.
    pub name: String,
    /// The subjects; all of them when empty.
    pub filters: Vec<String>,
    /// How many events may be delivered and not acknowledged, over all services that share it.
    pub in_flight_max: u32,
    /// How long an event may be in hand before it is delivered again, to anyone.
    pub ack_wait: Duration,
}

/// Deliveries of a shared durable, as many as there is room for.
///
/// Nothing is fetched ahead: an event that lies with a service that is busy is one that no other
/// service can have.
pub struct Queue {
    client: Client,
    ledger: Ledger,
    config: QueueConfig,
    source: Arc<Source>,
    room: watch::Receiver<usize>,
    requests: Option<Requests>,
    /// That of requests that were given up: what was sent to it, or is yet, must not wait until
    /// `ack_wait` is over.
    inbox: Option<Inbox>,
    again: Option<Again>,
    /// What was delivered last, to be found there when it is opened again.
    place: Place,
    generation: u64,
}

impl Queue {
    /// The queue of `config`. `room` says for how many events there is room at each call of
    /// [`next`](Self::next). When it shrinks by other means than taking one, what was
    /// asked for before may come all the same, and is to be given back by dropping it.
    pub(crate) fn new(
        client: Client,
        context: Context,
        ledger: Ledger,
        config: QueueConfig,
        room: watch::Receiver<usize>,
    ) -> Self {
        let source = Arc::new(Source { context, consumer: config.name.clone() });
        Self {
            client,
            ledger,
            config,
            source,
            room,
            requests: None,
            inbox: None,
            again: None,
            place: Place::default(),
            generation: 0,
        }
    }

    /// How often the stream went back behind what was delivered here. Positions that were met before
    /// the last time are those of other events.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The next event. Losses of the connection and of the durable are repaired here. `None` once
    /// nobody can make room any more.
    ///
    /// Dropped before it is done, an event may be given back.
    pub async fn next(&mut self) -> Option<Delivery> {
        let mut attempt = 0;
        loop {
            match self.try_next().await {
                Ok(Next::Delivery(delivery)) => return Some(*delivery),
                Ok(Next::Closed) => return None,
                Ok(Next::Nothing) => attempt = 0,
                Err(fault) => {
                    if let Some(requests) = self.requests.take() {
                        self.inbox = Some(requests.inbox);
                    }
                    let what = format!("read events through {}", self.config.name);
                    warn_missing("nats", &what, &fault);
                    sleep(full_jitter(attempt, DELAY_BASE, DELAY_MAX)).await;
                    attempt += 1;
                }
            }
        }
    }

    async fn try_next(&mut self) -> Result<Next, Fault> {
        if self.again.is_none() {
            self.again = Some(Again::open(&self.client, &self.config.name).await?);
        }
        if self.requests.is_none() {
            Interruptions::of(&self.client).connected().await;
            self.check_place().await?;
            self.requests = Some(Requests::open(self).await?);
        }
        let (Some(requests), Some(again)) = (&mut self.requests, &mut self.again) else {
            return Ok(Next::Nothing);
        };
        let room = *self.room.borrow_and_update();
        requests.ask_for(room).await?;
        let message = tokio::select! {
            biased;
            changed = self.room.changed() => {
                if changed.is_ok() {
                    return Ok(Next::Nothing);
                }
                requests.hand_back(&self.source.context).await;
                return Ok(Next::Closed);
            }
            message = requests.next() => message?,
            Some(wanted) = again.next() => return self.take_again(wanted).await,
        };
        let Some(message) = message else { return Ok(Next::Nothing) };
        let message = Message { message, context: self.source.context.clone() };
        let (raw, left) = consumer::taken(&message)?;
        let (_, acker) = message.split();
        let held = Held::of_server(raw, left, Arc::clone(&self.source), Box::new(acker));
        self.hand_out(held).await
    }

    async fn check_place(&mut self) -> Result<(), Fault> {
        match self.place.check(&self.source.context, &self.ledger).await {
            Err(Doubt::Fault(fault)) => return Err(fault),
            Err(Doubt::WentBack(went_back)) => {
                tracing::error!(queue = self.config.name, %went_back, "a queue begins anew");
                self.place = Place::default();
                self.generation += 1;
                self.inbox = None;
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// An event that could not be digested before.
    async fn take_again(&mut self, wanted: Wanted) -> Result<Next, Fault> {
        let at = wanted.stream_seq;
        let page = direct::page(&self.client, subject::EVENTS, ">", at, 1).await?;
        let found = page.messages.into_iter().find(|message| message.stream_seq == at);
        // What was purged is over.
        wanted.taken().await;
        let Some(found) = found else { return Ok(Next::Nothing) };
        self.hand_out(Held::again(found.into_raw(), Arc::clone(&self.source))).await
    }

    async fn hand_out(&mut self, held: Held) -> Result<Next, Fault> {
        let delivery = consumer::deliver(&self.ledger, held).await?;
        if let Some(recorded) = delivery.as_ref().map(Delivery::recorded) {
            self.place.at(recorded.stream_seq, recorded.metadata.event_id);
        }
        Ok(delivery.map_or(Next::Nothing, |delivery| Next::Delivery(Box::new(delivery))))
    }
}

enum Next {
    Delivery(Box<Delivery>),
    /// Something else happened.
    Nothing,
    Closed,
}

/// Where the server sends what it is asked for, over connections that come and go.
struct Inbox {
    subject: Subject,
    answers: Subscriber,
}

impl Inbox {
    async fn open(client: &Client) -> Result<Self, Fault> {
        let subject = Subject::from(client.new_inbox());
        let answers =
            client.subscribe(subject.clone()).await.map_err(|error| fault(error.into()))?;
        Ok(Self { subject, answers })
    }
}

/// What the server was asked for and has not delivered yet.
struct Requests {
    durable: PullConsumer,
    inbox: Inbox,
    interruptions: Interruptions,
    open: usize,
    /// When the last one is sure to have been answered.
    answered_at: Instant,
}

impl Requests {
    async fn open(queue: &mut Queue) -> Result<Self, Fault> {
        let interruptions = Interruptions::of(&queue.client);
        let durable = find_or_make(&queue.source.context, &queue.config).await?;
        let inbox = match queue.inbox.take() {
            Some(inbox) => inbox,
            None => Inbox::open(&queue.client).await?,
        };
        Ok(Self { durable, inbox, interruptions, open: 0, answered_at: Instant::now() })
    }

    /// Sees to it that `room` messages are asked for, or more if they were before. Not for a few at
    /// a time: as long as most of them are, more will be once some have come.
    async fn ask_for(&mut self, room: usize) -> Result<(), Fault> {
        if room == 0 || self.open > room / 2 {
            return Ok(());
        }
        let batch = room - self.open;
        let request = BatchConfig { batch, expires: Some(EXPIRES), ..BatchConfig::default() };
        self.durable
            .request_batch(request, self.inbox.subject.clone())
            .await
            .map_err(|error| fault(error.into()))?;
        self.open = room;
        self.answered_at = Instant::now() + ANSWERED_AFTER;
        Ok(())
    }

    /// The next message; `None` when requests came to their end without one. May be dropped and
    /// called again.
    async fn next(&mut self) -> Result<Option<async_nats::Message>, Fault> {
        let answer = tokio::select! {
            answer = self.inbox.answers.next() => answer,
            () = sleep_until(self.answered_at), if self.open > 0 => {
                self.open = 0;
                return Ok(None);
            }
            // The server has forgotten them.
            () = self.interruptions.over() => {
                return Err(fault("the connection was lost".into()));
            }
        };
        let answer = answer.ok_or_else(|| fault("the connection was closed".into()))?;
        match answer.status {
            None | Some(StatusCode::OK) => {
                self.open = self.open.saturating_sub(1);
                Ok(Some(answer))
            }
            Some(status) => {
                self.take_end(&answer, status)?;
                Ok(None)
            }
        }
    }

    /// Gives back at once what has come and was not taken.
    async fn hand_back(&mut self, context: &Context) {
        while let Some(Some(message)) = self.inbox.answers.next().now_or_never() {
            let message = Message { message, context: context.clone() };
            if message.ack_with(AckKind::Nak(None)).await.is_err() {
                return;
            }
        }
    }

    /// The server ended a request: because its time was over, or with an error.
    fn take_end(&mut self, answer: &async_nats::Message, status: StatusCode) -> Result<(), Fault> {
        let left = answer.headers.as_ref().and_then(|headers| direct::number(headers, LEFT));
        let description = answer.description.as_deref().unwrap_or_default();
        match left {
            Some(left) if description != "Consumer Deleted" => {
                self.open = self.open.saturating_sub(left as usize);
                Ok(())
            }
            _ => Err(fault(format!("status {status} {description}").into())),
        }
    }
}

/// The durable of `config`: as it is, or made at the first event where it is missing.
async fn find_or_make(context: &Context, config: &QueueConfig) -> Result<PullConsumer, Fault> {
    let name = &config.name;
    let found = context
        .get_consumer_from_stream::<pull::Config, _, _>(name, subject::EVENTS)
        .await
        .ok()
        .map(|consumer| consumer.cached_info().config.deliver_policy);
    let made = found.is_none();
    let shared = pull::Config {
        durable_name: Some(name.clone()),
        filter_subjects: config.filters.clone(),
        // The start of an existing consumer cannot be updated.
        deliver_policy: found.unwrap_or_else(|| consumer::beginning(1)),
        ack_policy: AckPolicy::Explicit,
        ack_wait: config.ack_wait,
        max_ack_pending: i64::from(config.in_flight_max),
        max_deliver: -1,
        ..pull::Config::default()
    };
    consumer::make(context, name, shared)
        .await
        .inspect(|_| tracing::info!(consumer = name, made, "reading events"))
}

fn fault(cause: crate::Cause) -> Fault {
    Fault::unreachable("deliver events of a queue", cause)
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
