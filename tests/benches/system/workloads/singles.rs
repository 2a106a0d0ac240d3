//! W4: submit one task and wait for its result, 200 times on an idle system.

use std::time::{Instant, SystemTime};

use kantoku_api::Client;

use super::{
    floor,
    hops::{self, Call},
    result, spawn,
};
use crate::{
    measured::{Measured, Spending},
    stand::Up,
};

const TASKS: usize = 200;

pub(super) async fn run(up: &Up) -> Measured {
    let events = up.events().await;
    let after_seq = events.cached_info().state.last_sequence;
    let spending = Spending::begin(up.pid);
    let begun = Instant::now();
    let (mut each, mut calls) = (Vec::with_capacity(TASKS), Vec::with_capacity(TASKS));
    for _ in 0..TASKS {
        let (asked, begun) = (SystemTime::now(), Instant::now());
        one(&up.client).await;
        each.push(begun.elapsed().as_secs_f64() * 1_000.0);
        calls.push(Call { asked, answered: SystemTime::now() });
    }
    let seconds = begun.elapsed().as_secs_f64();
    let spent = spending.end();
    let note = "spawn → result at the client, one at a time; hops_ms are medians between events in the log";
    let append_ms = floor::single_ms(up).await;
    let measured = Measured::new(TASKS, seconds, note).spent(&spent).percentiles(each);
    let ratio = measured.p50_ms.unwrap_or_default() / append_ms;
    let mut measured = measured.with("append_ms", append_ms).with("append_ratio", ratio);
    measured.more.insert("hops_ms".into(), hops::of(&calls, &events, after_seq).await.into());
    measured
}

/// Spawns a task and waits for its result.
pub(crate) async fn one(client: &Client) {
    let spawned = spawn(client, None).await;
    result(client, spawned.task_id).await;
}
