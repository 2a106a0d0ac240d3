//! A private nats-server with the processors on it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use kantoku_domain::{
    Aggregate, Context, Envelope, Id, Kind, Name, NamedType, Namespace, Partition, Pipeline,
    Policy, Specification, Type, context, manifest::Manifest, pipeline, plan, policy,
    specification, typename,
};
use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_handlers::{Node, NodeConfig, project};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_projections::{Database, Projector};
use kantoku_streams::{Bus, Settings};
use ktk::{
    cli::{REAPER, SCRIPT_WORKER},
    dev::{Servers, ServersConfig, Source},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Stand {
    dir: PathBuf,
    servers: Servers,
    pub(crate) bus: Bus,
    scripts: Arc<Pool>,
    specifications: plan::Specifications,
    pipelines: BTreeMap<String, pipeline::Applied>,
    types: BTreeMap<Name, Type>,
}

/// A running processor. Dropped without `stop`, it is torn down in the middle of what it does.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(run(stop.clone())), stop }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.expect("drained").expect("no panic");
    }

    /// The future is dropped wherever it is, as a crash would have it.
    pub(crate) fn crash(self) {
        self.task.abort();
    }
}

/// The `ktk` binary of the same build.
pub(crate) fn ktk() -> PathBuf {
    let test = std::env::current_exe().expect("a test runs");
    let path = test.ancestors().nth(2).expect("target directory").join("ktk");
    assert!(path.exists(), "{} is missing: build it first, or run `make test`", path.display());
    path
}

pub(crate) fn envelope(aggregate_id: Id, correlation_id: Id) -> Envelope {
    Envelope {
        aggregate_id,
        command_id: Id::from_uuid(Uuid::new_v4()),
        at: time::OffsetDateTime::now_utc().into(),
        actor: "tester".into(),
        service_id: "test".into(),
        causation_id: None,
        correlation_id,
    }
}

impl Stand {
    /// With NATS alone.
    pub(crate) async fn start() -> Self {
        Self::with(Source::Off).await
    }

    /// With NATS and Postgres.
    pub(crate) async fn with_postgres() -> Self {
        Self::with(Source::Private).await
    }

    async fn with(postgres: Source) -> Self {
        let dir = std::env::temp_dir().join(format!("ktk-stand-{}", Uuid::new_v4()));
        let mut config = ServersConfig::new(&dir).expect("a state directory");
        config.launcher = ktk();
        config.postgres = postgres;
        let servers = Servers::start(&config).await.expect("nats-server starts");
        let url = servers.nats_url().expect("it has an address").to_owned();
        let bus = Bus::open(&url, "test", DEADLINE, &Settings::default()).await.expect("set up");
        let scripts = Arc::new(Pool::new(PoolConfig::new(ktk(), [SCRIPT_WORKER])));
        let (specifications, pipelines, types) = Default::default();
        Self { dir, servers, bus, scripts, specifications, pipelines, types }
    }

    pub(crate) async fn stop(self) {
        self.scripts.close().await;
        self.servers.stop().await.expect("stopped");
        std::fs::remove_dir_all(&self.dir).expect("removed");
    }

    pub(crate) fn nats_url(&self) -> &str {
        self.servers.nats_url().expect("it has an address")
    }

    /// A connection with a ledger of its own, as another process would have it.
    pub(crate) async fn another_bus(&self) -> Bus {
        let settings = Settings::default();
        Bus::open(self.nats_url(), "other", DEADLINE, &settings).await.expect("opened")
    }

    pub(crate) async fn node(&self, service_id: &str) -> Running {
        let config = NodeConfig::new(service_id);
        let node = Node::open(&self.bus, config).await.expect("the stream answers");
        Running::start(|stop| node.run(stop))
    }

    pub(crate) async fn database(&self, schema: &str) -> Database {
        Database::open(self.database_url(), schema, 4).await.expect("opened")
    }

    pub(crate) fn database_url(&self) -> &str {
        self.servers.database_url().expect("a stand with Postgres")
    }

    pub(crate) async fn projector(&self, schema: &str) -> Running {
        let created = self.bus.created().await.expect("the stream answers");
        let projector = Projector::new(self.database(schema).await, created);
        let (bus, service_id) = (self.bus.clone(), schema.to_owned());
        Running::start(async move |stop: CancellationToken| {
            project(&bus, &projector, &service_id, &stop).await.expect("the stream matches");
        })
    }

    pub(crate) fn executor(&self, service_id: &str) -> Running {
        let reaper = ReaperConfig::new(ktk(), [REAPER]);
        let config =
            ExecutorConfig { slots: 8, ..ExecutorConfig::new(service_id, Uuid::new_v4(), reaper) };
        let executor = Executor::new(self.bus.clone(), Arc::clone(&self.scripts), config);
        Running::start(|stop| executor.run(stop))
    }

    /// Applies a manifest, as the API will.
    pub(crate) async fn apply(&mut self, kind: &str, name: &str, spec: Value) {
        let document = json!({
            "apiVersion": "kantoku/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        self.apply_document(&document).await;
    }

    /// The same for a whole document. It refers to what was applied before.
    pub(crate) async fn apply_document(&mut self, document: &Value) {
        let namespace = Namespace::default();
        let ledger = self.bus.ledger();
        match Manifest::read(document).expect("a sound manifest") {
            Manifest::Specification(name, mut definition) => {
                let known = |name: &Name| self.types.get(name).cloned();
                for type_ in definition.inputs.values_mut().chain(definition.outputs.values_mut()) {
                    *type_ = type_.resolve(&known).expect("a known type");
                }
                let id = Id::named(&namespace, Kind::Specification, name.as_str());
                let command =
                    specification::Command::Apply { name: name.clone(), source: None, definition };
                let envelope = envelope(id, id);
                ledger
                    .execute::<Specification>(&namespace, &command, &envelope)
                    .await
                    .expect("applied");
                let loaded = ledger.load::<Specification>(&namespace, id).await.expect("there");
                let latest = loaded.state.latest().expect("a version").clone();
                self.specifications.insert(name, latest);
            }
            Manifest::Pipeline(name, definition) => {
                assert_eq!(plan::validate(&definition, &self.specifications), []);
                let id = Id::named(&namespace, Kind::Pipeline, name.as_str());
                let command = pipeline::Command::Apply { name: name.clone(), definition };
                let envelope = envelope(id, id);
                ledger.execute::<Pipeline>(&namespace, &command, &envelope).await.expect("applied");
                let loaded = ledger.load::<Pipeline>(&namespace, id).await.expect("there");
                self.pipelines.insert(name.to_string(), loaded.state.latest.expect("a version"));
            }
            Manifest::Type(name, description, definition) => {
                let id = Id::named(&namespace, Kind::Type, name.as_str());
                self.types.insert(name.clone(), definition.clone());
                let command = typename::Command::Apply { name, description, definition };
                let envelope = envelope(id, id);
                let applied = ledger.execute::<NamedType>(&namespace, &command, &envelope).await;
                applied.expect("applied");
            }
            Manifest::Policy(name, definition) => {
                let id = Id::named(&namespace, Kind::Policy, name.as_str());
                let command = policy::Command::Apply { name, definition };
                self.execute::<Policy>(&command, id).await;
            }
        }
    }

    /// Applies pipeline `tree`: `steps` no-ops, each but the first reading from an earlier one that
    /// has up to `fan` readers.
    pub(crate) async fn apply_tree(&mut self, steps: usize, fan: usize) {
        let specification = json!({
            "inputs": {"x": {"optional": "unknown"}}, "outputs": {"x": "unknown"},
            "executable": {"type": "noop"},
        });
        self.apply("Specification", "pass", specification).await;
        let step = |n: usize| match n {
            0 => json!({"use": "pass", "with": {"x": 1}}),
            _ => json!({"use": "pass", "with": {"x": format!("$s{}.x", (n - 1) / fan)}}),
        };
        let tasks: serde_json::Map<_, _> = (0..steps).map(|n| (format!("s{n}"), step(n))).collect();
        self.apply("Pipeline", "tree", json!({"tasks": tasks})).await;
    }

    /// Starts a pipeline; its plan.
    pub(crate) async fn open(&self, pipeline: &str, params: Value) -> (Id, context::Opened) {
        let context_id = Id::from_uuid(Uuid::new_v4()).in_partition(Partition::of(7));
        let params = serde_json::from_value(params).expect("a map");
        let opened = plan::plan(
            &self.pipelines[pipeline],
            &self.specifications,
            &params,
            &BTreeMap::new(),
            context_id,
        )
        .expect("a sound run");
        let command = context::Command::Open(Box::new(opened.clone()));
        self.execute::<Context>(&command, context_id).await;
        (context_id, opened)
    }

    pub(crate) async fn execute<A: Aggregate>(&self, command: &A::Command, id: Id) {
        let envelope = envelope(id, id);
        let namespace = Namespace::default();
        self.bus.ledger().execute::<A>(&namespace, command, &envelope).await.expect("accepted");
    }
}
