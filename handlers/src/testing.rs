//! For tests: tasks of one context in a ledger, of memory or of a real nats-server.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kantoku_domain::{
    Binding, Context, Envelope, Event, Id, Kind, Namespace, Partition, Recorded, RetryPolicy,
    Source, Specification, Task, Timeouts, Timestamp, Type, context,
    dependency::Cause,
    restart::{Graph, Node, Order, OutputPolicy, Request, Target, VersionPolicy, plan},
    specification,
    task::{Command, Failure, Output, Received, Restart, Skipped, Spawned},
};
use kantoku_streams::{
    Blobs, Bus, ExecuteError, Ledger, Loaded, Memory, Outcome, Settings, Store, now,
};
use tokio::process::{Child, Command as Process};

use crate::{Handler, HandlerName, LeaseKeeper, hands::Signer};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn id(key: &str) -> Id {
    Id::default().derive(key, Partition::of(1))
}

pub(crate) fn output(task: &str) -> Id {
    id(task).derive("out", Partition::of(1))
}

/// The tasks of a scene in which some have failed.
pub(crate) const TASKS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Tasks of context `cx` in the default namespace.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) ledger: Ledger,
    specification: specification::Applied,
}

impl Scene {
    /// In memory.
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(Memory::default())).await
    }

    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        Self::of(ledger(store)).await
    }

    /// The same in a ledger of its own, over what lies below the store of this one.
    pub(crate) fn below(&self, store: Arc<dyn Store>) -> Self {
        self.with(ledger(store))
    }

    /// The same in another ledger.
    pub(crate) fn with(&self, ledger: Ledger) -> Self {
        Self { ledger, specification: self.specification.clone() }
    }

    pub(crate) async fn of(ledger: Ledger) -> Self {
        let specification = apply(&ledger, 1).await;
        Self { ledger, specification }
    }

    /// The specification of all tasks has a second version.
    pub(crate) async fn apply_second_version(&mut self) {
        self.specification = apply(&self.ledger, 2).await;
    }

    pub(crate) async fn send(&self, task: &str, command: Command) -> Result<Outcome, ExecuteError> {
        self.ledger.execute::<Task>(&Namespace::default(), &command, &envelope(id(task))).await
    }

    pub(crate) async fn spawn(&self, task: &str, reads: &[&str]) {
        self.spawn_limited(task, reads, Timeouts::default()).await;
    }

    pub(crate) async fn spawn_limited(&self, task: &str, reads: &[&str], timeouts: Timeouts) {
        let spawned = Spawned { timeouts, ..spawned(task, reads, &self.specification) };
        self.send(task, Command::Spawn(Box::new(spawned))).await.expect("spawned");
    }

    /// Its only attempt fails.
    pub(crate) async fn fail(&self, task: &str) {
        let (node, boot_id) = ("test".to_owned(), id("boot"));
        let claim = Received { attempt: 1, node, boot_id, ready_seq: 1, round: 0 };
        self.send(task, Command::Receive(claim)).await.expect("claimed");
        let error = Failure::new("exit", "exit code 1", false);
        self.send(task, Command::Fail { attempt: 1, error }).await.expect("failed");
    }

    pub(crate) async fn skip(&self, task: &str, root_cause: &str) {
        let (root_cause, missing) = (id(root_cause), "input".to_owned());
        let skipped = Skipped { root_cause, others: vec![], cause: Cause::Failure, missing };
        self.send(task, Command::Skip(skipped)).await.expect("skipped");
    }

    pub(crate) async fn load(&self, task: &str) -> Loaded<Task> {
        self.ledger.load(&Namespace::default(), id(task)).await.expect("loaded")
    }

    /// All events of the tasks and of the context.
    pub(crate) async fn history(&self, tasks: &[&str]) -> Vec<Recorded> {
        let mut all = Vec::new();
        let tasks = tasks.iter().map(|task| (Kind::Task, id(task)));
        for (kind, id) in tasks.chain([(Kind::Context, id("cx"))]) {
            let history = self.ledger.history(&Namespace::default(), kind, id, 0).await;
            all.extend(history.expect("read"));
        }
        all
    }

    /// Waits until there is such an event of the task or, as `cx`, of the context.
    pub(crate) async fn until<T>(&self, name: &str, find: impl Fn(&Event) -> Option<T>) -> T {
        let kind = if name == "cx" { Kind::Context } else { Kind::Task };
        let find = async {
            loop {
                let history = self.ledger.history(&Namespace::default(), kind, id(name), 0).await;
                let history = history.expect("read");
                if let Some(found) = history.iter().find_map(|recorded| find(&recorded.event)) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, find).await.expect("within the deadline")
    }

    /// `a`, `d` and `e` have failed; `b` and `c` were given up because of `a`.
    pub(crate) async fn fail_some(&self) {
        for (task, reads) in [("a", &[][..]), ("b", &["a"]), ("c", &["b"]), ("d", &[]), ("e", &[])]
        {
            self.spawn(task, reads).await;
        }
        for task in ["a", "d", "e"] {
            self.fail(task).await;
        }
        for task in ["b", "c"] {
            self.skip(task, "a").await;
        }
    }

    /// `d` is restarted alone.
    pub(crate) async fn overtake(&self) {
        let restart = Restart { reason: "first".into(), ..Restart::default() };
        self.send("d", Command::Restart(Box::new(restart))).await.expect("accepted");
    }

    /// Plans a restart of these tasks and orders it.
    pub(crate) async fn order(
        &self,
        tasks: &[&str],
        outputs: OutputPolicy,
        version: VersionPolicy,
    ) -> context::Restarted {
        let mut graph = Graph { context_id: id("cx"), ..Graph::default() };
        for task in tasks {
            let loaded = self.load(task).await;
            let node = Node::of(id(task), loaded.stream_seq, &loaded.state).expect("spawned");
            graph.nodes.insert(id(task), node);
        }
        let latest = self.specification.clone();
        let specifications = [(latest.name.clone(), latest)].into();
        let target = Target::Failed;
        let request = Request { target, outputs, version, specifications, now: now() };
        let plan = plan(&graph, &request).expect("a plan");
        let order = plan.order("again", Some("anna".into()), &request.specifications);
        let Order::Context(_, command) = order else { panic!("several tasks: {order:?}") };
        let namespace = Namespace::default();
        let done = self.ledger.execute::<Context>(&namespace, &command, &envelope(id("cx"))).await;
        match &done.expect("accepted").event.expect("an event").event {
            Event::ContextRestarted(restarted) => restarted.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn ledger(store: Arc<dyn Store>) -> Ledger {
    Ledger::new(store, Arc::new(Blobs::in_memory(Blobs::BYTES_MAX)))
}

async fn apply(ledger: &Ledger, version: u64) -> specification::Applied {
    let optional = serde_json::json!({ "optional": "number" });
    let definition: specification::Definition = serde_json::from_value(serde_json::json!({
        "description": version.to_string(),
        "inputs": { "a": optional, "b": optional }, "outputs": { "out": "number" },
        "executable": { "type": "noop" },
    }))
    .expect("a definition");
    let name: kantoku_domain::Name = "a".parse().expect("a name");
    let namespace = Namespace::default();
    let id = Id::named(&namespace, Kind::Specification, name.as_str());
    let definition = Box::new(definition);
    let command = specification::Command::Apply { name, source: None, definition };
    let done = ledger.execute::<Specification>(&namespace, &command, &envelope(id)).await;
    match &done.expect("applied").event.expect("an event").event {
        Event::SpecificationApplied(applied) => applied.clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn signer() -> Signer {
    Signer { service_id: "test".into() }
}

pub(crate) fn envelope(aggregate_id: Id) -> Envelope {
    let key = format!("command {:032x}", rand::random::<u128>());
    signer().envelope(aggregate_id, id("cx"), id("test"), &key)
}

fn spawned(task: &str, reads: &[&str], of: &specification::Applied) -> Spawned {
    let input = |read: &&str| {
        let (source, type_) = (Source::Resource(output(read)), Type::Number);
        ((*read).to_owned(), Binding { source, type_, map: None, names: vec![] })
    };
    Spawned {
        step: Some(task.to_owned()),
        specification: of.reference(),
        inputs: reads.iter().map(input).collect(),
        outputs: [("out".to_owned(), Output { id: output(task), type_: Type::Number })].into(),
        depends_on: None,
        when: None,
        context_id: id("cx"),
        parent_id: None,
        restart_root: None,
        restart_parent: None,
        queue: "default".into(),
        shard_key: None,
        priority: 0,
        labels: [].into(),
        retry: RetryPolicy::default(),
        timeouts: Timeouts::default(),
    }
}

/// The task at which the unfolder panics, in tests, until it has learnt better.
pub(crate) const POISON: &str = "poison";
/// The one at which it always does.
pub(crate) const INDIGESTIBLE: &str = "indigestible";
/// Whether it has.
pub(crate) static IS_DIGESTIBLE: AtomicBool = AtomicBool::new(false);

pub(crate) fn stumble(handler: HandlerName, recorded: &Recorded) {
    let is_spawned = matches!(recorded.event, Event::TaskSpawned(_));
    let is_poison = handler == HandlerName::Unfolder && is_spawned && recorded.id == id(POISON);
    let is_hopeless =
        handler == HandlerName::Unfolder && is_spawned && recorded.id == id(INDIGESTIBLE);
    assert!(!is_hopeless, "on purpose, always");
    assert!(!is_poison || IS_DIGESTIBLE.load(Ordering::SeqCst), "on purpose");
}

const LEASE: Duration = Duration::from_secs(10);

fn handler(name: HandlerName) -> Box<dyn Handler> {
    name.of_events(LEASE).unwrap_or_else(|| Box::new(LeaseKeeper::new(LEASE)))
}

fn folded(name: HandlerName, log: &[Recorded]) -> Box<dyn Handler> {
    let mut handler = handler(name);
    for recorded in log {
        handler.apply(recorded);
    }
    handler
}

/// What all handlers write down after `log`, one after another.
pub(crate) fn written_of(log: &[Recorded]) -> Vec<u8> {
    let written = |name| folded(name, log).save().expect("written");
    HandlerName::ALL.into_iter().flat_map(written).collect()
}

/// Every handler that goes on from what it wrote down after the first `cut` events of `log` is what it
/// would be without, and has the same due.
pub(crate) fn assert_restorable(log: &[Recorded], cut: usize) {
    let due = |mut handler: Box<dyn Handler>| -> BTreeSet<String> {
        let due = handler.due(Timestamp::from_micros(i64::MAX / 2), usize::MAX);
        due.iter().map(|effect| format!("{effect:?}")).collect()
    };
    let (before, after) = log.split_at(cut);
    for name in HandlerName::ALL {
        let saved = folded(name, before).save().expect("written");
        let restored = || {
            let mut handler = handler(name);
            handler.restore(&saved).expect("read");
            for recorded in after {
                handler.apply(recorded);
            }
            handler
        };
        assert_eq!(due(restored()), due(folded(name, log)), "the same is due for the {name}");
        let (one, other) = (restored().save(), folded(name, log).save());
        assert!(one.expect("written") == other.expect("written"), "the {name} knows the same");
    }
}

/// All of a directory of files and directories.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// A nats-server, private, on a free port, gone with the test.
pub(crate) struct Server {
    url: String,
    process: Child,
    directory: PathBuf,
}

impl Server {
    /// `None`, after a line that says so, when the machine has no nats-server: in
    /// `$KTK_TOOLS_DIR/bin` or on the path.
    pub(crate) async fn start() -> Option<Self> {
        let directory =
            std::env::temp_dir().join(format!("ktk-test-{:032x}", rand::random::<u128>()));
        std::fs::create_dir_all(&directory).expect("a directory");
        Self::launch(directory, "-1").await
    }

    async fn launch(directory: PathBuf, port: &str) -> Option<Self> {
        let tools = std::env::var_os("KTK_TOOLS_DIR").map(PathBuf::from);
        let program = tools.map_or("nats-server".into(), |tools| tools.join("bin/nats-server"));
        let mut command = Process::new(&program);
        command.args(["-a", "127.0.0.1", "-p", port, "-js", "-sd"]).arg(&directory);
        command.arg("--ports_file_dir").arg(&directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.kill_on_drop(true).spawn() else {
            let program = program.display();
            eprintln!("SKIPPED: {program} does not start; name the tools with KTK_TOOLS_DIR");
            return None;
        };
        let pid = process.id().expect("it runs");
        let url = url_from(&directory.join(format!("nats-server_{pid}.ports"))).await;
        Some(Self { url, process, directory })
    }

    /// Kills it, lets `meanwhile` do what it likes with what it has stored, and starts it again.
    pub(crate) async fn again(mut self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.process.kill().await.expect("killed");
        meanwhile(&self.directory);
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        let directory = std::mem::take(&mut self.directory);
        Self::launch(directory, &port).await.expect("it has started before")
    }

    /// Keeps its store as it is now, to be [put back](Self::put_back); it goes on.
    pub(crate) async fn keep(self) -> (Self, PathBuf) {
        let kept = std::env::temp_dir().join(format!("ktk-test-{:032x}", rand::random::<u128>()));
        let server = self.again(|directory| copy(directory, &kept)).await;
        (server, kept)
    }

    /// Goes on with a store that was kept, and without its own.
    pub(crate) async fn put_back(self, kept: &Path) -> Self {
        self.again(|directory| {
            std::fs::remove_dir_all(directory).expect("removed");
            std::fs::rename(kept, directory).expect("put back");
        })
        .await
    }

    /// A connection with a ledger of its own, as another process would have it.
    pub(crate) async fn bus(&self) -> Bus {
        let settings = Settings::default();
        Box::pin(Bus::open(&self.url, "test", DEADLINE, &settings)).await.expect("set up")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// Waits for the file in which the server tells its port.
async fn url_from(ports: &PathBuf) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let json = std::fs::read(ports).unwrap_or_default();
        let found: Option<serde_json::Value> = serde_json::from_slice(&json).ok();
        if let Some(url) = found.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
            return url.to_owned();
        }
        assert!(Instant::now() < deadline, "nats-server told no port in {}", ports.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
