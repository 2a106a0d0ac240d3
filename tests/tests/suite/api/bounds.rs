//! Keys that count for good, what is said while Postgres is away, and what a client that goes away
//! leaves behind.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kantoku_api::{
    Client, Code,
    contract::{
        ContextCancel, ContextGet, ContextPause, ContextResume, ManifestApply, ResourceAllocate,
        ResourceInitialize, SpecificationPause, TaskApprove, TaskCancel, TaskGet, TaskPause,
        TaskRestart, TaskResume, TaskSpawn,
    },
    server::{self, Api, ApiConfig, Limits},
};
use kantoku_projections::Database;
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{DEADLINE, Served, apply, call, pass, raw::post, refused, socket::Socket};

fn spawn(x: &Value) -> Value {
    json!({"specification": "pass", "inputs": {"x": {"value": x}}})
}

/// Another API on the same servers, which knows nothing of what the first has seen.
struct Another {
    api: Arc<Api>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Another {
    async fn start(served: &Served, database: Database, config: ApiConfig) -> Self {
        let bus = served.stand.another_bus().await;
        let api = Api::start(bus, database, config).await.expect("it starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (app, stop) = (server::router(&api), CancellationToken::new());
        let stopped = stop.clone();
        tokio::spawn(async move {
            server::serve(listener, app, &Limits::default(), None, stopped)
                .await
                .expect("it serves");
        });
        Self { api, address, stop }
    }

    async fn client(&self) -> Client {
        let url = format!("http://{}", self.address);
        Client::connect(&url, DEADLINE).await.expect("connected")
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.api.stop()).await.expect("connections end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_order_for_good_and_names_what_it_was_used_for() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let task = call::<TaskSpawn>(&client, spawn(&json!(1))).await.expect("spawned");
    let id = task.task_id;
    let pause = json!({"id": id, "reason": "wait", "idempotency_key": "k"});
    let paused = call::<TaskPause>(&client, pause.clone()).await.expect("paused");
    call::<TaskResume>(&client, json!({ "id": id })).await.expect("resumed");

    // As after a restart: nothing is remembered but what is stored.
    let database = served.stand.database("ktk").await;
    let another = Another::start(&served, database, ApiConfig::new("api-2")).await;
    let client = another.client().await;
    let again = call::<TaskPause>(&client, pause.clone()).await.expect("the same");
    assert_eq!(again, paused);
    let found = json!({"id": id, "min_seq": paused.stream_seq + 1});
    assert!(call::<TaskGet>(&client, found).await.expect("there").paused.is_none());

    let mut other = pause.clone();
    other["reason"] = json!("something else");
    let error = refused(call::<TaskPause>(&client, other).await);
    assert_eq!((error.code, error.data.winner), (Code::Rejected, Some(id)));
    assert_eq!(error.data.field.as_deref(), Some("idempotency_key"));
    assert!(error.message.contains(&paused.stream_seq.to_string()), "{error}");

    // The same key for another task is another command.
    let second = call::<TaskSpawn>(&client, spawn(&json!(2))).await.expect("spawned").task_id;
    let mut other = pause;
    other["id"] = json!(second);
    assert!(call::<TaskPause>(&client, other).await.expect("paused").stream_seq > again.stream_seq);
    another.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_takes_effect_once_with_a_key() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let task = call::<TaskSpawn>(&client, spawn(&json!(1))).await.expect("spawned");
    let (id, context_id, key) = (task.task_id, task.context_id, "k");
    let min_seq = json!({"id": context_id, "min_seq": task.stream_seq});
    call::<ContextGet>(&client, min_seq).await.expect("projected");

    let pause = json!({"id": context_id, "reason": "r", "idempotency_key": key});
    let paused = call::<ContextPause>(&client, pause.clone()).await.expect("paused");
    let resume = json!({"id": context_id, "idempotency_key": key});
    let resumed = call::<ContextResume>(&client, resume.clone()).await.expect("resumed");
    assert_eq!(call::<ContextPause>(&client, pause).await.expect("the same"), paused);
    assert_eq!(call::<ContextResume>(&client, resume).await.expect("the same"), resumed);

    let pause = json!({"name": "pass", "idempotency_key": key});
    let paused = call::<SpecificationPause>(&client, pause.clone()).await.expect("paused");
    assert_eq!(call::<SpecificationPause>(&client, pause).await.expect("the same"), paused);

    let approve = json!({"id": id, "name": "a", "by": "ada", "idempotency_key": key});
    let error = refused(call::<TaskApprove>(&client, approve).await);
    assert_eq!(error.code, Code::NotFound, "nobody waits for it: {error}");

    let allocated = call::<ResourceAllocate>(&client, json!({"count": 1})).await.expect("made");
    let items = json!([{"id": allocated.ids[0], "value": "v".repeat(70_000)}]);
    let initialize = json!({"items": items, "idempotency_key": key});
    let done = call::<ResourceInitialize>(&client, initialize.clone()).await.expect("done");
    assert_eq!(call::<ResourceInitialize>(&client, initialize).await.expect("the same"), done);
    let other = json!([{"id": allocated.ids[0], "value": "w"}]);
    let other = json!({"items": other, "idempotency_key": key});
    let error = refused(call::<ResourceInitialize>(&client, other).await);
    assert_eq!(error.data.field.as_deref(), Some("idempotency_key"));

    let cancel = json!({"id": id, "reason": "no", "idempotency_key": key});
    let cancelled = call::<TaskCancel>(&client, cancel.clone()).await.expect("cancelled");
    let restart = json!({"id": id, "reason": "again", "idempotency_key": key});
    let restarted = call::<TaskRestart>(&client, restart.clone()).await.expect("restarted");
    assert!(restarted.task_id.is_some());
    let again = call::<TaskRestart>(&client, restart.clone()).await.expect("the same");
    assert_eq!(
        (again.task_id, again.stream_seq, again.restart_id),
        (restarted.task_id, restarted.stream_seq, restarted.restart_id)
    );
    let mut other = restart;
    other["reason"] = json!("another");
    let error = refused(call::<TaskRestart>(&client, other).await);
    assert_eq!(error.data.field.as_deref(), Some("idempotency_key"));
    // The order is done, whatever became of the task since.
    let again = call::<TaskCancel>(&client, cancel).await.expect("the same");
    assert_eq!(again.stream_seq, cancelled.stream_seq);

    let cancel = json!({"id": context_id, "reason": "no", "idempotency_key": key});
    let cancelled = call::<ContextCancel>(&client, cancel.clone()).await.expect("cancelled");
    let again = call::<ContextCancel>(&client, cancel).await.expect("the same");
    assert_eq!(again.stream_seq, cancelled.stream_seq);
    served.stop().await;
}

/// Passes connections on to Postgres, until it is told to cut them.
struct Line {
    address: SocketAddr,
    port: u16,
    open: JoinSet<()>,
}

impl Line {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut line = Self { address: target, port, open: JoinSet::new() };
        line.pass_on(listener);
        line
    }

    fn pass_on(&mut self, listener: TcpListener) {
        let target = self.address;
        self.open.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                passing.spawn(async move {
                    let mut server = TcpStream::connect(target).await.expect("Postgres is there");
                    // Either side may end it.
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
    }

    async fn cut(&mut self) {
        self.open.shutdown().await;
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the same port");
        self.pass_on(listener);
    }
}

/// Where a URL of Postgres leads, and the same by way of another port.
fn through(url: &str, port: u16) -> String {
    let (before, rest) = url.rsplit_once(':').expect("a port");
    let (_, path) = rest.split_once('/').expect("a database");
    format!("{before}:{port}/{path}")
}

fn port_of(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').expect("a port");
    rest.split('/').next().and_then(|port| port.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_commands_are_accepted_and_reads_say_so_soon() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let url = served.stand.database_url().to_owned();
    let mut line = Line::to(SocketAddr::from(([127, 0, 0, 1], port_of(&url)))).await;
    let database = Database::open(&through(&url, line.port), "ktk", 4).await.expect("opened");
    let another = Another::start(&served, database, ApiConfig::new("api-2")).await;
    let client = another.client().await;
    call::<TaskSpawn>(&client, spawn(&json!(1))).await.expect("spawned");

    line.cut().await;
    let begin = Instant::now();
    let task = call::<TaskSpawn>(&client, spawn(&json!(2))).await.expect("spawned");
    let id = task.task_id;
    call::<TaskPause>(&client, json!({ "id": id })).await.expect("paused");
    call::<TaskResume>(&client, json!({ "id": id })).await.expect("resumed");
    let mut stricter = pass();
    stricter["spec"]["description"] = json!("hands its input on");
    call::<ManifestApply>(&client, json!({"documents": [stricter]})).await.expect("applied");
    call::<ResourceAllocate>(&client, json!({"count": 1})).await.expect("allocated");
    call::<TaskCancel>(&client, json!({"id": id, "reason": "no"})).await.expect("cancelled");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());

    for error in [
        refused(call::<TaskGet>(&client, json!({ "id": id })).await),
        refused(call::<TaskRestart>(&client, json!({"id": id, "reason": "r"})).await),
        refused(call::<ContextPause>(&client, json!({"id": task.context_id})).await),
    ] {
        assert_eq!((error.code, error.data.retryable), (Code::Unavailable, true), "{error}");
        assert!(error.message.contains("Postgres"), "{error}");
    }
    let begin = Instant::now();
    refused(call::<TaskGet>(&client, json!({ "id": id })).await);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());

    line.mend().await;
    let found = json!({"id": id, "min_seq": task.stream_seq, "timeout": "30s"});
    call::<TaskGet>(&client, found).await.expect("it is read again");
    another.stop().await;
    line.cut().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_frees_what_it_held() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let task = call::<TaskSpawn>(&client, spawn(&json!(1))).await.expect("spawned").task_id;
    let mut socket = Socket::open(&served).await;
    let wait = json!({
        "jsonrpc": "2.0", "method": "task.wait", "params": {"id": task, "timeout": "5m"}, "id": 1,
    });
    for _ in 0..50 {
        socket.send(&wait.to_string()).await;
    }
    let subscribe = r#"{"jsonrpc":"2.0","method":"task.subscribe","id":2}"#;
    assert!(socket.ask(subscribe).await["result"].is_u64());
    let all = 50 * 10 * 1024;
    until(|| served.api.held_bytes() >= all).await;
    drop(socket);
    until(|| served.api.held_bytes() == 0).await;
    served.stop().await;
}

async fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "it is never so");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_is_refused_and_the_rest_goes_on() {
    let mut config = ApiConfig::new("api-1");
    config.limits.lasting_bytes_max = 48 * 1024;
    config.limits.calls_bytes_max = 2 * 1024 * 1024;
    config.limits.call_patience = Duration::from_millis(50);
    let served = Served::with(config).await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let task = call::<TaskSpawn>(&client, spawn(&json!(1))).await.expect("spawned").task_id;
    let mut socket = Socket::open(&served).await;
    let wait = |id: usize| {
        let params = json!({"id": task, "timeout": "5m"});
        json!({"jsonrpc": "2.0", "method": "task.wait", "params": params, "id": id}).to_string()
    };
    for id in 0..4 {
        socket.send(&wait(id)).await;
    }
    let refused = socket.receive().await.expect("an answer");
    let error = &refused["error"];
    assert_eq!((&refused["id"], &error["code"]), (&json!(3), &json!(1006)), "{refused}");
    assert_eq!(
        (&error["data"]["reason"], &error["data"]["retryable"]),
        (&json!("busy"), &json!(true))
    );
    call::<TaskSpawn>(&client, spawn(&json!(2))).await.expect("others go on");

    // So many values would take more than there is for all.
    let values = json!(vec![0; 100_000]);
    let params = json!({"specification": "pass", "inputs": {"x": {"value": values}}});
    let body = json!({"jsonrpc": "2.0", "method": "task.spawn", "params": params, "id": 9});
    let answer = post(served.address, &body.to_string()).await;
    let answer = answer.json();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(9), &json!(1006)));
    assert_eq!(answer["error"]["data"]["retryable"], false, "{answer}");
    served.stop().await;
}
