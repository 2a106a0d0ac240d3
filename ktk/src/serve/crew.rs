//! All services of a process, from their start to the end of the last.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kantoku_preprocessors::Pool;
use kantoku_projections::Database;
use tokio_util::sync::CancellationToken;

use super::{ServeError, team::Team};

/// What runs.
pub(super) struct Crew {
    /// Takes in work: it ends first.
    pub(super) front: Team,
    /// Carries on what the front has in hand.
    pub(super) back: Team,
    /// Says who is here until all have ended.
    pub(super) presence: Team,
    pub(super) scripts: Arc<Pool>,
    /// Unless nobody needs it.
    pub(super) database: Option<Database>,
}

impl Crew {
    /// Lets all work until `stop` is cancelled or one ends by itself, then ends the others within
    /// `drain`.
    pub(super) async fn run(
        mut self,
        stop: &CancellationToken,
        drain: Duration,
    ) -> Result<(), ServeError> {
        let done = tokio::select! {
            () = stop.cancelled() => Ok(()),
            error = self.front.first_end() => Err(error),
            error = self.back.first_end() => Err(error),
            error = self.presence.first_end() => Err(error),
        };
        if tokio::time::timeout(drain, self.end()).await.is_ok() {
            return done;
        }
        let services: BTreeSet<_> = self.front.running().chain(self.back.running()).collect();
        done.and(Err(ServeError::Undrained { services, within: drain }))
    }

    async fn end(&mut self) {
        self.front.end().await;
        self.back.end().await;
        self.presence.end().await;
        self.scripts.close().await;
        if let Some(database) = &self.database {
            database.close().await;
        }
    }
}
