//! The API over real servers: what is promised on the wire, with our client and without.

mod access;
mod bounds;
mod bulk;
mod commands;
mod feed;
mod filters;
mod fuzz;
mod http;
mod manifests;
mod operations;
mod others;
mod past;
mod queries;
pub(crate) mod raw;
mod rest;
mod scripts;
mod semantics;
mod slow;
mod socket;
mod tampering;
pub(crate) mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use kantoku_api::{
    ApiError, Client, ClientError,
    contract::{Applied, ManifestApply, Method, TaskCount},
    server::{self, Api, ApiConfig},
};
use kantoku_domain::Recorded;
use kantoku_projections::Database;
use kantoku_streams::{ConsumerConfig, SecretKey, SecretKeys};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stand::{Running, Stand};

const DEADLINE: Duration = Duration::from_secs(60);

/// A stand with a projector and an API.
struct Served {
    stand: Box<Stand>,
    projector: Running,
    database: Database,
    api: Arc<Api>,
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        Box::pin(Self::with(ApiConfig::new("api-1"))).await
    }

    async fn with(mut config: ApiConfig) -> Self {
        let key = SecretKey::draw().parse::<SecretKey>().expect("a key");
        config.secret_keys = SecretKeys::new([key]);
        let stand = Box::new(Box::pin(Stand::with_postgres()).await);
        let projector = stand.projector("ktk").await;
        let database = stand.database("ktk").await;
        let limits = config.limits.clone();
        let api = Api::start(stand.bus.clone(), database.clone(), config).await.expect("it starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let (app, stopped) = (server::router(&api), stop.clone());
        let server = tokio::spawn(async move {
            server::serve(listener, app, &limits, None, stopped).await.expect("it serves");
        });
        Self { stand, projector, database, api, address, stop, server }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn client(&self) -> Client {
        Client::connect(&self.url(), DEADLINE).await.expect("connected")
    }

    /// Follows the stream from its beginning to an event.
    async fn until(&self, mut is_it: impl FnMut(&Recorded) -> bool) -> Recorded {
        let mut consumer = self.stand.bus.consumer(ConsumerConfig {
            name: format!("until-{}", Uuid::new_v4()),
            filters: vec![],
            from_seq: 1,
            batch_max: 100,
        });
        let stop = CancellationToken::new();
        let found = async {
            loop {
                let batch =
                    consumer.next_batch(&stop).await.expect("it only grows").expect("not stopped");
                for delivery in batch {
                    let recorded = Arc::clone(delivery.recorded());
                    delivery.ack().await.expect("acknowledged");
                    if is_it(&recorded) {
                        return (*recorded).clone();
                    }
                }
            }
        };
        tokio::time::timeout(DEADLINE, found).await.expect("the event comes")
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.api.stop()).await.expect("connections end");
        tokio::time::timeout(DEADLINE, self.server).await.expect("the server ends").expect("well");
        self.projector.stop().await;
        Box::pin(self.stand.stop()).await;
    }
}

fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "kantoku/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A specification that hands its input on.
fn pass() -> Value {
    document(
        "Specification",
        "pass",
        &json!({
            "inputs": {"x": "unknown"}, "outputs": {"x": "unknown"},
            "executable": {"type": "noop"},
        }),
    )
}

/// Applies, and waits until the read model, which suggestions come from, knows of it.
async fn apply(client: &Client, documents: Vec<Value>) -> Result<Applied, ClientError> {
    let applied = call::<ManifestApply>(client, json!({ "documents": documents })).await?;
    call::<TaskCount>(client, json!({ "min_seq": applied.stream_seq })).await?;
    Ok(applied)
}

/// Calls with parameters as they are written.
pub(crate) async fn call<M: Method>(
    client: &Client,
    params: Value,
) -> Result<M::Answer, ClientError> {
    let params = serde_json::from_value(params).expect("parameters of the method");
    client.call::<M>(&params).await
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>) -> ApiError {
    match result {
        Err(ClientError::Api(error)) => error,
        other => panic!("it was not refused: {other:?}"),
    }
}
