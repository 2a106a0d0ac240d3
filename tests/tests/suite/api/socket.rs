//! JSON-RPC 2.0 over WebSocket, spoken by a client that knows nothing of ours.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use kantoku_api::{
    Client,
    contract::{ResourceAllocate, TaskCount},
    server::ApiConfig,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{DEADLINE, Served, call};

pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn open(served: &Served) -> Self {
        let (socket, _) =
            connect_async(format!("ws://{}/rpc", served.address)).await.expect("connected");
        Self(socket)
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("sent");
    }

    /// The next message that is no ping; `None` when it is the close, with its code.
    pub(super) async fn receive(&mut self) -> Result<Value, Option<u16>> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Ok(serde_json::from_str(&text).expect("JSON"));
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return Err(frame.map(|frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(None),
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("an answer")
    }

    pub(super) async fn ask(&mut self, text: &str) -> Value {
        self.send(text).await;
        self.receive().await.expect("an answer")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_specification_hold() {
    let served = Served::start().await;
    let mut socket = Socket::open(&served).await;
    for (text, code) in [
        (r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#, -32601),
        (r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#, -32600),
        (r#"{"jsonrpc": "2.0", "method": "foobar, "params"#, -32700),
        ("[]", -32600),
    ] {
        let answer = socket.ask(text).await;
        assert_eq!(answer["error"]["code"], code, "{text}");
        assert_eq!(answer["id"].is_null(), code != -32601, "{text}");
    }
    assert_eq!(socket.ask("[1,2,3]").await.as_array().map(Vec::len), Some(3));
    // Carried out, and the next answer is that of the next request.
    socket.send(r#"{"jsonrpc":"2.0","method":"resource.allocate","params":{"count":1}}"#).await;
    socket.send(r#"[{"jsonrpc":"2.0","method":"resource.allocate","params":{"count":1}}]"#).await;
    let answer = socket.ask(r#"{"jsonrpc":"2.0","method":"task.count","id":5}"#).await;
    assert_eq!((&answer["id"], &answer["result"]["total"]), (&json!(5), &json!(0)));
    let mut seen = 0;
    served
        .until(|_| {
            seen += 1;
            seen == 2
        })
        .await;
    let answer =
        socket.ask(r#"{"jsonrpc":"2.0","method":"task.unsubscribe","params":[77],"id":6}"#).await;
    assert_eq!(answer["result"], false);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_large_leaves_the_connection_and_our_client_alive() {
    let mut config = ApiConfig::new("api-1");
    config.limits.batch_max = 10;
    let served = Served::with(config).await;
    let mut socket = Socket::open(&served).await;
    let one = |id: usize| json!({"jsonrpc": "2.0", "method": "task.count", "id": id});
    let batch: Vec<Value> = (0..11).map(one).collect();
    let answer = socket.ask(&json!(batch).to_string()).await;
    let ids: Vec<u64> =
        answer.as_array().expect("an array").iter().filter_map(|one| one["id"].as_u64()).collect();
    assert_eq!(ids, (0..11).collect::<Vec<_>>());
    assert!(answer.as_array().is_some_and(|all| all.iter().all(|a| a["error"]["code"] == 1006)));
    assert_eq!(socket.ask(&one(3).to_string()).await["result"]["total"], 0);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_ends_one_connection_with_the_reason() {
    let mut config = ApiConfig::new("api-1");
    config.limits.request_bytes_max = 10_000;
    let served = Served::with(config).await;
    let (mut socket, mut other) = (Socket::open(&served).await, Socket::open(&served).await);
    let answer = socket.ask(&"x".repeat(10_001)).await;
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(1006), &Value::Null));
    assert_eq!(socket.receive().await, Err(Some(1009)));
    let answer = other.ask(r#"{"jsonrpc":"2.0","method":"task.count","id":1}"#).await;
    assert_eq!(answer["result"]["total"], 0);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_far_too_much_can_send_it_all_and_still_hears_why_it_is_told_goodbye() {
    let mut config = ApiConfig::new("api-1");
    config.limits.request_bytes_max = 10_000;
    let served = Served::with(config).await;
    // More than any buffer in between holds: most of it is on its way when the server has decided.
    let message = "x".repeat(16 * 1024 * 1024);
    for _ in 0..10 {
        let mut socket = Socket::open(&served).await;
        let answer = socket.ask(&message).await;
        assert_eq!(answer["error"]["code"], 1006);
        assert_eq!(socket.receive().await, Err(Some(1009)));
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_from_elsewhere_is_not_let_in() {
    let served = Served::start().await;
    let url = format!("ws://{}/rpc", served.address);
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("Origin", "https://evil.example".parse().expect("a header"));
    let refused = connect_async(request).await.expect_err("it is refused");
    assert!(refused.to_string().contains("403"), "{refused}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_goodbye_and_lets_calls_end() {
    let served = Served::start().await;
    let mut socket = Socket::open(&served).await;
    socket.ask(r#"{"jsonrpc":"2.0","method":"task.count","id":1}"#).await;
    let allocate =
        r#"{"jsonrpc":"2.0","method":"resource.allocate","params":{"count":500},"id":2}"#;
    socket.send(allocate).await;
    // The first of them is stored: the call is under way.
    served.until(|_| true).await;
    let stopping = tokio::spawn(served.stop());
    let answer = socket.receive().await.expect("the call under way ends");
    assert_eq!(answer["result"]["ids"].as_array().map(Vec::len), Some(500));
    assert_eq!(socket.receive().await, Err(Some(1001)));
    stopping.await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_more_than_the_limit_is_refused_and_the_others_go_on() {
    let mut config = ApiConfig::new("api-1");
    config.limits.connections_max = 2;
    let served = Served::with(config).await;
    let first = served.client().await;
    let second = served.client().await;
    let third = Client::connect(&served.url(), DEADLINE).await.expect_err("there is no room");
    assert!(third.to_string().contains("503"), "{third}");
    for client in [&first, &second] {
        call::<TaskCount>(client, json!({})).await.expect("answered");
    }
    drop(first);
    call::<ResourceAllocate>(&second, json!({"count": 1})).await.expect("answered");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_silent_gives_its_place_to_another() {
    let mut config = ApiConfig::new("api-1");
    config.limits.connections_max = 2;
    config.limits.ping_every = Duration::from_millis(100);
    config.limits.silence_max = Duration::from_millis(500);
    let served = Served::with(config).await;
    // Nobody polls it, so nobody answers its pings.
    let silent = Socket::open(&served).await;
    let idle = served.client().await;
    let next = async {
        loop {
            if let Ok(client) = Client::connect(&served.url(), DEADLINE).await {
                return client;
            }
            tokio::task::yield_now().await;
        }
    };
    let next = tokio::time::timeout(DEADLINE, next).await.expect("there is room at last");
    for client in [&idle, &next] {
        call::<TaskCount>(client, json!({})).await.expect("who answers pings may stay");
    }
    drop(silent);
    served.stop().await;
}
