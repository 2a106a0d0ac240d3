//! Who leads: of several services that could do the same, at most one acts. A lease in a bucket says
//! who; its entry goes away with its age unless the holder renews it.
//!
//! A holder stops acting before its lease is over: after two thirds of it, counted by a clock that
//! cannot be set, from when it asked for the last renewal. So one that was held up, or cut off from
//! NATS, does not act beside its successor; what it had sent before may still arrive. Who begins to
//! lead takes in all events that there are by then, before it acts: those of its predecessor.

use std::time::Duration;

use async_nats::jetstream::{
    Context,
    kv::{self, CreateErrorKind, Operation, UpdateErrorKind},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{Cause, Fault, subject, warn_missing};

/// How often who does not lead tries to.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Who has a lease, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The persistent id of the service.
    pub service_id: String,
}

/// The bucket of leases.
#[derive(Clone)]
pub(crate) struct Leads {
    bucket: kv::Store,
}

impl Leads {
    async fn open(context: &Context) -> Result<Self, Fault> {
        let bucket = context.get_key_value(subject::LEADS).await;
        let bucket = bucket.map_err(|error| fault("open the bucket of leases", error))?;
        Ok(Self { bucket })
    }

    /// Who has the lease of this name.
    pub(crate) async fn holder(context: &Context, name: &str) -> Result<Option<Holder>, Fault> {
        let entry = Self::open(context).await?.entry(name).await?;
        Ok(entry.and_then(|entry| serde_json::from_slice(&entry.value).ok()))
    }

    async fn entry(&self, name: &str) -> Result<Option<kv::Entry>, Fault> {
        let entry = self.bucket.entry(name).await;
        let entry = entry.map_err(|error| fault("look who leads", error))?;
        Ok(entry.filter(|entry| entry.operation == Operation::Put))
    }

    fn age_max(&self) -> Duration {
        self.bucket.stream.cached_info().config.max_age
    }

    /// Takes the lease, or renews it. `None`: another has it. What this service had before it was
    /// started anew is its own: there is one service of an id.
    async fn take(&self, lease: &Lease, mine: Option<u64>) -> Result<Option<Taken>, Fault> {
        if let Some(revision) = mine
            && let Some(revision) = self.renew(lease, revision).await?
        {
            return Ok(Some(Taken { revision, is_new: false }));
        }
        let revision = match self.entry(lease.name).await? {
            Some(entry) => {
                let holder = serde_json::from_slice::<Holder>(&entry.value).ok();
                if holder.is_none_or(|holder| holder != lease.holder) {
                    return Ok(None);
                }
                self.renew(lease, entry.revision).await?
            }
            None => match self.bucket.create(lease.name, lease.value().into()).await {
                Ok(revision) => Some(revision),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => None,
                Err(error) => return Err(fault("take the lead", error)),
            },
        };
        Ok(revision.map(|revision| Taken { revision, is_new: true }))
    }

    async fn renew(&self, lease: &Lease, revision: u64) -> Result<Option<u64>, Fault> {
        match self.bucket.update(lease.name, lease.value().into(), revision).await {
            Ok(revision) => Ok(Some(revision)),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
            Err(error) => Err(fault("keep the lead", error)),
        }
    }

    async fn give_back(&self, lease: &Lease, revision: u64) -> Result<(), Fault> {
        let purged = self.bucket.purge_expect_revision(lease.name, Some(revision)).await;
        purged.map_err(|error| fault("give the lead back", error))
    }
}

fn fault(what: &str, error: impl Into<Cause>) -> Fault {
    Fault::unreachable(what, error)
}

/// A lease that this service has.
struct Taken {
    /// The position of its entry.
    revision: u64,
    /// Another may have had it meanwhile.
    is_new: bool,
}

/// Which lease, and who wants it.
struct Lease {
    name: &'static str,
    holder: Holder,
}

impl Lease {
    fn value(&self) -> Vec<u8> {
        serde_json::to_vec(&self.holder).unwrap_or_default()
    }
}

/// Wants to lead, and says whether it does. When it is dropped the lease is not given back, but
/// ends.
pub struct Candidate {
    term: watch::Receiver<Option<Term>>,
    stands: CancellationToken,
    stop: CancellationToken,
    keeper: AbortOnDropHandle<()>,
}

/// A time for which a service leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Tells it from all others.
    pub id: u64,
    /// The last event before it: to be known before anything is done.
    pub head: u64,
    until: Instant,
}

/// Says whether a [`Candidate`] leads. Cheap to clone.
#[derive(Clone)]
pub struct Leading {
    term: watch::Receiver<Option<Term>>,
}

impl Leading {
    /// The term in which it leads, if it may act now.
    pub fn term(&self) -> Option<Term> {
        self.term.borrow().filter(|term| Instant::now() < term.until)
    }
}

impl Candidate {
    /// Will want the lease `name` for `service_id`.
    pub(crate) fn new(context: Context, name: &'static str, service_id: &str) -> Self {
        let (says, term) = watch::channel(None);
        let (stands, stop) = (CancellationToken::new(), CancellationToken::new());
        let lease = Lease { name, holder: Holder { service_id: service_id.to_owned() } };
        let keeper = {
            let (stands, stop) = (stands.clone(), stop.clone());
            async move {
                if stop.run_until_cancelled(stands.cancelled()).await.is_some() {
                    keep(context, lease, says, stop).await;
                }
            }
        };
        Self { term, stands, stop, keeper: AbortOnDropHandle::new(tokio::spawn(keeper)) }
    }

    /// Wants to lead from now on, as it is able to.
    pub fn stand(&self) {
        self.stands.cancel();
    }

    /// For others who have to know.
    pub fn leading(&self) -> Leading {
        Leading { term: self.term.clone() }
    }

    /// Returns when something has changed, be it only until when it leads.
    pub async fn changed(&mut self) {
        if self.term.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Acts no more, and gives the lease back if it has it, so that another need not wait for its
    /// end. To be called when nothing is under way any more.
    pub async fn give_back(self) {
        self.stop.cancel();
        self.keeper.await.ok();
    }
}

async fn keep(
    context: Context,
    lease: Lease,
    says: watch::Sender<Option<Term>>,
    stop: CancellationToken,
) {
    let (mut leads, mut mine, mut begun) = (None, None, None);
    while !stop.is_cancelled() {
        let asked = Instant::now();
        let wait = match once(&context, &lease, &mut leads, mine, begun).await {
            Ok((age_max, Some((revision, beginning)))) => {
                if begun.replace(beginning).is_none() {
                    tracing::info!(lead = lease.name, "this service leads");
                }
                mine = Some(revision);
                let Beginning { id, head } = beginning;
                says.send_replace(Some(Term { id, head, until: asked + age_max * 2 / 3 }));
                age_max / 3
            }
            Ok((_, None)) => {
                if begun.take().is_some() {
                    tracing::warn!(lead = lease.name, "another service leads now");
                }
                mine = None;
                says.send_replace(None);
                TRY_EVERY
            }
            // Whether it was renewed is unknown: it holds for as long as the last time said.
            Err(fault) => {
                warn_missing("nats", "keep or take the lead", &fault);
                TRY_EVERY
            }
        };
        stop.run_until_cancelled(sleep(wait)).await;
    }
    says.send_replace(None);
    if let (Some(leads), Some(revision)) = (leads, mine)
        && let Err(fault) = leads.give_back(&lease, revision).await
    {
        tracing::debug!(%fault, "the lead was not given back, and ends by itself");
    }
}

/// How a term begins.
#[derive(Clone, Copy)]
struct Beginning {
    id: u64,
    head: u64,
}

/// Asks once: how long a lease lasts, and if it is this service's the position of its entry, and how
/// the term began. It is a new one where another may have led since the last time.
async fn once(
    context: &Context,
    lease: &Lease,
    leads: &mut Option<Leads>,
    mine: Option<u64>,
    begun: Option<Beginning>,
) -> Result<(Duration, Option<(u64, Beginning)>), Fault> {
    let opened = match leads {
        Some(leads) => leads,
        none => none.insert(Leads::open(context).await?),
    };
    let age_max = opened.age_max();
    let ask = async {
        let Some(taken) = opened.take(lease, mine).await? else {
            return Ok::<_, Fault>(None);
        };
        let beginning = match begun.filter(|_| !taken.is_new) {
            Some(beginning) => beginning,
            None => Beginning { id: taken.revision, head: head(context).await? },
        };
        Ok(Some((taken.revision, beginning)))
    };
    let late = |late| fault("keep or take the lead in time", late);
    Ok((age_max, timeout(age_max / 3, ask).await.map_err(late)??))
}

/// The last position of the stream of events, as its leader has it.
async fn head(context: &Context) -> Result<u64, Fault> {
    let what = "look where the stream of events ends";
    let stream = context.get_stream(subject::EVENTS).await;
    let stream = stream.map_err(|error| fault(what, error))?;
    Ok(stream.cached_info().state.last_sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, setup, testing::Server};

    const AGE: Duration = Duration::from_secs(2);
    const DEADLINE: Duration = Duration::from_secs(20);

    async fn led(candidate: &mut Candidate) -> Term {
        let leading = candidate.leading();
        let leads = async {
            loop {
                if let Some(term) = leading.term() {
                    return term;
                }
                candidate.changed().await;
            }
        };
        timeout(DEADLINE, leads).await.expect("it never leads")
    }

    async fn ready(server: &Server) -> Context {
        let (client, context) = server.connect().await;
        let settings = Settings { lead_age_max: AGE, ..Settings::default() };
        setup(&client, &context, &settings).await.expect("set up");
        context
    }

    fn candidate(context: &Context, service_id: &str) -> Candidate {
        let candidate = Candidate::new(context.clone(), subject::SCHEDULER, service_id);
        candidate.stand();
        candidate
    }

    #[tokio::test]
    async fn one_leads_and_hands_over_at_once() {
        let Some(server) = Server::start().await else { return };
        let context = ready(&server).await;
        let mut one = candidate(&context, "one");
        let first = led(&mut one).await;
        let mut two = candidate(&context, "two");
        // For longer than a lease lasts without being renewed.
        let until = Instant::now() + 2 * AGE;
        while Instant::now() < until {
            assert_eq!(one.leading().term().map(|term| term.id), Some(first.id));
            assert_eq!(two.leading().term(), None);
            sleep(Duration::from_millis(20)).await;
        }
        let holder = Leads::holder(&context, subject::SCHEDULER).await.expect("answered");
        assert_eq!(holder.map(|holder| holder.service_id).as_deref(), Some("one"));
        let leading = one.leading();
        one.give_back().await;
        assert_eq!(leading.term(), None);
        let given = Instant::now();
        assert_ne!(led(&mut two).await.id, first.id);
        assert!(given.elapsed() < AGE, "{:?}: it waited for the end of the lease", given.elapsed());
    }

    #[tokio::test]
    async fn who_falls_silent_leads_no_more_before_another_does() {
        let Some(server) = Server::start().await else { return };
        let context = ready(&server).await;
        let mut one = candidate(&context, "one");
        led(&mut one).await;
        let leading = one.leading();
        let mut two = candidate(&context, "two");
        // As a process that is killed.
        drop(one);
        let others = two.leading();
        let handed_over = async {
            while others.term().is_none() {
                let led = leading.term().is_some();
                assert!(!(led && others.term().is_some()), "both lead");
                two.changed().await;
            }
        };
        timeout(DEADLINE, handed_over).await.expect("it takes over");
        assert_eq!(leading.term(), None);
    }

    #[tokio::test]
    async fn what_a_service_had_is_its_own_when_it_is_started_anew() {
        let Some(server) = Server::start().await else { return };
        let context = ready(&server).await;
        let mut before = candidate(&context, "one");
        let first = led(&mut before).await;
        drop(before);
        let start = Instant::now();
        let mut after = candidate(&context, "one");
        assert_ne!(led(&mut after).await.id, first.id, "another term, with another head");
        assert!(start.elapsed() < AGE, "{:?}: it waited for itself", start.elapsed());
    }

    #[tokio::test]
    async fn who_does_not_stand_leads_nothing() {
        let Some(server) = Server::start().await else { return };
        let context = ready(&server).await;
        let idle = Candidate::new(context.clone(), subject::SCHEDULER, "idle");
        let mut other = candidate(&context, "other");
        led(&mut other).await;
        assert_eq!(idle.leading().term(), None);
        timeout(DEADLINE, idle.give_back()).await.expect("at once");
    }
}
