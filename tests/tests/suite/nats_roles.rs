//! A nats-server with the users that `ktk auth nats-config` makes: each kind of process does its work
//! as its own user, and nothing else.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use async_nats::{Client, ConnectOptions, jetstream};
use kantoku_api::{
    Client as Api,
    contract::{
        EventImport, ManifestApply, ResourceLoad, TaskLogs, TaskRestart, TaskSpawn, TaskTree,
        TaskWait, TaskWhy,
    },
};
use kantoku_streams::{Bus, Login, NatsKey, NatsRole, Proof, Settings};
use ktk::dev::{Servers, ServersConfig, Source};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    api::{call, tls::Authority},
    stand::ktk,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// The server, in a directory of its own.
struct Guarded {
    dir: PathBuf,
    url: String,
    authority: Authority,
    _process: Child,
}

impl Guarded {
    async fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("ktk-roles-{}", Uuid::new_v4()));
        std::fs::create_dir(&dir).expect("a directory");
        let made = Command::new(ktk())
            .args(["auth", "nats-config", "--out"])
            .arg(dir.join("roles"))
            .output()
            .await
            .expect("ktk runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let authority = Authority::new();
        let (certificate, key) = authority.write(&authority.sign("localhost"));
        let (certificate, key, here) = (certificate.display(), key.display(), dir.display());
        let config = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{here}\"\nlog_file: \"{here}/nats.log\"\n\
             max_payload: 8MB\njetstream {{ store_dir: \"{here}/store\" }}\n\
             tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}\n\
             include \"roles/kantoku.conf\"\n"
        );
        std::fs::write(dir.join("nats.conf"), config).expect("written");
        let tools = std::env::var_os("KTK_TOOLS_DIR").map(PathBuf::from);
        let program = tools.map_or("nats-server".into(), |tools| tools.join("bin/nats-server"));
        let process = Command::new(program)
            .arg("-c")
            .arg(dir.join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nats-server starts");
        let ports = dir.join(format!("nats-server_{}.ports", process.id().expect("it runs")));
        let end = Instant::now() + DEADLINE;
        let port = loop {
            let told = std::fs::read(&ports).unwrap_or_default();
            let told: Value = serde_json::from_slice(&told).unwrap_or_default();
            let of = |scheme: &str| told[scheme][0].as_str().map(str::to_owned);
            if let Some(url) = of("nats").or_else(|| of("tls")) {
                break url.rsplit(':').next().expect("a port").to_owned();
            }
            assert!(
                Instant::now() < end,
                "{}",
                std::fs::read_to_string(dir.join("nats.log")).unwrap_or_default()
            );
            sleep(Duration::from_millis(10)).await;
        };
        Self { url: format!("tls://localhost:{port}"), dir, authority, _process: process }
    }

    fn key_file(&self, role: NatsRole) -> PathBuf {
        self.dir.join(format!("roles/{role}.nk"))
    }

    fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }

    fn key(&self, role: NatsRole) -> NatsKey {
        let text = std::fs::read_to_string(self.key_file(role)).expect("a key");
        NatsKey::read(&text).expect("a seed")
    }

    /// A connection of our own kind.
    async fn bus(&self, role: NatsRole) -> Bus {
        let proof = Some(Proof::Key(self.key(role)));
        let login = Login { proof, role, ca_file: Some(self.ca_file()) };
        let settings = Settings { login, ..Settings::default() };
        Bus::open(&self.url, "test", DEADLINE, &settings).await.expect("opened")
    }

    /// A connection, and what the server says against what is done over it.
    async fn client(&self, role: NatsRole) -> (Client, mpsc::UnboundedReceiver<String>) {
        let (told, refusals) = mpsc::unbounded_channel();
        let client = ConnectOptions::with_nkey(self.key(role).seed().to_owned())
            .add_root_certificates(self.ca_file())
            .custom_inbox_prefix(role.inbox())
            .event_callback(move |event| {
                if let async_nats::Event::ServerError(error) = event {
                    told.send(error.to_string()).ok();
                }
                std::future::ready(())
            })
            .connect(&self.url)
            .await
            .expect("let in");
        (client, refusals)
    }

    /// What the server wrote down of what it did not allow.
    fn violations(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.dir.join("nats.log")).expect("a log");
        log.lines().filter(|line| line.contains("Violation")).map(str::to_owned).collect()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// `ktk serve` of some parts, as a user of its own.
fn serve(guarded: &Guarded, database: &str, role: NatsRole, only: &str, more: &[&str]) -> Child {
    let log = std::fs::File::create(guarded.dir.join(format!("{role}.log"))).expect("a log file");
    Command::new(ktk())
        .args(["serve", "-o", "json", "--only", only, "--service-id", role.name()])
        .arg("--state-dir")
        .arg(guarded.dir.join(role.name()))
        .args(["--nats-url", &guarded.url, "--database-url", database])
        .arg("--nats-nkey")
        .arg(guarded.key_file(role))
        .arg("--nats-tls-ca")
        .arg(guarded.ca_file())
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("ktk runs")
}

async fn connected(url: &str, key: &Path) -> Api {
    let end = Instant::now() + DEADLINE;
    loop {
        let key = std::fs::read_to_string(key).unwrap_or_default();
        let bearer = format!("Bearer {}", key.trim());
        match Api::connect_as(Some(&bearer), None, url, DEADLINE).await {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn specification(name: &str, outputs: &Value, script: &str) -> Value {
    json!({
        "apiVersion": "kantoku/v1", "kind": "Specification", "metadata": {"name": name},
        "spec": {
            "outputs": outputs, "retry": {"attempts": 2, "backoff": "10ms"},
            "executable": {"type": "process", "command": ["sh", "-c", script]},
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_process_does_its_work_as_its_own_user() {
    let guarded = Guarded::start().await;
    let mut config = ServersConfig::new(guarded.dir.join("servers")).expect("a state directory");
    config.launcher = ktk();
    config.nats = Source::Off;
    let servers = Servers::start(&config).await.expect("Postgres starts");
    let database = servers.database_url().expect("Postgres").to_owned();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let admin = guarded.dir.join("admin.key");
    // Those that make no streams wait for the one that does.
    let api = ["--listen", &address, "--first-key", admin.to_str().expect("UTF-8")];
    let elsewhere = ["--listen", "127.0.0.1:0"];
    let processors = "scheduler,unfolder,lease-keeper,timers,projector,sealer";
    let mut running = vec![
        serve(&guarded, &database, NatsRole::Executor, "executor", &elsewhere),
        serve(&guarded, &database, NatsRole::Api, "api", &api),
        serve(&guarded, &database, NatsRole::Processor, processors, &elsewhere),
    ];
    let client = connected(&format!("http://{address}"), &admin).await;

    let large = r#"echo said; printf '{"outputs":{"x":"'; head -c 200000 /dev/zero | tr '\0' a; printf '"}}'"#;
    let documents = [
        specification(
            "large",
            &json!({"x": "string"}),
            &large.replace("echo said;", "echo said >&2;"),
        ),
        specification("fails", &json!({}), "exit 3"),
        specification("waits", &json!({}), "sleep 100"),
    ];
    call::<ManifestApply>(&client, json!({"documents": documents})).await.expect("applied");
    let spawn = async |name: &str| {
        let params = json!({"specification": name});
        call::<TaskSpawn>(&client, params).await.expect("spawned")
    };
    let large = spawn("large").await;
    let done = call::<TaskWait>(&client, json!({"id": large.task_id, "timeout": "50s"})).await;
    let done = json!(done.expect("done"));
    assert!(done.to_string().contains("\"ok\""), "{done}");
    let output = json!({"id": large.outputs["x"], "timeout": "20s", "min_seq": done["stream_seq"]});
    let value = json!(call::<ResourceLoad>(&client, output).await.expect("a large value"));
    assert!(value.to_string().len() > 200_000);
    let logs = call::<TaskLogs>(&client, json!({"id": large.task_id})).await.expect("logs");
    assert!(json!(logs).to_string().contains("said"));
    // A timer of a retry, which fires.
    let fails = spawn("fails").await.task_id;
    let failed = call::<TaskWait>(&client, json!({"id": fails, "timeout": "50s"})).await;
    assert!(json!(failed.expect("done")).to_string().contains("\"failed\""));
    let restart = json!({"id": fails, "reason": "again"});
    call::<TaskRestart>(&client, restart).await.expect("restarted");
    // Questions to the scheduler, and orders to the executor.
    let waiting = spawn("waits").await;
    let waits = waiting.task_id;
    let why = json!({"id": waits, "min_seq": waiting.stream_seq, "timeout": "20s"});
    call::<TaskWhy>(&client, why).await.expect("known");
    let cancel = json!({"id": waits, "reason": "no"});
    call::<kantoku_api::contract::TaskCancel>(&client, cancel).await.expect("cancelled");
    call::<TaskTree>(&client, json!({ "id": large.task_id })).await.expect("a tree");
    // An empty import goes through all of the way.
    let import = json!({"lines": [], "after_seq": 0});
    if let Ok(params) = serde_json::from_value(import) {
        client.call::<EventImport>(&params).await.ok();
    }

    // A reader of all of it.
    let reader = guarded.bus(NatsRole::Reader).await;
    let mut replay = reader.replay(1).await.expect("it may read");
    let mut count = 0;
    while let Some(page) = replay.next_page().await.expect("it may read") {
        let events: Result<Vec<_>, _> = page.into_iter().collect();
        count += events.expect("events").len();
    }
    assert!(count > 10, "{count}");
    reader.seals().page(0).await.expect("it may read");

    for process in &mut running {
        assert!(process.try_wait().expect("asked").is_none(), "all of them run");
        process.kill().await.expect("killed");
    }
    assert_eq!(guarded.violations(), Vec::<String>::new());
    servers.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_a_role_is_refused() {
    let guarded = Guarded::start().await;
    for role in NatsRole::ALL {
        let mode = std::fs::metadata(guarded.key_file(role)).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{role}");
    }
    // As the server, everything is made and filled.
    let bus = guarded.bus(NatsRole::Server).await;
    let (server, _) = guarded.client(NatsRole::Server).await;
    let context = jetstream::new(server);
    context.publish("audit", "{}".into()).await.expect("sent").await.expect("stored");
    context.publish("evt.gap", "{}".into()).await.expect("sent").await.expect("stored");
    let keys = context.get_key_value("ktk_keys").await.expect("a bucket");
    keys.put("a", "digest".into()).await.expect("stored");
    let durable = jetstream::consumer::pull::Config {
        durable_name: Some("node-1".into()),
        ..jetstream::consumer::pull::Config::default()
    };
    context.create_consumer_on_stream(durable, "KTK_EVENTS").await.expect("made");
    drop(bus);

    let for_all = [
        "$JS.API.STREAM.PURGE.KTK_EVENTS",
        "$JS.API.STREAM.DELETE.KTK_EVENTS",
        "$JS.API.STREAM.UPDATE.KTK_EVENTS",
        "$JS.API.STREAM.PURGE.KTK_AUDIT",
        "$JS.API.STREAM.DELETE.KTK_AUDIT",
        "$JS.API.STREAM.PURGE.KV_ktk_keys",
        "$JS.API.STREAM.PURGE.OBJ_ktk_blobs",
        "$JS.API.STREAM.MSG.DELETE.KTK_EVENTS",
    ];
    let but_for_the_api = [
        "$JS.API.STREAM.MSG.GET.KV_ktk_keys",
        "$JS.API.DIRECT.GET.KV_ktk_keys",
        "$KV.ktk_keys.b",
        "audit",
    ];
    let for_those_who_read_nothing_alone = ["$JS.API.CONSUMER.DELETE.KTK_EVENTS.node-1"];
    for role in NatsRole::ALL.into_iter().filter(|role| *role != NatsRole::Server) {
        let mut forbidden = for_all.to_vec();
        if role != NatsRole::Api {
            forbidden.extend(but_for_the_api);
        }
        if matches!(role, NatsRole::Executor | NatsRole::Reader) {
            forbidden.extend(for_those_who_read_nothing_alone);
            forbidden.extend(["$JS.API.CONSUMER.MSG.NEXT.KTK_EVENTS.node-1", "ready.a.default.0"]);
        }
        if role == NatsRole::Reader {
            forbidden.extend(["evt.gap", "log.a.b.c.1", "seal", "$O.ktk_blobs.C.x"]);
        }
        let (client, mut refusals) = guarded.client(role).await;
        for subject in forbidden {
            client.publish(subject, "{}".into()).await.expect("sent");
            let told = timeout(DEADLINE, refusals.recv()).await;
            let told = told.unwrap_or_else(|_| panic!("{role} may {subject}")).expect("told");
            let told = told.to_lowercase();
            assert!(
                told.contains("publish") && told.contains(&subject.to_lowercase()),
                "{role}: {told}"
            );
        }
        for subject in ["_INBOX.>", "evt.>", "audit"] {
            let _heard = client.subscribe(subject).await.expect("sent");
            let told = timeout(DEADLINE, refusals.recv()).await;
            let told = told.unwrap_or_else(|_| panic!("{role} may hear {subject}")).expect("told");
            assert!(told.to_lowercase().contains("subscription"), "{role}: {told}");
        }
    }

    // Nothing of it has happened.
    let messages = async |stream: &str| {
        context.get_stream(stream).await.expect("there").cached_info().state.messages
    };
    for stream in ["KTK_EVENTS", "KTK_AUDIT", "KV_ktk_keys"] {
        assert_eq!(messages(stream).await, 1, "{stream}");
    }
    let stream = context.get_stream("KTK_EVENTS").await.expect("there");
    assert_eq!(stream.cached_info().state.consumer_count, 1);
}

#[tokio::test]
async fn keys_that_are_there_are_kept_and_nobody_is_let_in_without_one() {
    let guarded = Guarded::start().await;
    let before = guarded.key(NatsRole::Executor);
    let again = Command::new(ktk())
        .args(["auth", "nats-config", "--queue", "gpu", "--out"])
        .arg(guarded.dir.join("roles"))
        .output()
        .await
        .expect("ktk runs");
    let config = String::from_utf8(again.stdout).expect("UTF-8");
    assert!(config.contains(before.public()) && config.contains("executor-gpu"), "{config}");
    assert!(!config.contains(before.seed()));
    assert_eq!(guarded.key(NatsRole::Executor).seed(), before.seed());

    let login = Login { ca_file: Some(guarded.ca_file()), ..Login::default() };
    let settings = Settings { login, ..Settings::default() };
    let patience = Duration::from_millis(500);
    let refused = Bus::open(&guarded.url, "test", patience, &settings).await;
    let error = refused.err().expect("nobody").to_string();
    assert!(error.contains("authorization") || error.contains("Authorization"), "{error}");
}
