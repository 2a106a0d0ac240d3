//! The tables made anew from the whole stream, beside the live ones: to compare them, or to put
//! them in their place. The live projector goes on meanwhile.

mod history;
mod only;
mod side;
mod swap;

use std::collections::BTreeMap;

use kantoku_domain::Timestamp;

use self::{only::Only, side::Side};
use crate::{Database, Error};

pub use history::History;

/// Live tables compared with tables made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The position that both were as of.
    pub as_of_seq: u64,
    /// By table, whether all rows are equal.
    pub equal: BTreeMap<String, bool>,
}

/// What makes the tables of one schema anew. One at a time, over all processes.
pub struct Rebuild<'a> {
    live: &'a Database,
    stream_created: Timestamp,
    history: &'a dyn History,
    progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

impl<'a> Rebuild<'a> {
    /// For the schema of `live`, from `history`: all events of the stream that was created at
    /// `stream_created`. `progress` is told the position reached, and the one to reach.
    pub fn new(
        live: &'a Database,
        stream_created: Timestamp,
        history: &'a dyn History,
        progress: &'a (dyn Fn(u64, u64) + Send + Sync),
    ) -> Self {
        Self { live, stream_created, history, progress }
    }

    /// Makes the tables anew as of the position at which the live ones are now, compares, and
    /// leaves nothing behind.
    pub async fn verify(&self) -> Result<Comparison, Error> {
        let only = Only::take(self.live).await?;
        let compared = self.compare().await;
        only.release().await;
        compared
    }

    /// Makes the tables anew and puts them in the place of the live ones. Returns the position
    /// that they are as of, which is never lower than that of the live ones was, unless those came
    /// from another stream.
    pub async fn replace(&self) -> Result<u64, Error> {
        let only = Only::take(self.live).await?;
        let replaced = self.make_and_swap().await;
        only.release().await;
        replaced
    }

    /// Drops what a killed process left behind. Does nothing while another process is at it.
    pub async fn sweep(live: &Database) -> Result<(), Error> {
        let only = match Only::take(live).await {
            Err(Error::Busy { .. }) => return Ok(()),
            only => only?,
        };
        for purpose in side::PURPOSES {
            live.drop_beside(&side::schema(live, purpose)).await?;
        }
        only.release().await;
        Ok(())
    }

    async fn compare(&self) -> Result<Comparison, Error> {
        let (checkpoint, live) = self.live.digests().await?;
        checkpoint.check_stream(self.stream_created)?;
        let side = Side::open(self, side::VERIFY, checkpoint.stream_seq).await?;
        let made = side.digests_at(checkpoint.stream_seq).await;
        side.remove().await;
        let (reached, made) = made?;
        if reached.stream_seq != checkpoint.stream_seq {
            checkpoint.check_event(None)?;
        }
        let equal = |table: &String| (table.clone(), live.get(table) == made.get(table));
        let equal = live.keys().chain(made.keys()).map(equal).collect();
        Ok(Comparison { as_of_seq: checkpoint.stream_seq, equal })
    }

    async fn make_and_swap(&self) -> Result<u64, Error> {
        let position = self.live.checkpoint().await?.stream_seq;
        let side = Side::open(self, side::REBUILD, position).await?;
        let swapped = self.fill_and_swap(&side).await;
        side.remove().await;
        swapped
    }

    async fn fill_and_swap(&self, side: &Side<'_>) -> Result<u64, Error> {
        side.catch_up(None).await?;
        side.analyze().await?;
        self.swap(side).await
    }
}
