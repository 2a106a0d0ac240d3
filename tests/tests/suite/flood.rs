//! More than the API has room for, at once: every request is answered, or refused in so many words,
//! and memory stays within bounds.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{SinkExt as _, StreamExt as _, future::join_all};
use kantoku_api::{
    Client,
    contract::{ManifestApply, TaskCount, TaskSpawn, TaskSpawnBatch},
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{api::call, processes::Processes};

const CONNECTIONS: usize = 1_000;
const IN_FLIGHT: usize = 64;
const MEMORY_KIB_MAX: u64 = 256 * 1024;
/// What one flood may take, on a machine that runs other tests as well.
const DEADLINE: Duration = Duration::from_secs(180);
/// What a call may take right after.
const SOON: Duration = Duration::from_secs(5);

/// What became of requests.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    answered: usize,
    refused: usize,
}

impl Counted {
    /// Counts an answer, which is a result or says that there is no room, and what to do.
    fn count(&mut self, answer: &Value) {
        let error = &answer["error"];
        if error.is_null() {
            assert!(!answer["result"].is_null(), "{answer}");
            self.answered += 1;
            return;
        }
        // A server that is kept busy by others may not answer in time: that is said as well.
        let is_busy = error["code"] == 1006 && error["data"]["reason"] == "busy";
        let is_refusal = (is_busy || error["code"] == 1007)
            && error["data"]["retryable"] == true
            && error["message"].as_str().is_some_and(|text| text.contains("again"));
        assert!(is_refusal, "{answer}");
        self.refused += 1;
    }

    fn of(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::default(), |sum, one| Self {
            answered: sum.answered + one.answered,
            refused: sum.refused + one.refused,
        })
    }
}

/// Request `number` of a connection: a command, a look at one thing, or at many.
fn request(number: usize, task: &str) -> String {
    let (method, params) = match number % 4 {
        0 => ("task.spawn", json!({"specification": "pass", "inputs": {"x": {"value": number}}})),
        1 => ("task.get", json!({ "id": task })),
        2 => ("task.list", json!({"limit": 25})),
        _ => ("system.info", json!({})),
    };
    json!({"jsonrpc": "2.0", "method": method, "params": params, "id": number}).to_string()
}

/// One connection that says all it wants at once, and then listens.
async fn over_a_socket(address: SocketAddr, task: Arc<str>) -> Counted {
    let (mut socket, _) = connect_async(format!("ws://{address}/rpc")).await.expect("let in");
    for number in 0..IN_FLIGHT {
        socket.feed(Message::text(request(number, &task))).await.expect("taken");
    }
    socket.flush().await.expect("sent");
    let (mut counted, mut open) = (Counted::default(), [true; IN_FLIGHT]);
    while open.contains(&true) {
        let Message::Text(text) = socket.next().await.expect("open").expect("readable") else {
            continue;
        };
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let id = answer["id"].as_u64().expect("an id") as usize;
        assert!(std::mem::take(&mut open[id]), "{id} was answered twice");
        counted.count(&answer);
    }
    counted
}

/// The same over HTTP, where requests follow each other without waiting for answers.
async fn over_http(address: SocketAddr, task: Arc<str>) -> Counted {
    let mut stream = TcpStream::connect(address).await.expect("let in");
    let (reading, mut writing) = stream.split();
    let sending = async {
        let all: Vec<String> = (0..IN_FLIGHT).map(|n| post(address, &request(n, &task))).collect();
        writing.write_all(all.concat().as_bytes()).await.expect("sent");
    };
    let listening = async {
        let mut reading = BufReader::new(reading);
        let mut counted = Counted::default();
        for _ in 0..IN_FLIGHT {
            let answer = receive(&mut reading).await;
            counted.count(&answer);
        }
        counted
    };
    tokio::join!(sending, listening).1
}

fn post(address: SocketAddr, body: &str) -> String {
    format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The next answer. One that was refused before it was looked at says when to come again.
async fn receive(reading: &mut (impl AsyncBufRead + Unpin)) -> Value {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let before = head.len();
        let read = reading.read_line(&mut head).await.expect("readable");
        assert!(read > 0, "the connection was closed after {head:?}");
        let line = head[before..].trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reading.read_exact(&mut body).await.expect("readable");
    let is_ok = head.starts_with("HTTP/1.1 200");
    let says_when = head.to_ascii_lowercase().contains("\r\nretry-after:");
    assert!(is_ok || (head.starts_with("HTTP/1.1 503") && says_when), "{head}");
    serde_json::from_slice(&body).expect("JSON")
}

/// Connections that ask for much and do not listen.
async fn deaf(address: SocketAddr) -> impl Sized {
    let (mut socket, _) = connect_async(format!("ws://{address}/rpc")).await.expect("let in");
    let list = json!({"jsonrpc": "2.0", "method": "task.list", "params": {"limit": 500}, "id": 1});
    for _ in 0..IN_FLIGHT {
        // What the server does not read may not go out whole.
        if timeout(Duration::from_millis(200), socket.send(Message::text(list.to_string())))
            .await
            .is_err()
        {
            break;
        }
    }
    socket
}

/// A large message that says little.
async fn large(address: SocketAddr) -> Counted {
    let value = "x".repeat(4 * 1024 * 1024);
    let spawn = json!({"specification": "pass", "inputs": {"x": {"value": value}}});
    let body = json!({"jsonrpc": "2.0", "method": "task.spawn", "params": spawn, "id": 1});
    let mut stream = TcpStream::connect(address).await.expect("let in");
    stream.write_all(post(address, &body.to_string()).as_bytes()).await.expect("sent");
    let mut counted = Counted::default();
    counted.count(&receive(&mut BufReader::new(stream)).await);
    counted
}

/// In KiB: the most that process `pid` has had in memory, and what it has now.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    (of("VmHWM:"), of("VmRSS:"))
}

/// Whether so many connections can be opened here.
fn may_open(files: u64) -> bool {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("asked");
    soft >= files || (hard >= files && setrlimit(Resource::RLIMIT_NOFILE, files, hard).is_ok())
}

/// Tasks to look at; the id of one of them.
async fn prepare(client: &Client) -> Arc<str> {
    let specification = json!({
        "apiVersion": "kantoku/v1", "kind": "Specification", "metadata": {"name": "pass"},
        "spec": {
            "inputs": {"x": "unknown"}, "outputs": {"x": "unknown"},
            "executable": {"type": "noop"},
        },
    });
    call::<ManifestApply>(client, json!({"documents": [specification]})).await.expect("applied");
    let task = json!({"specification": "pass", "inputs": {"x": {"value": "y".repeat(1_000)}}});
    let batch = json!({"tasks": vec![task.clone(); 500]});
    call::<TaskSpawnBatch>(client, batch).await.expect("spawned");
    let spawned = call::<TaskSpawn>(client, task).await.expect("spawned");
    let min_seq = json!({"min_seq": spawned.stream_seq});
    call::<TaskCount>(client, min_seq).await.expect("projected");
    spawned.task_id.to_string().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_of_64_requests_are_answered_or_refused_in_bounded_memory() {
    if !may_open(4_096) {
        eprintln!("SKIPPED: no 4,096 files may be open at once here");
        return;
    }
    let mut processes = Processes::start().await;
    processes.serve("api-1", "api");
    processes.serve("projector-1", "projector");
    let client = processes.client().await;
    let task = prepare(&client).await;
    let (address, pid) = (processes.address(), processes.pid("api-1"));
    let (_, at_rest) = memory(pid);

    let mut told = vec![format!("at rest {at_rest} KiB")];
    let mut tell = |what: &str, counted: Counted, begin: Instant, due: usize| {
        let (most, now) = memory(pid);
        told.push(format!(
            "{what}: {counted:?} in {:?}, {now} KiB, {most} KiB at most",
            begin.elapsed()
        ));
        eprintln!("flood {}", told.last().expect("it was told"));
        assert_eq!(counted.answered + counted.refused, due, "{told:?}");
        assert!(most <= MEMORY_KIB_MAX, "{told:?}");
    };
    let all = CONNECTIONS * IN_FLIGHT;

    let begin = Instant::now();
    let flood = (0..CONNECTIONS).map(|_| tokio::spawn(over_a_socket(address, Arc::clone(&task))));
    let flood = timeout(DEADLINE, join_all(flood)).await.expect("no request hangs");
    tell("sockets", Counted::of(flood.into_iter().map(|one| one.expect("no panic"))), begin, all);
    soon(&client).await;

    let begin = Instant::now();
    let flood = (0..CONNECTIONS).map(|_| tokio::spawn(over_http(address, Arc::clone(&task))));
    let flood = timeout(DEADLINE, join_all(flood)).await.expect("no request hangs");
    tell("http", Counted::of(flood.into_iter().map(|one| one.expect("no panic"))), begin, all);
    soon(&client).await;

    let begin = Instant::now();
    let flood = (0..64).map(|_| tokio::spawn(large(address)));
    let flood = timeout(DEADLINE, join_all(flood)).await.expect("no request hangs");
    tell("large", Counted::of(flood.into_iter().map(|one| one.expect("no panic"))), begin, 64);
    soon(&client).await;

    let begin = Instant::now();
    let sockets = timeout(DEADLINE, join_all((0..200).map(|_| deaf(address)))).await.expect("sent");
    // Others are served while these do not listen.
    spawned_soon(&client).await;
    tell("deaf", Counted::default(), begin, 0);
    drop(sockets);
    soon(&client).await;
    drop(client);
    processes.stop().await;
}

/// Reads are answered as ever.
async fn soon(client: &Client) {
    timeout(SOON, call::<TaskCount>(client, json!({}))).await.expect("at once").expect("answered");
    spawned_soon(client).await;
}

/// So are commands.
async fn spawned_soon(client: &Client) {
    let task = json!({"specification": "pass", "inputs": {"x": {"value": 1}}});
    timeout(SOON, call::<TaskSpawn>(client, task)).await.expect("at once").expect("spawned");
}
