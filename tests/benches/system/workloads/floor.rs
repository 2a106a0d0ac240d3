//! What the log alone takes for as many appends: nothing that appends each of them can be faster.

use std::time::Instant;

use async_nats::{
    HeaderMap, header,
    jetstream::{Context, stream::Config},
};
use futures::{StreamExt as _, stream};

use crate::{
    measured::{at, sorted},
    stand::Up,
};

const STREAM: &str = "BENCH_FLOOR";
/// Under way at once.
const WINDOW: usize = 512;
/// About as much as an event is.
const BYTES: usize = 600;

/// The time that `count` guarded appends of 600 bytes take on a stream of the same settings, pipelined by a
/// bare client, each the first on its subject.
pub(super) async fn seconds(up: &Up, count: u64) -> f64 {
    make(up).await;
    let begun = Instant::now();
    stream::iter(0..count)
        .map(|number| append(&up.jetstream, number))
        .buffer_unordered(WINDOW)
        .for_each(|()| std::future::ready(()))
        .await;
    let took = begun.elapsed().as_secs_f64();
    up.jetstream.delete_stream(STREAM).await.expect("deleted");
    took
}

/// The median time of such an append on its own, in milliseconds.
pub(super) async fn single_ms(up: &Up) -> f64 {
    const TIMES: u64 = 200;
    make(up).await;
    let mut each = Vec::new();
    for number in 0..TIMES {
        let begun = Instant::now();
        append(&up.jetstream, number).await;
        each.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    up.jetstream.delete_stream(STREAM).await.expect("deleted");
    at(&sorted(each), 0.5).expect("some")
}

async fn make(up: &Up) {
    let events = up.events().await;
    let config = Config {
        name: STREAM.to_owned(),
        subjects: vec!["floor.>".to_owned()],
        ..events.cached_info().config.clone()
    };
    up.jetstream.create_stream(config).await.expect("made");
}

async fn append(jetstream: &Context, number: u64) {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    let payload = vec![b'x'; BYTES].into();
    let sent = jetstream.publish_with_headers(format!("floor.{number}"), headers, payload).await;
    sent.expect("sent").await.expect("stored");
}
