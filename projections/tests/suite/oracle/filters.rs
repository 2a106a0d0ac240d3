//! Random filters of tasks, all of which are understood.

use serde_json::{Map, Value, json};

use super::documents::{id, key, number, text, time};
use crate::world::Lot;

/// A filter about these documents.
pub(super) fn any(lot: &mut Lot, documents: &[Value]) -> Value {
    let depth = lot.below(4);
    filter(lot, documents, depth)
}

fn filter(lot: &mut Lot, documents: &[Value], depth: usize) -> Value {
    if depth == 0 || lot.below(4) == 0 {
        let (name, test) = test(lot, documents);
        return json!({name: test});
    }
    let several = |lot: &mut Lot| -> Vec<Value> {
        (0..=lot.below(3)).map(|_| filter(lot, documents, depth - 1)).collect()
    };
    match lot.below(5) {
        0 => json!({"$and": several(lot)}),
        1 => json!({"$or": several(lot)}),
        2 => json!({"$nor": several(lot)}),
        3 => json!({"$not": filter(lot, documents, depth - 1)}),
        _ => {
            let tests = (0..=lot.below(3)).map(|_| test(lot, documents));
            Value::Object(tests.collect::<Map<_, _>>())
        }
    }
}

/// A field and what it is tested for.
fn test(lot: &mut Lot, documents: &[Value]) -> (String, Value) {
    const TEXTS: [&str; 9] = [
        "namespace",
        "status",
        "sub_status",
        "specification",
        "step",
        "queue",
        "shard_key",
        "reason",
        "node",
    ];
    const IDS: [&str; 7] = [
        "id",
        "context_id",
        "parent_id",
        "restart_root",
        "restart_parent",
        "restarted_as",
        "root_cause",
    ];
    const NUMBERS: [&str; 6] =
        ["version", "attempt", "priority", "origin", "position", "stream_seq"];
    const TIMES: [&str; 6] =
        ["created_at", "updated_at", "waiting_since", "not_before", "started_at", "finished_at"];
    let document = &documents[lot.below(documents.len())];
    // Often a value that a document has.
    let has = |lot: &mut Lot, name: &str, make: fn(&mut Lot) -> Value| match &document[name] {
        found if lot.below(2) == 0 && !found.is_null() => found.clone(),
        _ => make(lot),
    };
    let one = |lot: &mut Lot, names: &[&str]| names[lot.below(names.len())].to_owned();
    match lot.below(12) {
        0 | 1 => {
            let name = one(lot, &TEXTS);
            let test = of_text(lot, &mut |lot| has(lot, &name, |lot| json!(text(lot))));
            (name, test)
        }
        2 => {
            let name = one(lot, &IDS);
            let test = ordered(lot, &mut |lot| has(lot, &name, |lot| json!(id(lot))));
            (name, test)
        }
        3 => {
            let name = one(lot, &NUMBERS);
            let test = ordered(lot, &mut |lot| has(lot, &name, number));
            (name, test)
        }
        4 => {
            let name = one(lot, &TIMES);
            let test = ordered(lot, &mut |lot| match lot.below(8) {
                0 => json!((["now", "now-1h", "+3650d", "-1000d"][lot.below(4)])),
                _ => has(lot, &name, |lot| json!(time(lot))),
            });
            (name, test)
        }
        5 => {
            let name = one(lot, &["current", "unfolded", "paused"]);
            (name, equal(lot, &mut |lot| json!(lot.below(2) == 0)))
        }
        6 | 7 => {
            let name = format!("labels.{}", key(lot));
            (name, of_text(lot, &mut |lot| json!(text(lot))))
        }
        8 => (
            one(lot, &["paused.by", "paused.since", "other_causes", "other_causes.1"]),
            of_any(lot),
        ),
        _ => {
            let (path, found) = within(lot, &document["result"]);
            let name = format!("result{path}");
            match found {
                Some(found) if lot.below(2) == 0 => (name, of_found(lot, &found)),
                _ => (name, of_any(lot)),
            }
        }
    }
}

/// A way into what was put into a document, mostly one that leads somewhere.
fn within(lot: &mut Lot, value: &Value) -> (String, Option<Value>) {
    let (mut path, mut at) = (String::new(), Some(value));
    while lot.below(4) > 0 {
        let known: Vec<String> = match at {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(items)) => (0..items.len()).map(|n| n.to_string()).collect(),
            _ => Vec::new(),
        };
        let next = match lot.below(6) {
            0 => key(lot),
            _ if known.is_empty() => break,
            _ => known[lot.below(known.len())].clone(),
        };
        at = match at {
            Some(Value::Object(map)) => map.get(&next),
            Some(Value::Array(items)) => next.parse::<usize>().ok().and_then(|n| items.get(n)),
            _ => None,
        };
        path = format!("{path}.{next}");
    }
    (path, at.cloned())
}

/// A test that what was found passes, if it is of its type.
fn of_found(lot: &mut Lot, found: &Value) -> Value {
    match found {
        Value::String(_) => of_text(lot, &mut |_| found.clone()),
        Value::Number(_) => ordered(lot, &mut |_| found.clone()),
        Value::Array(items) if !items.is_empty() => match &items[lot.below(items.len())] {
            Value::Array(_) | Value::Object(_) | Value::Null => of_any(lot),
            item => json!({"$includes": item}),
        },
        Value::Bool(_) => equal(lot, &mut |_| found.clone()),
        _ => of_any(lot),
    }
}

fn of_any(lot: &mut Lot) -> Value {
    match lot.below(4) {
        0 => ordered(lot, &mut number),
        1 => of_text(lot, &mut |lot| json!(text(lot))),
        2 => equal(lot, &mut |lot| json!(lot.below(2) == 0)),
        _ => json!({"$includes": scalar(lot)}),
    }
}

fn scalar(lot: &mut Lot) -> Value {
    match lot.below(4) {
        0 => json!(lot.below(2) == 0),
        1 => number(lot),
        2 => json!(id(lot)),
        _ => json!(text(lot)),
    }
}

/// What can be asked of anything.
fn equal(lot: &mut Lot, value: &mut dyn FnMut(&mut Lot) -> Value) -> Value {
    let mut listed = |lot: &mut Lot| -> Vec<Value> {
        let one = |lot: &mut Lot, value: &mut dyn FnMut(&mut Lot) -> Value| match lot.below(8) {
            0 => Value::Null,
            _ => value(lot),
        };
        (0..lot.below(4)).map(|_| one(lot, value)).collect()
    };
    match lot.below(8) {
        0 => json!({"$in": listed(lot)}),
        1 => json!({"$nin": listed(lot)}),
        2 => json!({"$exists": lot.below(2) == 0}),
        3 => json!(null),
        4 => json!({"$ne": value(lot)}),
        5 => json!({"$not": {"$eq": value(lot)}}),
        6 => json!({"$eq": value(lot)}),
        _ => value(lot),
    }
}

fn ordered(lot: &mut Lot, value: &mut dyn FnMut(&mut Lot) -> Value) -> Value {
    match lot.below(6) {
        0 => json!({"$gt": value(lot)}),
        1 => json!({"$gte": value(lot)}),
        2 => json!({"$lt": value(lot)}),
        3 => json!({"$lte": value(lot), "$gt": value(lot)}),
        _ => equal(lot, value),
    }
}

fn of_text(lot: &mut Lot, value: &mut dyn FnMut(&mut Lot) -> Value) -> Value {
    match lot.below(3) {
        0 => json!({"$regex": pattern(lot, 3)}),
        _ => ordered(lot, value),
    }
}

/// A pattern that is understood.
fn pattern(lot: &mut Lot, depth: usize) -> String {
    const ATOMS: [&str; 26] = [
        "a",
        "b",
        "A",
        "ä",
        "😀",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        "[a-c]",
        "[^a]",
        r"[\d_]",
        "[[:upper:]]",
        "[^[:alpha:]b]",
        "(?i:a)",
        "(?s:.)",
        r"\.",
        r"\\",
        "1",
        "-",
        "\n",
        "(?i:ä)",
        "[à-ÿ]",
    ];
    let atom = |lot: &mut Lot| ATOMS[lot.below(ATOMS.len())].to_owned();
    if depth == 0 {
        return atom(lot);
    }
    let inner = |lot: &mut Lot| pattern(lot, depth - 1);
    match lot.below(8) {
        0 => format!("{}{}", inner(lot), inner(lot)),
        1 => format!("{}|{}", inner(lot), inner(lot)),
        2 => format!("^(?:{})", inner(lot)),
        3 => format!("(?:{})$", inner(lot)),
        4 => format!("^(?:{})$", inner(lot)),
        5 => {
            let times = ["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}"];
            format!("(?:{}){}", atom(lot), times[lot.below(times.len())])
        }
        6 => format!("({}|){}", inner(lot), atom(lot)),
        _ => atom(lot),
    }
}
