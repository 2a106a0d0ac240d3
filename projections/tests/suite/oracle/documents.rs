//! Random tasks: all fields that have a type are of it, and what people put in is of any.

use kantoku_domain::Timestamp;
use serde_json::{Map, Value, json};

use crate::world::Lot;

/// The times of documents are around this.
const AROUND: i64 = 1_790_000_000_000_000;

/// Few, so that filters find some; and texts that collations, patterns and JSON take differently.
pub(super) const TEXTS: [&str; 24] = [
    "", "a", "A", "b", "ab", "a b", "a-b", "ä", "é", "z", "Z", "_", "1", "10", "9", "1.0", "null",
    "true", "a\nb", "\\", "\"", "'; --", "😀", "\u{ff5e}",
];
pub(super) const KEYS: [&str; 14] =
    ["a", "b", "c", "0", "1", "-1", " 1", "+0", "a-b", "ä", "x/y", "", "$eq", "team"];
pub(super) const NUMBERS: [&str; 22] = [
    "0",
    "-0.0",
    "1",
    "1.0",
    "-1",
    "0.1",
    "0.30000000000000004",
    "0.3",
    "2",
    "10",
    "1e2",
    "100",
    "1e300",
    "-1e300",
    "5e-324",
    "9007199254740993",
    "9007199254740992.0",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1.7976931348623157e308",
    "1e-7",
];

pub(super) fn text(lot: &mut Lot) -> String {
    TEXTS[lot.below(TEXTS.len())].to_owned()
}

pub(super) fn key(lot: &mut Lot) -> String {
    KEYS[lot.below(KEYS.len())].to_owned()
}

pub(super) fn number(lot: &mut Lot) -> Value {
    serde_json::from_str(NUMBERS[lot.below(NUMBERS.len())]).unwrap()
}

pub(super) fn id(lot: &mut Lot) -> String {
    format!("0193a5c2-0000-7000-8000-{:012x}", lot.below(8))
}

pub(super) fn time(lot: &mut Lot) -> String {
    let offset = [0, 1, 10, 100_000, 500_000, 1_000_000, 60_000_000, -1, -1_000_000];
    Timestamp::from_micros(AROUND + offset[lot.below(offset.len())]).to_string()
}

fn whole(lot: &mut Lot, end: usize) -> Value {
    json!(lot.below(end))
}

/// Whatever may be put into a document.
pub(super) fn value(lot: &mut Lot, depth: usize) -> Value {
    match lot.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(lot.below(2) == 0),
        2 | 3 => number(lot),
        4 | 5 => json!(text(lot)),
        6 => (0..lot.below(4)).map(|_| value(lot, depth - 1)).collect(),
        _ => {
            let entries = (0..lot.below(4)).map(|_| (key(lot), value(lot, depth - 1)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn maybe(lot: &mut Lot, make: impl FnOnce(&mut Lot) -> Value) -> Value {
    if lot.below(3) == 0 { Value::Null } else { make(lot) }
}

/// The task with this number.
pub(super) fn any(lot: &mut Lot, number: usize) -> Value {
    const STATUSES: [&str; 6] =
        ["initialized", "ready", "received", "finished", "cancelled", "skipped"];
    let names = ["text/words", "text/count", "a", "b"];
    let labels: Map<String, Value> =
        (0..lot.below(4)).map(|_| (key(lot), json!(text(lot)))).collect();
    let mut task = json!({
        "id": format!("0193a5c2-0000-7000-8000-{number:012x}"),
        "namespace": (["default", "other"][lot.below(2)]),
        "step": maybe(lot, |lot| json!(text(lot))),
        "specification": names[lot.below(names.len())],
        "version": whole(lot, 4),
        "status": STATUSES[lot.below(STATUSES.len())],
        "sub_status": maybe(lot, |lot| json!((["ok", "failed"][lot.below(2)]))),
        "inputs": {},
        "outputs": {},
        "context_id": id(lot),
        "parent_id": maybe(lot, |lot| json!(id(lot))),
        "restart_root": maybe(lot, |lot| json!(id(lot))),
        "restart_parent": maybe(lot, |lot| json!(id(lot))),
        "restarted_as": maybe(lot, |lot| json!(id(lot))),
        "current": lot.below(2) == 0,
        "attempt": whole(lot, 4),
        "queue": text(lot),
        "priority": lot.below(5) as i64 - 2,
        "labels": labels,
        "retry": {},
        "timeouts": {},
        "result": value(lot, 4),
        "error": null,
        "created_at": time(lot),
        "waiting_since": time(lot),
        "updated_at": time(lot),
        "started_at": maybe(lot, |lot| json!(time(lot))),
        "finished_at": maybe(lot, |lot| json!(time(lot))),
        "node": maybe(lot, |lot| json!(text(lot))),
        "unfolded": lot.below(2) == 0,
        "origin": whole(lot, 4),
        "position": whole(lot, 4),
        "stream_seq": whole(lot, 9),
    });
    let mut put = |lot: &mut Lot, name: &str, make: &dyn Fn(&mut Lot) -> Value| {
        if lot.below(2) == 0 {
            task[name] = make(lot);
        }
    };
    put(lot, "shard_key", &|lot| json!(text(lot)));
    put(lot, "reason", &|lot| json!(text(lot)));
    put(lot, "not_before", &|lot| json!(time(lot)));
    put(lot, "root_cause", &|lot| json!(id(lot)));
    put(lot, "other_causes", &|lot| (0..lot.below(4)).map(|_| json!(id(lot))).collect());
    put(lot, "paused", &|lot| json!({"by": text(lot), "since": time(lot)}));
    task
}
