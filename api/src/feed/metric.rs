//! What the feed counts.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const POSITION: &str = "ktk_api_feed_position";
const WATCHERS: &str = "ktk_api_feed_watchers";
const LAGGED: &str = "ktk_api_feed_lagged_total";

/// Tells the recorder what the metrics mean. May be called more than once.
pub(super) fn describe() {
    describe_gauge!(POSITION, "Position up to which a feed has got: events, tasks, contexts");
    describe_gauge!(WATCHERS, "Waits and subscriptions that watch a feed");
    describe_counter!(LAGGED, "How often a watcher of a feed was too slow and had to read anew");
}

pub(super) fn position(feed: &'static str, stream_seq: u64) {
    gauge!(POSITION, "feed" => feed).set(stream_seq as f64);
}

pub(super) fn watchers(feed: &'static str, difference: f64) {
    gauge!(WATCHERS, "feed" => feed).increment(difference);
}

pub(super) fn lagged(feed: &'static str) {
    counter!(LAGGED, "feed" => feed).increment(1);
}
