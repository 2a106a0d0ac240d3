//! Starting the services.

use std::sync::Arc;

use kantoku_api::server::{Api, ApiConfig, router};
use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_handlers::{HandlerName, Node, NodeConfig, project};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_projections::{Database, Projector};
use kantoku_service::{Health, Ready, announce, entry, wait_for};
use kantoku_streams::{Bus, Load};
use tokio_util::sync::CancellationToken;

use super::{
    Config, ServeError, Service, connect::Connected, crew::Crew, edge::Edge, member::Member,
    team::Team,
};
use crate::cli::{REAPER, SCRIPT_WORKER};

/// What services are made of.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) connected: &'a Connected,
    pub(super) health: &'a Health,
    pub(super) edge: &'a Edge,
    /// Ends a start that takes long.
    pub(super) stop: &'a CancellationToken,
}

impl Ground<'_> {
    /// Starts all of them.
    pub(super) async fn start(&self, members: &[Member]) -> Result<Crew, ServeError> {
        let mut crew = Crew {
            front: Team::default(),
            back: Team::default(),
            presence: Team::default(),
            scripts: Arc::new(Pool::new(PoolConfig::this_program([SCRIPT_WORKER]))),
            database: self.connected.database.clone(),
        };
        for member in members {
            match (member.service, &self.connected.database) {
                (Service::Node, _) => self.start_node(member, &mut crew).await,
                (Service::Executor, _) => self.start_executor(member, &mut crew),
                (Service::Projector, Some(database)) => {
                    self.start_projector(member, database, &mut crew);
                }
                (Service::Api, Some(database)) => {
                    self.start_api(member, database, &mut crew).await?;
                }
                // The database was opened if one of these is to run.
                (Service::Projector | Service::Api, None) => {}
            }
        }
        Ok(crew)
    }

    async fn start_node(&self, member: &Member, crew: &mut Crew) {
        let config = NodeConfig {
            handlers: self.config.handlers().filter_map(handler).collect(),
            lease: self.config.lease,
            health: self.health.clone(),
            ..NodeConfig::new(&member.identity.service_id)
        };
        let bus = &self.connected.bus;
        let open = async || Node::open(bus, config.clone()).await;
        // It is stopped if there is none.
        if let Some(node) = wait_for("node", self.stop, open).await {
            crew.back.spawn(member.service, node.run(crew.back.stop.clone()));
            self.tell(member, Load::default, crew);
        }
    }

    fn start_executor(&self, member: &Member, crew: &mut Crew) {
        let identity = &member.identity;
        let reaper = ReaperConfig::this_program([REAPER]);
        let config = ExecutorConfig {
            queue: self.config.queue.clone(),
            slots: self.config.slots,
            lease: self.config.lease,
            labels: self.config.labels.clone(),
            work_dir: self.config.state_dir.join("work"),
            ..ExecutorConfig::new(&identity.service_id, identity.boot_id, reaper)
        };
        let executor = Executor::new(self.connected.bus.clone(), Arc::clone(&crew.scripts), config);
        crew.front.spawn(member.service, executor.clone().run(crew.front.stop.clone()));
        self.tell(member, move || executor.load(), crew);
    }

    fn start_projector(&self, member: &Member, database: &Database, crew: &mut Crew) {
        let work = run_projector(
            self.connected.bus.clone(),
            Projector::new(database.clone(), self.connected.created),
            member.identity.service_id.clone(),
            self.health.clone(),
            crew.back.stop.clone(),
        );
        crew.back.spawn(member.service, work);
        self.tell(member, Load::default, crew);
    }

    async fn start_api(
        &self,
        member: &Member,
        database: &Database,
        crew: &mut Crew,
    ) -> Result<(), ServeError> {
        let config = ApiConfig {
            hosts: self.config.hosts.clone(),
            origins: self.config.origins.clone(),
            ..ApiConfig::new(&member.identity.service_id)
        };
        let bus = self.connected.bus.clone();
        let api = Api::start(bus, database.clone(), config).await?;
        self.edge.add(router(&api));
        let stop = crew.front.stop.clone();
        crew.front.spawn(member.service, async move {
            stop.cancelled().await;
            api.stop().await;
        });
        self.tell(member, Load::default, crew);
        Ok(())
    }

    /// Tells the others that it is here.
    fn tell(&self, member: &Member, load: impl Fn() -> Load + Send + 'static, crew: &mut Crew) {
        let (bus, health) = (self.connected.bus.clone(), self.health.clone());
        let stop = crew.presence.stop.clone();
        let entry = entry(&member.identity, member.service.name(), member.labels.clone());
        let work = announce(bus, entry, load, health, stop);
        crew.presence.spawn(member.service, work);
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
