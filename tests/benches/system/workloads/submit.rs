//! Submitting many tasks in batches, as cheaply as a client can: requests are text before the clock
//! starts, and answers are read after it has stopped.

use futures::{SinkExt as _, StreamExt as _};
use kantoku_api::contract::{
    Method as _, SpawnBatchParams, SpawnResult, SpawnedBatch, TaskSpawnBatch,
};
use kantoku_domain::Id;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::task;
use crate::stand::Up;

/// Tasks of one request.
pub(super) const BATCH: usize = 1_000;
/// Requests under way at once.
const AT_ONCE: usize = 4;

/// Requests that wait to be sent.
pub(super) struct Batches {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    requests: Vec<String>,
}

/// Requests for `tasks` tasks of context `context_id`, or each of its own.
pub(super) async fn batches(up: &Up, context_id: Option<Id>, tasks: usize) -> Batches {
    let address = up.endpoints.api.trim_end_matches('/').replacen("http", "ws", 1);
    let (socket, _) = connect_async(format!("{address}/rpc")).await.expect("the API listens");
    let requests = (0..tasks).step_by(BATCH).map(|from| {
        let tasks = (0..BATCH.min(tasks - from)).map(|_| task(context_id)).collect();
        let params = SpawnBatchParams { tasks, namespace: None };
        let method = TaskSpawnBatch::NAME;
        json!({"jsonrpc": "2.0", "id": from, "method": method, "params": params}).to_string()
    });
    Batches { socket, requests: requests.collect() }
}

/// The answers to all requests, not read yet.
pub(super) struct Answers(Vec<String>);

impl Batches {
    /// Sends all requests, and returns when all are answered.
    pub(super) async fn send(mut self) -> Answers {
        let expected = self.requests.len();
        let mut requests = self.requests.into_iter();
        let mut answers = Vec::with_capacity(expected);
        for request in requests.by_ref().take(AT_ONCE) {
            self.socket.send(Message::text(request)).await.expect("sent");
        }
        while answers.len() < expected {
            let message = self.socket.next().await.expect("open").expect("readable");
            let Message::Text(text) = message else { continue };
            answers.push(text.as_str().to_owned());
            if let Some(request) = requests.next() {
                self.socket.send(Message::text(request)).await.expect("sent");
            }
        }
        Answers(answers)
    }
}

impl Answers {
    /// Makes sure that every task was accepted; how many there are.
    pub(super) fn accepted(&self) -> usize {
        #[derive(Deserialize)]
        struct Answer {
            result: SpawnedBatch,
        }
        let results = self.0.iter().flat_map(|text| {
            let answer: Answer = serde_json::from_str(text).expect("a result");
            answer.result.results
        });
        results
            .inspect(|result| assert!(matches!(result, SpawnResult::Result(_)), "{result:?}"))
            .count()
    }
}
