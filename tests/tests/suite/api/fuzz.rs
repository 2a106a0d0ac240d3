//! Documents that are hardly meant, over sockets, to a server with all that stands behind it.

#[path = "../../../../api/src/server/fuzz/documents/mod.rs"]
#[allow(dead_code, unused_imports, reason = "in process more of it is used")]
mod documents;

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{SinkExt as _, StreamExt as _, future::join_all};
use kantoku_api::{
    contract::{BlobStore, Method as _, ResourceAllocate, TaskCount, TaskSpawn},
    server::{ApiConfig, Limits},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use self::documents::{Documents, Judge, Known, shown};
use super::{Served, apply, call, pass, raw::post};

/// How many documents there are unless `KTK_FUZZ_COUNT` says how many in process: a hundredth of it.
const COUNT: u64 = 1_000;
const SEED: u64 = 7;
const CONNECTIONS: u64 = 16;
/// A connection that subscribes to more and more is not what this is about.
const DOCUMENTS_PER_CONNECTION: u64 = 200;
/// What may wait for ten seconds, unless it is told to wait for less, does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// What is asked after each document, to see that the connection lives.
const PROBE: &str = r#"{"jsonrpc":"2.0","id":"probe","method":"namespace.get"}"#;

/// The next message that no subscription sent.
async fn receive(socket: &mut Socket) -> Result<String, String> {
    loop {
        let next = timeout(ANSWER_TIMEOUT, socket.next()).await;
        let next = next.map_err(|_| "nothing comes".to_owned())?;
        match next {
            Some(Ok(Message::Text(text))) => {
                let is_notice = serde_json::from_str::<Value>(&text)
                    .is_ok_and(|value| value.get("method").is_some());
                if !is_notice {
                    return Ok(text.to_string());
                }
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => return Err(format!("the connection ended: {other:?}")),
        }
    }
}

/// Sends a document and the probe; what is wrong with what comes.
async fn try_out(socket: &mut Socket, document: &[u8], judge: &Judge) -> Result<(), String> {
    let message = match std::str::from_utf8(document) {
        Ok(text) => Message::text(text),
        Err(_) => Message::binary(document.to_vec()),
    };
    let sent = async {
        socket.feed(message).await?;
        socket.send(Message::text(PROBE)).await
    };
    sent.await.map_err(|error| format!("it cannot be sent: {error}"))?;
    let due = 1 + usize::from(judge.is_answered(document));
    let mut answers = Vec::new();
    while answers.len() < due {
        answers.push(receive(socket).await?);
    }
    let is_probe = |answer: &String| answer.starts_with(r#"{"jsonrpc":"2.0","id":"probe""#);
    let probe = answers.iter().position(is_probe).ok_or("the probe was not answered")?;
    answers.remove(probe);
    judge.check(document, answers.first().map(String::as_str))
}

async fn run(
    address: SocketAddr,
    documents: Arc<Documents>,
    judge: Arc<Judge>,
    next: Arc<AtomicU64>,
    count: u64,
) {
    loop {
        let url = format!("ws://{address}/rpc");
        let (mut socket, _) = connect_async(url).await.expect("connected");
        for _ in 0..DOCUMENTS_PER_CONNECTION {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let document = documents.document(number);
            if let Err(wrong) = try_out(&mut socket, &document, &judge).await {
                panic!(
                    "document {number}: {wrong}\n{}",
                    shown(&document[..document.len().min(4_000)])
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_whatever_comes_over_a_socket_is_answered_as_json_rpc_has_it() {
    let count = number("KTK_FUZZ_COUNT").map_or(COUNT, |count| count.div_ceil(100));
    let seed = number("KTK_FUZZ_SEED").unwrap_or(SEED);
    let mut config = ApiConfig::new("api-1");
    config.limits.subscriptions_max = 2;
    let served = Served::with(config).await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let task = json!({"specification": "pass", "inputs": {"x": {"value": 1}}});
    let spawned = call::<TaskSpawn>(&client, task).await.expect("spawned");
    let known = Known {
        task: spawned.task_id.to_string(),
        context: spawned.context_id.to_string(),
        resource: spawned.outputs["x"].to_string(),
    };
    let documents = Arc::new(Documents::new(seed, &known));
    let Limits { depth_max, batch_max, .. } = Limits::default();
    let methods: HashSet<String> =
        documents::samples(&known).iter().map(|(method, _)| (*method).to_owned()).collect();
    assert!(methods.contains(TaskCount::NAME));
    let limits = documents::Limits { depth_max, batch_max };
    let judge = Arc::new(Judge { limits, methods });
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let runs = (0..CONNECTIONS).map(|_| {
        let (documents, judge, next) =
            (Arc::clone(&documents), Arc::clone(&judge), Arc::clone(&next));
        tokio::spawn(run(served.address, documents, judge, next, count))
    });
    for run in join_all(runs).await {
        run.expect("every document is answered well");
    }
    let took = begin.elapsed().as_secs_f64();
    let rate = count as f64 / took;
    eprintln!(
        "fuzz: {count} documents of seed {seed} over sockets in {took:.1} s, {rate:.0} a second"
    );
    drop(client);
    served.stop().await;
}

/// What is wrong with a call, as its code and the part of it that is to blame; nothing for a result.
async fn wrong(served: &Served, method: &str, params: Value) -> Option<(i64, String)> {
    let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1});
    let answer = post(served.address, &request.to_string()).await.json();
    let error = answer.get("error")?;
    let field = error["data"]["field"].as_str().unwrap_or_default().to_owned();
    Some((error["code"].as_i64().expect("a code"), field))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_the_callers_mistake_and_none_of_ours() {
    let served = Served::start().await;
    let client = served.client().await;
    let allocated = call::<ResourceAllocate>(&client, json!({"count": 1})).await.expect("there");
    let head = allocated.stream_seq;
    let stored = call::<BlobStore>(&client, json!({"content": "text"})).await.expect("stored");
    let line = |stream_seq: u64| json!({ "stream_seq": stream_seq }).to_string();
    let nothing = format!("sha256:{}", "0".repeat(64));
    for (method, params, code, field) in [
        ("blob.load", json!({"digest": "sha256:\u{1F600}", "size": 1}), 1003, "digest"),
        ("blob.load", json!({"digest": nothing, "size": 70_000}), 1002, "digest"),
        ("blob.load", json!({"digest": stored.digest, "size": 3}), 1003, "size"),
        ("blob.load", json!({"digest": stored.digest, "size": u64::MAX}), 1006, ""),
        (
            "event.import",
            json!({"lines": ["{}", line(head + 1)], "after_seq": head}),
            1003,
            "lines.0",
        ),
        ("event.import", json!({"lines": [line(head + 1)], "after_seq": head}), 1003, "lines"),
        // A gap that would be filled with a message for each position.
        (
            "event.import",
            json!({"lines": [line(u64::MAX)], "after_seq": u64::MAX - 1}),
            1003,
            "lines",
        ),
    ] {
        let found = wrong(&served, method, params.clone()).await;
        assert_eq!(found, Some((code, field.to_owned())), "{method} {params}");
    }
    apply(&client, vec![pass()]).await.expect("applied");
    let task = json!({"specification": "pass", "inputs": {"x": {"value": 1}}});
    let task = call::<TaskSpawn>(&client, task).await.expect("spawned");
    let read = json!({"min_seq": task.stream_seq});
    call::<TaskCount>(&client, read).await.expect("projected");
    for (method, params) in [
        ("dead_letter.list", json!({"after": u64::MAX})),
        ("seal.list", json!({"after": u64::MAX})),
        ("event.list", json!({"after_seq": u64::MAX})),
        ("event.export", json!({"from_seq": u64::MAX, "to_seq": u64::MAX})),
        ("task.logs", json!({"id": task.task_id, "after": u64::MAX})),
    ] {
        assert_eq!(wrong(&served, method, params.clone()).await, None, "{method} {params}");
    }
    drop(client);
    served.stop().await;
}
