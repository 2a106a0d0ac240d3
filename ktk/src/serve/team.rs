//! Services that run beside each other and end together.

use std::{collections::BTreeSet, panic::AssertUnwindSafe};

use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ServeError, Service, process};

/// Running services.
#[derive(Default)]
pub(super) struct Team {
    running: JoinSet<Ended>,
    services: BTreeSet<Service>,
    /// Tells them to drain and end.
    pub(super) stop: CancellationToken,
}

/// A service that ended, and what it said if it panicked.
struct Ended {
    service: Service,
    panic: Option<String>,
}

impl Team {
    pub(super) fn spawn(
        &mut self,
        service: Service,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.services.insert(service);
        let work = AssertUnwindSafe(work).catch_unwind();
        self.running.spawn(async move {
            let panic = work.await.err().map(|payload| process::message(&*payload).to_owned());
            Ended { service, panic }
        });
    }

    /// Waits until one ends by itself, which none should. Never, if there are none.
    pub(super) async fn first_end(&mut self) -> ServeError {
        loop {
            match self.running.join_next().await {
                Some(Ok(Ended { service, panic })) => {
                    self.services.remove(&service);
                    let reason = panic.map_or_else(
                        || "it gave no reason".to_owned(),
                        |panic| format!("it panicked: {panic}"),
                    );
                    return ServeError::Ended { service, reason };
                }
                // Nobody aborts them.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Tells all to end and waits until they have.
    pub(super) async fn end(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            let Ok(Ended { service, panic }) = ended else { continue };
            self.services.remove(&service);
            if panic.is_none() {
                tracing::info!(%service, "ended");
            }
        }
    }

    /// Those that have not ended.
    pub(super) fn running(&self) -> impl Iterator<Item = Service> {
        self.services.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_and_the_others_end_when_asked() {
        let mut team = Team::default();
        let stop = team.stop.clone();
        team.spawn(Service::Node, async move { stop.cancelled().await });
        team.spawn(Service::Executor, async { panic!("boom {}", 7) });
        let error = team.first_end().await.to_string();
        assert_eq!(error, "the executor ended although nobody asked it to: it panicked: boom 7");
        assert_eq!(team.running().collect::<Vec<_>>(), [Service::Node]);
        team.end().await;
        assert_eq!(team.running().count(), 0);
    }
}
