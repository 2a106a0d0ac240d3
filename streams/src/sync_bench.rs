//! What it costs that the server writes before it acknowledges:
//! `cargo test --release -p kantoku-streams sync_bench -- --ignored --nocapture`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use kantoku_domain::{Id, Kind, Namespace, Partition};

use crate::{Guard, JetStream, Message, Store as _, subject, testing::Server};

const LIMIT: Duration = Duration::from_secs(4);

/// Appends of 256 bytes, each the first on its subject, by so many callers at once: how many in a
/// second, and the median of their times.
async fn measure(store: &Arc<JetStream>, callers: usize, from: &mut u64) -> (f64, Duration) {
    let start = Instant::now();
    let numbers = (*from..).take_while(|_| start.elapsed() < LIMIT);
    let times: Vec<Duration> = stream::iter(numbers)
        .map(|number| {
            let store = Arc::clone(store);
            async move {
                let id = Id::default().derive(&number.to_string(), Partition::of(1));
                let subject = subject::event(&Namespace::default(), Kind::Task, id);
                let (event_type, payload) = ("TaskSpawned", vec![b'x'; 256].into());
                let message = Message { subject: subject.clone(), event_type, payload };
                let begun = Instant::now();
                store.append(message, Guard { subject, last_seq: 0 }).await.unwrap();
                begun.elapsed()
            }
        })
        .buffer_unordered(callers)
        .collect()
        .await;
    *from += times.len() as u64;
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    let mut sorted = times;
    sorted.sort_unstable();
    (rate, sorted[sorted.len() / 2])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for half a minute, and proves nothing"]
async fn appends_by_sync_policy() {
    for policy in ["always", "\"100ms\"", "\"2m\""] {
        let lines = format!("sync_interval: {policy}");
        let Some(server) = Server::start_with_monitor(&lines).await else { return };
        let (client, context) = server.ready().await;
        let store = Arc::new(JetStream::open(client, &context).await.unwrap());
        let mut number = 0;
        for callers in [1, 64, 512] {
            let (rate, median) = measure(&store, callers, &mut number).await;
            eprintln!("sync {policy}, {callers} callers: {rate:.0}/s, median {median:?}");
        }
    }
}
