//! How fast events become rows. Figures are printed; only their order of magnitude is asserted, as
//! builds without optimisation and busy machines are slow.

use std::time::{Duration, Instant};

use kantoku_domain::{Event, Recorded};
use kantoku_projections::Projector;
use serde_json::json;

use crate::{
    given::{CREATED, Stream, derived, id, ok, spawned},
    postgres::Postgres,
};

const TASKS: usize = 10_000;

/// The life of `TASKS` tasks of one context, all of them side by side.
fn lives() -> Vec<Recorded> {
    let mut stream = Stream::default();
    let context = id(1 << 32);
    let tasks: Vec<_> = (0..TASKS).map(|n| derived(context, &n.to_string())).collect();
    for wave in tasks.chunks(100) {
        for task in wave {
            stream.push(context, *task, Event::TaskSpawned(spawned(context, *task, "a", &[])));
        }
        for task in wave {
            stream.ready(context, *task, 1);
            stream.received(context, *task, 1);
            stream.finish(context, *task, ok(1, json!({"n": 1})));
        }
    }
    stream.events
}

#[tokio::test]
async fn thousands_of_events_a_second_become_rows() {
    let Some(postgres) = Postgres::start().await else { return };
    let events = lives();
    let projector = Projector::new(postgres.open("ktk").await, CREATED);
    let (bulk, singles) = events.split_at(events.len() - 400);
    let started = Instant::now();
    for batch in bulk.chunks(1_000) {
        projector.apply_batch(batch).await.unwrap();
    }
    let rate = bulk.len() as f64 / started.elapsed().as_secs_f64();
    let started = Instant::now();
    for event in singles {
        projector.apply_batch(std::slice::from_ref(event)).await.unwrap();
    }
    let each = started.elapsed() / singles.len() as u32;
    eprintln!("projected {rate:.0} events/s in batches of 1,000; {each:?} for a single event");
    assert!(rate > 500.0, "{rate:.0} events/s");
    assert!(each < Duration::from_millis(100), "{each:?} for one event");
}
