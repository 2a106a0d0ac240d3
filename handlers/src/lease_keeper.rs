//! The lease keeper: takes attempts away from executors that have fallen silent.
//!
//! A lease belongs to a service id and a boot id. The heartbeat of that run renews the attempts that
//! it lists. The keeper judges as of the last *echo*, a message that it sends to itself on the
//! connection by which heartbeats come: when that is back, everything before it has been heard. So
//! neither a connection that died unnoticed nor a keeper that stood still makes others look silent.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use kantoku_domain::{
    Event, Id, Namespace, Recorded, Timestamp,
    task::{self, Command, Failure},
};
use kantoku_streams::{
    CancelOrder, Heartbeat, HeartbeatReply, HeldAttempt,
    defect::{self, Defect},
};

use serde::{Deserialize, Serialize};

use crate::{
    Effect, Handler, SavedError, metric,
    overdue::Overdue,
    saved::{self, sorted},
};

/// The longest lease that a heartbeat may ask for.
const LEASE_MAX: Duration = Duration::from_secs(60 * 60);
/// Cancelled attempts whose reason is remembered. Of others it is said that they are lost.
const CANCELLED_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub struct LeaseKeeper {
    #[serde(skip)]
    lease: Duration,
    /// The last event taken in.
    position: u64,
    #[serde(with = "sorted")]
    held: HashMap<Id, Held>,
    /// The tasks that each service holds.
    #[serde(skip)]
    holdings: HashMap<String, BTreeSet<Id>>,
    /// Since when, without interruption, and until when everything was heard.
    #[serde(skip)]
    listening: Option<(Timestamp, Timestamp)>,
    /// Attempts to be taken away.
    #[serde(skip)]
    lost: VecDeque<(Id, u32, Loss)>,
    #[serde(skip)]
    taken: Overdue<(Id, u32, Loss)>,
    #[serde(skip)]
    orders: VecDeque<(String, CancelOrder)>,
    cancelled: Cancelled,
}

/// An attempt that somebody holds.
#[derive(Debug, Serialize, Deserialize)]
struct Held {
    namespace: Namespace,
    context_id: Id,
    /// The claim: its event and its position.
    cause: Id,
    fence: u64,
    attempt: u32,
    node: String,
    boot_id: Id,
    /// When it was last heard of. `None`: since the last echo at most.
    #[serde(skip)]
    renewed: Option<Timestamp>,
    #[serde(skip)]
    lease: Duration,
    #[serde(skip)]
    is_lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// Its holder has not been heard of for this long.
    Silence(Duration),
    /// Its holder was started anew.
    Restart,
}

/// Why attempts were to be stopped, the latest of them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cancelled {
    #[serde(with = "sorted")]
    reasons: HashMap<(Id, u32), String>,
    order: VecDeque<(Id, u32)>,
}

impl LeaseKeeper {
    /// A keeper that waits for `lease` before it takes an attempt away, or longer where the holder
    /// asks for more.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            position: 0,
            held: HashMap::new(),
            holdings: HashMap::new(),
            listening: None,
            lost: VecDeque::new(),
            taken: Overdue::default(),
            orders: VecDeque::new(),
            cancelled: Cancelled::default(),
        }
    }

    /// How many attempts are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes in a heartbeat that is heard at `now`, and says what the service has to know.
    pub fn heard(&mut self, beat: &Heartbeat, now: Timestamp) -> HeartbeatReply {
        if defect::has(Defect::LeaseWithoutBoot) {
            let is_of_service = |held: &&mut Held| held.node == beat.service_id;
            let all = self.held.values_mut().filter(is_of_service);
            all.for_each(|held| held.renewed = Some(now));
            return HeartbeatReply::default();
        }
        self.end_earlier_runs(beat);
        let lease = beat.lease.duration().clamp(self.lease, LEASE_MAX.max(self.lease));
        let mut reply = HeartbeatReply::default();
        for attempt in &beat.attempts {
            match self.held.get_mut(&attempt.task_id) {
                Some(held) if held.is(attempt, beat) => {
                    if held.is_lost {
                        reply.lost.push(*attempt);
                    }
                    held.renewed = Some(now);
                    held.lease = lease;
                }
                _ => match self.cancelled.get(attempt) {
                    Some(order) => reply.cancelled.push(order),
                    None if attempt.fence <= self.position => reply.lost.push(*attempt),
                    // The claim has yet to be read.
                    None => {}
                },
            }
        }
        reply
    }

    /// Takes in that the echo which was sent at `at` is back: judges who was silent until then.
    pub fn echoed(&mut self, at: Timestamp) {
        let since = match self.listening {
            Some((since, until)) if at.since(until) <= self.lease => since,
            // The first, or this process stood still, and nobody knows what was dropped meanwhile.
            _ => at,
        };
        self.listening = Some((since, at));
        for (id, held) in &mut self.held {
            let renewed = *held.renewed.get_or_insert(at);
            if !held.is_lost && at.since(renewed.max(since)) >= held.lease {
                held.is_lost = true;
                self.lost.push_back((*id, held.attempt, Loss::Silence(held.lease)));
            }
        }
    }

    /// Takes in that heartbeats may have been missed: nobody is judged before one more lease time.
    pub fn interrupted(&mut self) {
        self.listening = None;
    }

    /// What other runs of the service had claimed before this one began is over.
    fn end_earlier_runs(&mut self, beat: &Heartbeat) {
        for id in self.holdings.get(&beat.service_id).into_iter().flatten() {
            if let Some(held) = self.held.get_mut(id)
                && held.boot_id != beat.boot_id
                && held.fence <= beat.born
                && !held.is_lost
            {
                held.is_lost = true;
                self.lost.push_back((*id, held.attempt, Loss::Restart));
            }
        }
    }

    fn received(&mut self, recorded: &Recorded, received: &task::Received) {
        let held = Held {
            namespace: recorded.namespace.clone(),
            context_id: recorded.metadata.correlation_id,
            cause: recorded.metadata.event_id,
            fence: recorded.stream_seq,
            attempt: received.attempt,
            node: received.node.clone(),
            boot_id: received.boot_id,
            renewed: None,
            lease: self.lease,
            is_lost: false,
        };
        self.ended(recorded.id);
        self.holdings.entry(held.node.clone()).or_default().insert(recorded.id);
        self.held.insert(recorded.id, held);
    }

    fn ended(&mut self, task_id: Id) -> Option<Held> {
        let held = self.held.remove(&task_id)?;
        if let Some(holdings) = self.holdings.get_mut(&held.node) {
            holdings.remove(&task_id);
            if holdings.is_empty() {
                self.holdings.remove(&held.node);
            }
        }
        Some(held)
    }

    fn stopped(&mut self, task_id: Id, reason: &str) {
        let Some(held) = self.ended(task_id) else { return };
        let order = CancelOrder { task_id, attempt: held.attempt, reason: reason.to_owned() };
        self.cancelled.remember(&order);
        // While history is folded nobody waits for orders.
        if self.listening.is_some() {
            self.orders.push_back((held.node, order));
        }
    }

    fn next_loss(&mut self, now: Timestamp) -> Option<Effect> {
        let (task_id, attempt, loss) = self.lost.pop_front()?;
        let held = self.held.get(&task_id).filter(|held| held.attempt == attempt)?;
        self.taken.taken(now, (task_id, attempt, loss));
        metric::lease_lost(loss.name());
        tracing::warn!(%task_id, attempt, node = held.node, loss = loss.name(), "a lease is lost");
        Some(Effect::Command {
            namespace: held.namespace.clone(),
            task_id,
            context_id: held.context_id,
            cause: held.cause,
            command: Command::Fail { attempt, error: loss.failure(&held.node) },
        })
    }
}

impl Held {
    fn is(&self, attempt: &HeldAttempt, beat: &Heartbeat) -> bool {
        self.attempt == attempt.attempt
            && self.boot_id == beat.boot_id
            && self.node == beat.service_id
    }
}

impl Loss {
    fn name(self) -> &'static str {
        match self {
            Self::Silence(_) => "silence",
            Self::Restart => "restart",
        }
    }

    fn failure(self, node: &str) -> Failure {
        let message = match self {
            Self::Silence(lease) => {
                format!("executor {node} was not heard of for {lease:?} while it had the attempt")
            }
            Self::Restart => format!("executor {node} was started anew while it had the attempt"),
        };
        Failure::new(Failure::LEASE, message, true)
    }
}

impl Cancelled {
    fn remember(&mut self, order: &CancelOrder) {
        let key = (order.task_id, order.attempt);
        if self.reasons.insert(key, order.reason.clone()).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > CANCELLED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.reasons.remove(&oldest);
        }
    }

    fn get(&self, attempt: &HeldAttempt) -> Option<CancelOrder> {
        let (task_id, attempt) = (attempt.task_id, attempt.attempt);
        let reason = self.reasons.get(&(task_id, attempt))?.clone();
        Some(CancelOrder { task_id, attempt, reason })
    }
}

impl Handler for LeaseKeeper {
    fn apply(&mut self, recorded: &Recorded) {
        self.position = self.position.max(recorded.stream_seq);
        match &recorded.event {
            Event::TaskReceived(received) => self.received(recorded, received),
            Event::TaskCancelled(cancelled) => self.stopped(recorded.id, &cancelled.reason),
            Event::TaskRestarted(task::Restarted { successor, reason, .. }) => {
                let reason = format!("the task was restarted as {}: {reason}", successor.id);
                self.stopped(recorded.id, &reason);
            }
            // Not by its attempt, which has to be told.
            Event::TaskFinished(task::Finished { expired: Some(_), error, .. }) => {
                let reason = error.as_ref().map_or("its time is up", |error| &error.message);
                self.stopped(recorded.id, reason);
            }
            Event::TaskAttemptFailed(_) | Event::TaskFinished(_) | Event::TaskSkipped(_) => {
                self.ended(recorded.id);
            }
            _ => {}
        }
    }

    fn due(&mut self, now: Timestamp, max: usize) -> Vec<Effect> {
        // What is over by now is passed over.
        while let Some(lost) = self.taken.next(now) {
            self.lost.push_back(lost);
        }
        let orders = self.orders.len().min(max);
        let order = |(service_id, order)| Effect::Order { service_id, order };
        let mut effects: Vec<_> = self.orders.drain(..orders).map(order).collect();
        while effects.len() < max && !self.lost.is_empty() {
            effects.extend(self.next_loss(now));
        }
        effects
    }

    fn save(&mut self) -> Result<Vec<u8>, SavedError> {
        saved::write(self)
    }

    /// Nobody has been heard yet, as when the history was folded.
    fn restore(&mut self, saved: &[u8]) -> Result<(), SavedError> {
        *self = Self { lease: self.lease, ..saved::read(saved)? };
        for (id, held) in &mut self.held {
            held.lease = self.lease;
            self.holdings.entry(held.node.clone()).or_default().insert(*id);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "lease_keeper_tests.rs"]
mod tests;
