//! What one piece of work costs, in terms of another.

use std::{hint::black_box, time::Duration};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use serde_json::{Value, json};

/// How often each is done, in turns. The cheapest time counts: whatever disturbs only makes it dearer.
const ROUNDS: usize = 7;

/// Work that can be repeated.
pub(crate) trait Work {
    /// How many pieces one round has.
    fn pieces(&self) -> usize;
    /// Does all of them once. What has to be there beforehand is no part of the work.
    fn run(&self);
}

/// How many times as much CPU one piece of `work` takes as one piece of `reference`.
pub(crate) fn compare(work: &impl Work, reference: &impl Work) -> f64 {
    let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        theirs = theirs.min(cost(reference));
        ours = ours.min(cost(work));
    }
    let each = |took: Duration, work: usize| took.as_secs_f64() / work as f64;
    each(ours, work.pieces()) / each(theirs, reference.pieces())
}

fn cost(work: &impl Work) -> Duration {
    let begun = on_this_thread();
    work.run();
    on_this_thread().saturating_sub(begun)
}

/// The CPU time of this thread: others that run meanwhile do not count.
fn on_this_thread() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("Linux counts by thread");
    let micros = |time: nix::sys::time::TimeVal| time.num_microseconds().unsigned_abs();
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}

/// Pieces that cost ten readings each.
pub(crate) struct Tenfold;

impl Work for Tenfold {
    fn pieces(&self) -> usize {
        Reading.pieces() / 10
    }

    fn run(&self) {
        Reading.run();
    }
}

/// The reference: a document of about the size of an event is read and written.
pub(crate) struct Reading;

const READINGS: usize = 4_000;

impl Work for Reading {
    fn pieces(&self) -> usize {
        READINGS
    }

    fn run(&self) {
        let document = json!({
            "version": 3,
            "event": {"type": "Something", "data": {
                "numbers": [1, 2, 3, 4, 5, 6, 7, 8], "name": "words/count",
                "inputs": {"a": {"value": "alice"}, "b": {"value": [true, false, null]}},
                "outputs": {"x": {"id": "01a20dec-bbc2-7797-aa60-851b71314227", "type": "number"}},
            }},
            "metadata": {
                "event_id": "01a20dec-bbc2-7797-aa60-851b71314227",
                "command_id": "01a20dec-bbc2-7797-aa60-851b71314227",
                "actor": "anonymous", "service_id": "executor-1", "schema": 1,
            },
        });
        let text = document.to_string();
        for _ in 0..READINGS {
            let read: Value = serde_json::from_str(black_box(&text)).expect("JSON");
            black_box(read.to_string());
        }
    }
}
