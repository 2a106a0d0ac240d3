//! What this crate counts.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

const EVENTS: &str = "ktk_node_events_total";
const LAG: &str = "ktk_node_lag_events";
const EFFECTS: &str = "ktk_node_effects_total";
const EFFECT_SECONDS: &str = "ktk_node_effect_seconds";
const EFFECTS_PANICKED: &str = "ktk_node_effects_panicked_total";
const EFFECTS_GIVEN_UP: &str = "ktk_node_effects_given_up_total";
const EFFECTS_OPEN: &str = "ktk_node_effects_open";
const LEASES: &str = "ktk_leases_held";
const LEASES_LOST: &str = "ktk_leases_lost_total";
const LEADS: &str = "ktk_scheduler_leads";
const SNAPSHOT: &str = "ktk_node_snapshot_position";
const SNAPSHOT_BYTES: &str = "ktk_node_snapshot_bytes";
const SNAPSHOT_SECONDS: &str = "ktk_node_snapshot_seconds";
const RESTORED: &str = "ktk_node_restored_position";
const SEALS: &str = "ktk_seals_total";
const SEALED: &str = "ktk_sealed_position";

/// Registers the descriptions. To be called once, after the recorder is installed.
pub fn describe() {
    describe_counter!(EVENTS, "Events that the processor node has folded");
    describe_gauge!(LAG, "Events that the processor node has still to fold");
    describe_counter!(EFFECTS, "What followed from events and was carried out, by kind");
    describe_histogram!(EFFECT_SECONDS, Unit::Seconds, "Time that an effect took, tries included");
    describe_counter!(EFFECTS_PANICKED, "Effects that panicked, and are tried again after a while");
    describe_counter!(EFFECTS_GIVEN_UP, "Effects that fail whenever they are tried");
    describe_gauge!(EFFECTS_OPEN, "Effects that are under way or wait for one of the same task");
    describe_gauge!(LEASES, "Attempts that executors hold, as the lease keeper knows it");
    describe_counter!(LEASES_LOST, "Attempts taken away, by reason: silence, restart");
    describe_gauge!(LEADS, "1 where this process' scheduler acts, 0 where it stands by");
    describe_gauge!(SNAPSHOT, "Position of the last snapshot of what the handlers have folded");
    describe_gauge!(SNAPSHOT_BYTES, Unit::Bytes, "Size of the last snapshot");
    describe_histogram!(SNAPSHOT_SECONDS, Unit::Seconds, "Time that a snapshot took");
    describe_gauge!(RESTORED, "Position that the node began at, 0 without a snapshot");
    describe_counter!(SEALS, "Seals stored over the events");
    describe_gauge!(SEALED, "Position up to which the events are sealed");
}

pub(crate) fn folded(events: usize, left: u64) {
    counter!(EVENTS).increment(events as u64);
    gauge!(LAG).set(left as f64);
}

pub(crate) fn leads(leads: bool) {
    gauge!(LEADS).set(f64::from(u8::from(leads)));
}

pub(crate) fn carried_out(kind: &'static str, took: Duration) {
    counter!(EFFECTS, "kind" => kind).increment(1);
    histogram!(EFFECT_SECONDS, "kind" => kind).record(took);
}

pub(crate) fn effect_panicked() {
    counter!(EFFECTS_PANICKED).increment(1);
}

pub(crate) fn effect_gave_up() {
    counter!(EFFECTS_GIVEN_UP).increment(1);
}

pub(crate) fn open(effects: usize) {
    gauge!(EFFECTS_OPEN).set(effects as f64);
}

pub(crate) fn leases(held: usize) {
    gauge!(LEASES).set(held as f64);
}

pub(crate) fn snapshot(stream_seq: u64, bytes: usize, took: Duration) {
    gauge!(SNAPSHOT).set(stream_seq as f64);
    gauge!(SNAPSHOT_BYTES).set(bytes as f64);
    histogram!(SNAPSHOT_SECONDS).record(took);
}

pub(crate) fn restored(position: u64) {
    gauge!(RESTORED).set(position as f64);
}

pub(crate) fn sealed(stream_seq: u64) {
    counter!(SEALS).increment(1);
    gauge!(SEALED).set(stream_seq as f64);
}

pub(crate) fn lease_lost(reason: &'static str) {
    counter!(LEASES_LOST, "reason" => reason).increment(1);
}
