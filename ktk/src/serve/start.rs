//! Starting the services.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use kantoku_api::server::{Api, ApiConfig, first_key, router};
use kantoku_domain::Timestamp;
use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_handlers::{HandlerName, Node, NodeConfig, project, seal};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_projections::{Database, Projector};
use kantoku_service::{Health, Ready, announce, entry, wait_for};
use kantoku_streams::{Bus, Load, Redial, SecretKeys, warn_missing};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Config, ServeError, Service, connect::Connected, crew::Crew, edge::Edge, member::Member,
    team::Team,
};
use crate::cli::{REAPER, SCRIPT_WORKER};

/// What services are made of.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    /// What seals and opens secrets.
    pub(super) secret_keys: Option<SecretKeys>,
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
                (Service::Sealer, _) => self.start_sealer(member, &mut crew),
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
        if let (Some(database), Some(member)) = (&self.connected.database, members.first()) {
            let (health, stop) = (self.health.clone(), crew.presence.stop.clone());
            crew.presence.spawn(member.service, watch_database(database.clone(), health, stop));
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
            secret_keys: self.secret_keys.clone(),
            ..ExecutorConfig::new(&identity.service_id, identity.boot_id, reaper)
        };
        let executor = Executor::new(self.connected.bus.clone(), Arc::clone(&crew.scripts), config);
        crew.front.spawn(member.service, executor.clone().run(crew.front.stop.clone()));
        self.tell(member, move || executor.load(), crew);
    }

    fn start_projector(&self, member: &Member, database: &Database, crew: &mut Crew) {
        let work = run_projector(
            self.connected.bus.clone(),
            database.clone(),
            self.connected.created,
            member.identity.service_id.clone(),
            self.health.clone(),
            crew.back.stop.clone(),
        );
        crew.back.spawn(member.service, work);
        self.tell(member, Load::default, crew);
    }

    fn start_sealer(&self, member: &Member, crew: &mut Crew) {
        let (bus, health) = (self.connected.bus.clone(), self.health.clone());
        let stop = crew.back.stop.clone();
        crew.back.spawn(member.service, async move { seal(&bus, &health, &stop).await });
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
            access: self.config.access,
            secret_keys: self.secret_keys.clone(),
            scripts: Some(Arc::clone(&crew.scripts)),
            ..ApiConfig::new(&member.identity.service_id)
        };
        if let Some(path) = &self.config.first_key {
            write_first_key(&self.connected.bus, path).await?;
        }
        let mut pace = Redial::default();
        let api = loop {
            let bus = self.connected.bus.clone();
            let start = Box::pin(Api::start(bus, database.clone(), config.clone()));
            match self.stop.run_until_cancelled(start).await {
                // They were there a moment ago, and are waited for as they were before.
                Some(Err(error)) if error.may_pass() => {
                    warn_missing("servers", "start the API", &error);
                    self.stop.run_until_cancelled(sleep(pace.next_wait())).await;
                }
                Some(started) => break started?,
                // The edge is about to end.
                None => return Ok(()),
            }
        };
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

/// Makes the first key, if there is none. The file is made first: a key that could not be written down
/// would be nobody's.
async fn write_first_key(bus: &Bus, path: &Path) -> Result<(), ServeError> {
    let failed = |source| ServeError::FirstKey { path: path.to_owned(), source };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match made {
        // It was made at an earlier start.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(failed)?,
    };
    let key = first_key(bus).await.map_err(|fault| failed(io::Error::other(fault)))?;
    let Some(key) = key else {
        tracing::info!("there are keys already: --first-key makes none");
        return fs::remove_file(path).map_err(failed);
    };
    writeln!(file, "{key}").and_then(|()| file.sync_all()).map_err(failed)?;
    tracing::info!(path = %path.display(), "a first key was made, for an admin");
    Ok(())
}

fn handler(name: &str) -> Option<HandlerName> {
    HandlerName::ALL.into_iter().find(|handler| handler.name() == name)
}

/// How often it is looked whether Postgres answers, and how long that may take.
const DATABASE_EVERY: Duration = Duration::from_secs(2);
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps the readiness of this process to whether Postgres answers.
async fn watch_database(database: Database, health: Health, stop: CancellationToken) {
    let mut said = None;
    loop {
        let missing = match timeout(DATABASE_TIMEOUT, database.checkpoint()).await {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some(format!("no answer within {DATABASE_TIMEOUT:?}")),
        };
        if said.as_ref() != Some(&missing) {
            health.report("postgres", missing.clone().map_or(Ready::Yes, Ready::No));
            said = Some(missing);
        }
        if stop.run_until_cancelled(sleep(DATABASE_EVERY)).await.is_none() {
            return;
        }
    }
}

/// How often a projector that has halted looks whether it can go on.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A read model that does not match the stream is left as it is: the tasks go on without it, until
/// somebody has looked and made it anew.
async fn run_projector(
    bus: Bus,
    database: Database,
    created: Timestamp,
    service_id: String,
    health: Health,
    stop: CancellationToken,
) {
    let part = Service::Projector.name();
    let mut created = created;
    let mut told = None;
    while !stop.is_cancelled() {
        let projector = Projector::new(database.clone(), created);
        let mut run = pin!(project(&bus, &projector, &service_id, &stop));
        let done = tokio::select! {
            done = &mut run => done,
            // It has got beyond what it stumbled over.
            () = sleep(LOOK_AGAIN), if told.is_some() => {
                health.report(part, Ready::Yes);
                told = None;
                run.await
            }
        };
        let Err(error) = done else { return };
        let reason = error.to_string();
        health.report(part, Ready::No(reason.clone()));
        if told.as_ref() != Some(&reason) {
            tracing::error!(%error, "the projector has halted");
            told = Some(reason);
        }
        tokio::select! {
            () = sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => return,
        }
        // The stream may be another by now.
        created = bus.created().await.unwrap_or(created);
    }
}
