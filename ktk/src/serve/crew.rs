//! All services of a process, from their start to the end of the last.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kantoku_api::server::{Api, ApiConfig, router};
use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_handlers::{HandlerName, Node, NodeConfig, project};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_projections::{Database, Projector};
use kantoku_service::{Health, Ready, wait_for};
use kantoku_streams::Bus;
use tokio_util::sync::CancellationToken;

use super::{
    Config, ServeError, Service, connect::Connected, edge::Edge, member::Member, team::Team,
};
use crate::cli::{REAPER, SCRIPT_WORKER};

/// What runs. At the end the front goes first: while it answers and reports what it has in hand, the
/// back still carries that on.
pub(super) struct Crew {
    front: Team,
    back: Team,
    scripts: Arc<Pool>,
    database: Option<Database>,
}

impl Crew {
    /// Starts everything that `config` asks for.
    pub(super) async fn start(
        config: &Config,
        members: &[Member],
        connected: Connected,
        health: &Health,
        edge: &Edge,
        stop: &CancellationToken,
    ) -> Result<Self, ServeError> {
        let Connected { bus, created, database } = connected;
        let scripts = Arc::new(Pool::new(PoolConfig::this_program([SCRIPT_WORKER])));
        let mut crew = Self { front: Team::default(), back: Team::default(), scripts, database };
        for member in members {
            let bus = bus.clone();
            let service_id = member.identity.service_id.clone();
            let health = health.clone();
            let database = crew.database.clone();
            match (member.service, database) {
                (Service::Node, _) => {
                    let config = NodeConfig {
                        handlers: config.handlers().filter_map(handler).collect(),
                        health,
                        ..NodeConfig::new(service_id)
                    };
                    let open = async || Node::open(&bus, config.clone()).await;
                    if let Some(node) = wait_for("node", stop, open).await {
                        crew.back.spawn(member.service, node.run(crew.back.stop.clone()));
                    }
                }
                (Service::Projector, Some(database)) => {
                    let projector = Projector::new(database, created);
                    let work =
                        run_projector(bus, projector, service_id, health, crew.back.stop.clone());
                    crew.back.spawn(member.service, work);
                }
                (Service::Executor, _) => {
                    let executor =
                        Executor::new(bus, Arc::clone(&crew.scripts), executor(config, member));
                    crew.front.spawn(member.service, executor.run(crew.front.stop.clone()));
                }
                (Service::Api, Some(database)) => {
                    let api_config = ApiConfig {
                        hosts: config.hosts.clone(),
                        origins: config.origins.clone(),
                        ..ApiConfig::new(service_id)
                    };
                    let api = Api::start(bus, database, api_config).await?;
                    edge.add(router(&api));
                    let stop = crew.front.stop.clone();
                    crew.front.spawn(member.service, async move {
                        stop.cancelled().await;
                        api.stop().await;
                    });
                }
                // The database was asked for and opened if one of these is to run.
                (Service::Projector | Service::Api, None) => {}
            }
        }
        Ok(crew)
    }

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
        };
        let end = async {
            self.front.end().await;
            self.back.end().await;
            self.scripts.close().await;
            if let Some(database) = &self.database {
                database.close().await;
            }
        };
        match tokio::time::timeout(drain, end).await {
            Ok(()) => done,
            Err(_) => {
                let services: BTreeSet<_> =
                    self.front.running().chain(self.back.running()).collect();
                done.and(Err(ServeError::Undrained { services, within: drain }))
            }
        }
    }
}

fn handler(name: &str) -> Option<HandlerName> {
    HandlerName::ALL.into_iter().find(|handler| handler.name() == name)
}

/// A read model that does not match the stream is left as it is: the tasks go on without it, and
/// somebody has to look.
async fn run_projector(
    bus: Bus,
    projector: Projector,
    service_id: String,
    health: Health,
    stop: CancellationToken,
) {
    if let Err(error) = project(&bus, &projector, &service_id, &stop).await {
        tracing::error!(%error, "the projector has halted");
        health.report(Service::Projector.name(), Ready::No(error.to_string()));
        stop.cancelled().await;
    }
}

fn executor(config: &Config, member: &Member) -> ExecutorConfig {
    let reaper = ReaperConfig::this_program([REAPER]);
    let identity = &member.identity;
    ExecutorConfig {
        queue: config.queue.clone(),
        slots: config.slots,
        labels: config.labels.clone(),
        work_dir: config.state_dir.join("work"),
        ..ExecutorConfig::new(&identity.service_id, identity.boot_id, reaper)
    }
}
