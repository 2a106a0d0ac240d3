//! Carries out one operation, from wherever it is.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_domain::Id;
use kantoku_streams::{Fault, Operations, full_jitter, warn_missing};
use tokio::time::sleep;

use super::{
    Api, Caller, each,
    record::{Came, Record},
};
use crate::{ApiError, Code};

/// Records whose outcome is written down at once: what a crash has to be looked at again.
const BATCH: usize = 64;
/// Records that are worked on at once.
const AT_ONCE: usize = 16;
/// How often a record is tried that others change each time.
const TRIES: usize = 5;
/// How long to wait before the next try, at first and at most.
const DELAY_BASE: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// How it came out.
pub(super) enum Ran {
    /// It has ended, and what was kept to carry it out can go.
    Ended,
    /// Another carries it out.
    Lost,
}

/// An operation that this server has the lease of.
pub(super) struct Run {
    api: Arc<Api>,
    caller: Caller,
    record: Record,
    revision: u64,
    /// A chunk of its records, and which.
    chunk: Option<(usize, Vec<Id>)>,
}

/// Goes on with an operation until it has ended. To be dropped when the lease is lost.
pub(super) async fn run(api: &Arc<Api>, id: Id) -> Ran {
    let mut tries = 0;
    let kept = loop {
        match api.bulks.kept.get::<Record>(id).await {
            Ok(kept) => break kept,
            Err(fault) => wait(&mut tries, &fault).await,
        }
    };
    // One that was begun and never kept was never answered, or one that has ended was not closed.
    let Some(kept) = kept.filter(|kept| !kept.value.has_ended()) else { return Ran::Ended };
    let actor = kept.value.bulk().by.as_str().into();
    let caller = Caller { actor, operation: Some(id), ..Caller::default() };
    let (record, revision) = (kept.value, kept.revision);
    let mut run = Run { api: Arc::clone(api), caller, record, revision, chunk: None };
    let mut tries = 0;
    loop {
        let done = run.record.next;
        match run.step().await {
            Ok(Some(ran)) => return ran,
            Ok(None) if run.record.next > done => tries = 0,
            Ok(None) => {}
            Err(error) => wait(&mut tries, &error).await,
        }
    }
}

/// What is away comes back: nothing that is asked for is given up for that.
async fn wait(tries: &mut usize, error: &impl std::fmt::Display) {
    *tries += 1;
    warn_missing("servers", "go on with an operation", error);
    sleep(full_jitter(*tries, DELAY_BASE, DELAY_MAX)).await;
}

impl Run {
    fn id(&self) -> Id {
        self.record.operation.id
    }

    /// The next few records. `None`: there are more. After an error, they are to be tried again.
    async fn step(&mut self) -> Result<Option<Ran>, ApiError> {
        let is_over = self.record.operation.done >= self.record.operation.total;
        if is_over || self.record.bulk().cancelled_by.is_some() {
            self.record.end();
            let is_kept = self.save().await?;
            if is_kept {
                self.tell().await;
            }
            return Ok(Some(if is_kept { Ran::Ended } else { Ran::Lost }));
        }
        let ids = self.next().await?;
        let mut came = Vec::with_capacity(ids.len());
        {
            let this = &*self;
            let work = ids.into_iter().map(|id| async move { (id, this.apply(id).await) });
            let mut work = stream::iter(work).buffered(AT_ONCE);
            while let Some((id, result)) = work.next().await {
                came.push((id, result));
            }
        }
        // What came before the first that has to wait is written down.
        let waits = came.iter().position(|(_, result)| result.is_err());
        let rest = waits.map(|at| came.split_off(at)).unwrap_or_default();
        let settled = came.into_iter().filter_map(|(id, result)| Some((id, result.ok()?)));
        self.record.take(settled.collect());
        if !self.save().await? {
            return Ok(Some(Ran::Lost));
        }
        match rest.into_iter().find_map(|(_, result)| result.err()) {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// The ids of the next few records.
    async fn next(&mut self) -> Result<Vec<Id>, Fault> {
        let (n, at) = (self.record.next / Operations::CHUNK, self.record.next % Operations::CHUNK);
        if self.chunk.as_ref().is_none_or(|(of, _)| *of != n) {
            self.chunk = Some((n, self.api.bulks.kept.records(self.id(), n).await?));
        }
        let chunk = self.chunk.iter().flat_map(|(_, ids)| ids);
        Ok(chunk.skip(at).take(BATCH).copied().collect())
    }

    /// What came of a record. An error: something is away, and it is to be tried again.
    async fn apply(&self, id: Id) -> Result<Came, ApiError> {
        let mut tries = 0;
        loop {
            let bulk = self.record.bulk();
            let applied = Box::pin(each::apply(&self.api, &self.caller, self.id(), bulk, id));
            match applied.await {
                Ok(came) => return Ok(came),
                Err(error) if is_away(&error) => return Err(error),
                Err(error) if error.data.retryable && tries < TRIES => {
                    tries += 1;
                    sleep(full_jitter(tries, DELAY_BASE, DELAY_MAX)).await;
                }
                Err(error) => return Ok(Came::Refused(error)),
            }
        }
    }

    /// Writes down how far it is, and learns whether it is to stop. False: another carries it out.
    async fn save(&mut self) -> Result<bool, Fault> {
        let (id, kept) = (self.id(), &self.api.bulks.kept);
        loop {
            if let Some(revision) = kept.update(id, &self.record, self.revision).await? {
                self.revision = revision;
                return Ok(true);
            }
            let Some(found) = kept.get::<Record>(id).await? else { return Ok(false) };
            let (theirs, revision) = (found.value, found.revision);
            if theirs.has_ended() || theirs.next > self.record.next {
                return Ok(false);
            }
            self.record.bulk_mut().cancelled_by.clone_from(&theirs.bulk().cancelled_by);
            if self.record.has_ended() {
                self.record.end();
            }
            self.revision = revision;
        }
    }

    async fn tell(&self) {
        let (operation, bulk) = (&self.record.operation, self.record.bulk());
        let how = format!("{:?}", operation.status).to_lowercase();
        tracing::info!(
            operation = %operation.id, kind = operation.kind, how,
            changed = bulk.changed, refused = bulk.refused, "an operation has ended"
        );
        self.api.access.note_end(operation.id, &bulk.by, &bulk.namespace, &how).await;
    }
}

/// Whether a server is away: it does not concern this record alone.
fn is_away(error: &ApiError) -> bool {
    matches!(error.code, Code::Unavailable | Code::UnknownOutcome | Code::PositionNotReached)
}
