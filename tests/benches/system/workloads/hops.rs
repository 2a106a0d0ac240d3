//! Where the time of a single task goes, by the times at which the server stored its events.

use std::{collections::BTreeMap, time::SystemTime};

use async_nats::jetstream::stream::Stream;
use kantoku_streams::subject::TYPE_HEADER;
use serde_json::{Map, Value};

use super::millis_since;
use crate::measured::{at, rounded, sorted};

/// When a client asked for a task, and when it had the result.
pub(super) struct Call {
    pub(super) asked: SystemTime,
    pub(super) answered: SystemTime,
}

/// What is stored of a task, in order, and what has happened by then.
const STAGES: [(&str, &str); 4] = [
    ("TaskSpawned", "asked → spawned"),
    ("TaskReady", "spawned → announced"),
    ("TaskReceived", "announced → claimed"),
    ("TaskFinished", "claimed → finished"),
];
const ANSWERED: &str = "finished → answered";

/// The medians of all hops in milliseconds, of tasks that followed each other from position `after_seq` on.
/// Without a hop whose event is not stored.
pub(super) async fn of(calls: &[Call], events: &Stream, after_seq: u64) -> Map<String, Value> {
    let last_seq = events.get_info().await.expect("its state").state.last_sequence;
    let mut hops: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut calls = calls.iter();
    let (mut call, mut before) = (None, SystemTime::UNIX_EPOCH);
    for stream_seq in after_seq + 1..=last_seq {
        let message = events.get_raw_message(stream_seq).await.expect("a message");
        let type_ = message.headers.get(TYPE_HEADER).map(async_nats::HeaderValue::as_str);
        let Some(stage) = STAGES.iter().position(|(name, _)| type_ == Some(*name)) else {
            continue;
        };
        if stage == 0 {
            call = calls.next();
            before = call.map_or(before, |call: &Call| call.asked);
        }
        let stored = message.time.into();
        hops.entry(stage).or_default().push(millis_since(before, stored));
        before = stored;
        if stage + 1 == STAGES.len()
            && let Some(call) = call
        {
            hops.entry(STAGES.len()).or_default().push(millis_since(stored, call.answered));
        }
    }
    let name = |stage: usize| STAGES.get(stage).map_or(ANSWERED, |(_, name)| *name).to_owned();
    let median = |each| at(&sorted(each), 0.5).map_or(Value::Null, rounded);
    hops.into_iter().map(|(stage, each)| (name(stage), median(each))).collect()
}
