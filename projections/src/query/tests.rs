//! Both spellings, what they refuse, and what becomes of whatever is written.

use serde_json::{Value, json};
use sqlx::{Arguments as _, Execute as _, Postgres, QueryBuilder};

use super::{CONTEXTS, Catalogue, Condition, Known, RESOURCES, TASKS, mql, sql, text};

fn of_json(catalogue: &Catalogue, filter: &Value) -> Result<Condition, String> {
    let filter = filter.as_object().expect("a filter is an object");
    mql::parse(catalogue, filter).map_err(|error| error.to_string())
}

fn of_text(catalogue: &Catalogue, filter: &str) -> Result<Condition, String> {
    text::parse(catalogue, filter).map_err(|error| error.to_string())
}

const ID: &str = "0193a5c2-0000-7000-8000-000000000001";

#[test]
fn both_spellings_come_to_the_same() {
    for (json, text) in [
        (json!({"status": "finished"}), "status == \"finished\""),
        (json!({"status": {"$eq": "finished"}}), "'finished' == status"),
        (json!({"status": {"$ne": "x"}}), "status != 'x'"),
        (json!({"status": {"$ne": "x"}}), "!(status == 'x')"),
        (json!({"labels.team": {"$in": ["a", "b"]}}), "labels.team in ['a', \"b\",]"),
        (json!({"labels.a.b/c": {"$nin": ["a"]}}), "!(labels[\"a.b/c\"] in ['a'])"),
        (json!({"attempt": {"$gt": 1, "$lte": 3}}), "attempt > 1 && 3 >= attempt"),
        (json!({"priority": {"$lt": -1.5}}), "priority < -1.5"),
        (json!({"updated_at": {"$gt": "now-1h"}}), "updated_at > now - duration(\"1h\")"),
        (json!({"updated_at": {"$gt": "-1h"}}), "updated_at > 'now - 60m'"),
        (json!({"not_before": {"$gte": "now"}}), "now <= not_before"),
        (
            json!({"created_at": {"$lt": "2026-01-01T00:00:00Z"}}),
            "created_at < timestamp('2026-01-01T00:00:00.000Z')",
        ),
        (json!({"error": {"$exists": true}}), "has(error)"),
        (json!({"error": {"$exists": false}}), "!has(error)"),
        (json!({"error": null}), "error == null"),
        (json!({"result.n": {"$in": [null, 1]}}), "result.n in [null, 1]"),
        (json!({"step": {"$regex": "^x"}}), "step.matches(\"^x\")"),
        (json!({"step": {"$regex": "^x\\.y"}}), "step.startsWith(\"x.y\")"),
        (json!({"step": {"$regex": "x", "$options": "i"}}), "step.matches('(?i)x')"),
        (json!({"result.tags": {"$includes": "a"}}), "'a' in result.tags"),
        (json!({"result.items.0.a": true}), "result.items[0].a"),
        (json!({"paused": true, "status": "ready"}), "paused && status == 'ready'"),
        (json!({"current": {"$not": {"$eq": true}}}), "!current"),
        (
            json!({"$or": [{"status": "ready"}, {"$and": [{"node": "a"}, {"queue": "b"}]}]}),
            "status == 'ready' || node == 'a' && queue == 'b'",
        ),
        (json!({"$nor": [{"node": "a"}, {"queue": "b"}]}), "!(node == 'a' || queue == 'b')"),
        (json!({"$not": {"node": "a", "queue": "b"}}), "!(node == 'a' && queue == 'b')"),
        (
            json!({"$descendant_of": ID, "parent_id": ID}),
            &format!("descendant_of('{ID}') && parent_id == '{}'", ID.to_uppercase()),
        ),
    ] {
        let (from_json, from_text) = (of_json(&TASKS, &json), of_text(&TASKS, text));
        assert_eq!(from_json, from_text, "{json} and {text}");
        from_json.unwrap();
    }
    assert_eq!(of_json(&TASKS, &json!({})), Ok(Condition::always()));
    of_text(&CONTEXTS, "pipeline == 'a' && pipeline.version == 2 && params.x.y < 1").unwrap();
    of_text(&RESOURCES, &format!("produced_by('{ID}') && value.a == 'b'")).unwrap();
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    for (filter, expected) in [
        (
            json!({"statsu": "x"}),
            "statsu: a task has no field \"statsu\"; did you mean \"status\"?",
        ),
        (
            json!({"labels": "x"}),
            "labels: name one of the labels: labels.NAME, or labels[\"NAME\"]",
        ),
        (json!({"status.x": "x"}), "status.x: there is nothing in status: it has one value"),
        (
            json!({"status": 1}),
            "status: it is a text, and is compared with a number; write a text in quotes",
        ),
        (
            json!({"status": {"$gte": null}}),
            "status.$gte: it is a text, and is compared with null; write a text in quotes",
        ),
        (
            json!({"status": {"$eqq": 1}}),
            "status.$eqq: a field has no operator \"$eqq\"; did you mean \"$eq\"?",
        ),
        (
            json!({"status": {"x": 1}}),
            "status.x: a field has no operator \"x\", but $eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, $exists, $regex, $includes, $not",
        ),
        (
            json!({"$orr": []}),
            "$orr: a filter of a task has no operator \"$orr\"; did you mean \"$or\"?",
        ),
        (json!({"$gt": 1}), "$gt: $gt is asked of a field: {\"FIELD\": {\"$gt\": …}}"),
        (
            json!({"$or": [{"node": "a"}, {"queue": {"$in": "a"}}]}),
            "$or.1.queue.$in: write a list of values: [\"a\", \"b\"]",
        ),
        (
            json!({"$or": []}),
            "$or: there is nothing in the list; write a list of filters: [{…}, {…}]",
        ),
        (json!({"status": ["a"]}), "status: this is a list: write {\"$in\": […]}"),
        (json!({"parent_id": "0193"}), "parent_id: \"0193\" is no id: write all of it"),
        (
            json!({"updated_at": {"$gt": "yesterday"}}),
            "updated_at.$gt: \"yesterday\" is no time: write \"2026-01-01T00:00:00Z\", \"now-1h\", or \"-15m\"",
        ),
        (
            json!({"paused": {"$gt": true}}),
            "paused.$gt: true and false have no order; write $eq or ==",
        ),
        (json!({"status": {"$includes": "a"}}), "status.$includes: it is a text, and no list"),
        (
            json!({"version": {"$regex": "a"}}),
            "version.$regex: it is a number, and patterns are looked for in texts",
        ),
        (
            json!({"$produced_by": ID}),
            "$produced_by: a filter of a task has no operator \"$produced_by\", but $and, $or, $nor, $not, $descendant_of, $blocked_by",
        ),
        (
            json!({"$descendant_of": "x"}),
            "$descendant_of: write {\"$descendant_of\": \"ID\"} with all of an id",
        ),
        (
            json!({"status": "a\0"}),
            "status: it is compared with a text with a NUL character, which none has",
        ),
        (
            json!({"labels.\0": "a"}),
            "labels.\0: the name of a field has a NUL character, which none has",
        ),
    ] {
        assert_eq!(of_json(&TASKS, &filter).unwrap_err(), expected);
    }
    for (filter, expected) in [
        ("statsu == 'x'", "column 1: a task has no field \"statsu\"; did you mean \"status\"?"),
        ("status = 'x'", "column 8: write == for what is equal"),
        ("status == 'x' and node == 'y'", "column 15: \"and\" cannot follow here; write && or ||"),
        ("status == ", "column 11: the text ends where a condition was expected"),
        ("status == 'x", "column 11: this text has no end; write ' behind it"),
        ("(status == 'x'", "column 15: the end stands where \")\" was expected"),
        ("status == queue", "column 1: compare a field with a value: status == \"ready\""),
        ("'a'", "column 1: a value is no condition; compare it, before the end"),
        (
            "status",
            "column 1: it is a text, and is compared with true or false; write a text in quotes",
        ),
        (
            "labels.my-team == 'a'",
            "column 1: it is a text, and is compared with true or false; write a text in quotes",
        ),
        (
            "status.match('x')",
            "column 1: there is no function \"match\"; did you mean \"matches\"?",
        ),
        (
            "descendent_of('x')",
            "column 1: there is no function \"descendent_of\"; did you mean \"descendant_of\"?",
        ),
        (
            "step.matches('(')",
            "column 1: \"(\" is no pattern that can be looked for: unclosed group",
        ),
        ("attempt > 1x", "column 11: \"1x\" is no number; write 3, 0.5 or 1e6"),
        ("status == #", "column 11: '#' means nothing here; texts stand in quotes"),
        ("updated_at > now - 1h", "column 20: \"1h\" is no number; write 3, 0.5 or 1e6"),
        ("updated_at > now - hours(1)", "column 20: write now - duration(\"1h\")"),
        ("has(status == 'x')", "column 12: \"==\" stands where \")\" was expected"),
        ("", "column 1: the text ends where a condition was expected"),
    ] {
        assert_eq!(of_text(&TASKS, filter).unwrap_err(), expected, "{filter}");
    }
}

#[test]
fn what_would_cost_too_much_is_refused() {
    let nested = |depth| {
        (0..depth).fold(
            json!({"node": "a"}),
            |inner, _| json!({"$not": {"$or": [inner, {"queue": "b"}]}}),
        )
    };
    let many = |count| json!({"$or": vec![json!({"node": "a"}); count]});
    let id = |n: u64| format!("0193a5c2-0000-7000-8000-{n:012}");
    for (filter, expected) in [
        (nested(40), "levels of conditions, and 16 is the limit"),
        (many(100), "the filter has 101 conditions, and 100 is the limit"),
        (
            json!({"node": {"$in": vec!["a"; 1_001]}}),
            "the filter has 1001 values in lists, and 1000 is the limit",
        ),
        (
            json!({"node": "a".repeat(2_000)}),
            "the filter has 2000 bytes in one value, and 1024 is the limit",
        ),
        (
            json!({"result.".to_owned() + &["a"; 20].join("."): 1}),
            "the filter has 21 keys in one field, and 16 is the limit",
        ),
        (
            json!({"labels.".to_owned() + &"a".repeat(300): "b"}),
            "the filter has 300 bytes in one key, and 256 is the limit",
        ),
        (
            json!({"$or": vec![json!({"node": {"$regex": "a"}}); 9]}),
            "the filter has 9 patterns, and 8 is the limit",
        ),
        (
            json!({"$or": (0..3).map(|n| json!({"$descendant_of": id(n)})).collect::<Vec<_>>()}),
            "the filter has 3 relations to other records, and 2 is the limit",
        ),
    ] {
        let error = of_json(&TASKS, &filter).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let deep = format!("{}paused{}", "(".repeat(100), ")".repeat(100));
    let denied = format!("{}paused", "!".repeat(10_000));
    let long = format!("status == '{}'", "a".repeat(20_000));
    for (filter, expected) in [
        (deep, "levels of conditions, and 16 is the limit"),
        (denied, "levels of conditions, and 16 is the limit"),
        (long, "bytes, and 16384 is the limit"),
    ] {
        let error = of_text(&TASKS, &filter).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

/// Stands in every name and value of the filters below; letters that no SQL has.
const MARKER: &str = "zqxjzqxj";

/// Numbers that look drawn (splitmix64).
struct Lot(u64);

impl Lot {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

fn seed() -> u64 {
    let seed = uuid::Uuid::now_v7().as_u128() as u64;
    eprintln!("seed {seed}");
    seed
}

/// What is written around the marker: what would get out of SQL, of JSON, or of a text.
const AROUND: [&str; 12] =
    ["", "'", "\"", "$1", "\\", "{}", "--", "');", ".", "%s", "\u{0}", "ä😀"];

fn marked(lot: &mut Lot) -> String {
    format!("{}{MARKER}{}", lot.of(&AROUND), lot.of(&AROUND))
}

fn any_value(lot: &mut Lot, depth: usize) -> Value {
    match lot.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(lot.below(2) == 0),
        2 => lot.of(&[json!(1), json!(-0.5), json!(1e300), json!(u64::MAX)]),
        3 => json!(lot.of(&["now-1h", ID, "2026-01-01T00:00:00Z", "-1d", "now+99999d"])),
        4 | 5 => json!(marked(lot)),
        6 => json!((0..lot.below(3)).map(|_| any_value(lot, depth - 1)).collect::<Vec<_>>()),
        _ => any_filter(lot, depth - 1),
    }
}

fn any_filter(lot: &mut Lot, depth: usize) -> Value {
    let mut filter = serde_json::Map::new();
    for _ in 0..=lot.below(3) {
        let key = match lot.below(8) {
            0 => {
                lot.of(&["$and", "$or", "$nor", "$not", "$descendant_of", "$blocked_by"]).to_owned()
            }
            1 | 2 => {
                lot.of(&["status", "id", "version", "updated_at", "paused", "step"]).to_owned()
            }
            3 => format!("labels.{}", marked(lot)),
            4 => format!("result.{}", marked(lot)),
            5 => lot
                .of(&["$eq", "$in", "$nin", "$gt", "$lte", "$exists", "$regex", "$includes"])
                .to_owned(),
            6 => "error".to_owned(),
            _ => marked(lot),
        };
        filter.insert(key, any_value(lot, depth));
    }
    Value::Object(filter)
}

fn check_sql(condition: &Condition, source: &dyn std::fmt::Debug) {
    let mut built = QueryBuilder::<Postgres>::default();
    sql::push(&mut built, condition, &Known::default());
    let mut query = built.build();
    let arguments = query.take_arguments().expect("all encodes").expect("there are some");
    let text = query.sql().as_str().to_owned();
    assert!(!text.contains(MARKER), "{source:?}: {text}");
    let named = text.match_indices('$').count();
    assert_eq!(named, arguments.len(), "{source:?}: {text}");
    assert!((1..=named).all(|n| text.contains(&format!("${n}"))), "{source:?}: {text}");
}

#[test]
fn whatever_is_written_as_json_is_refused_or_bound() {
    let mut lot = Lot(seed());
    let mut understood = 0;
    for _ in 0..20_000 {
        let filter = any_filter(&mut lot, 4);
        let catalogue = lot.of(&[&TASKS, &CONTEXTS, &RESOURCES]);
        let mut read = of_json(catalogue, &filter);
        if read.is_err() {
            // Most filters are wrong somewhere: a part of them alone may not be.
            let single = filter.as_object().unwrap().iter().next().unwrap();
            read = of_json(catalogue, &json!({single.0: single.1}));
        }
        if let Ok(condition) = read {
            understood += 1;
            check_sql(&condition, &filter);
        }
    }
    assert!(understood > 1_000, "{understood}");
}

#[test]
fn whatever_is_written_as_text_is_refused_or_bound() {
    let mut lot = Lot(seed());
    let words = [
        "status",
        "labels",
        "result",
        "updated_at",
        "now",
        "duration",
        "(",
        ")",
        "[",
        "]",
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        ",",
        ".",
        "-",
        "1",
        "1e3",
        "true",
        "null",
        "has",
        "\"",
        "'",
        "\\",
        "matches",
        "\"1h\"",
        "ä",
        "\u{0}",
        " ",
        "descendant_of",
        "paused",
        "has(error)",
    ];
    let mut understood = 0;
    for round in 0..20_000 {
        let text = if round % 2 == 0 {
            let picks = (0..lot.below(20)).map(|_| lot.of(&words));
            picks.collect::<Vec<_>>().join(lot.of(&["", " "]))
        } else {
            let quoted = |text: String| serde_json::to_string(&text).unwrap();
            let parts = (0..=lot.below(3)).map(|_| match lot.below(5) {
                0 => {
                    format!("labels[{}] == {}", quoted(marked(&mut lot)), quoted(marked(&mut lot)))
                }
                1 => format!("step in [{}]", quoted(marked(&mut lot))),
                2 => format!("{} in result.{MARKER}", quoted(marked(&mut lot))),
                3 => format!("!node.contains({})", quoted(marked(&mut lot))),
                _ => format!("result[{}].a.b > 1.5", quoted(marked(&mut lot))),
            });
            parts.collect::<Vec<_>>().join(" || ")
        };
        if let Ok(condition) = of_text(&TASKS, &text) {
            understood += 1;
            check_sql(&condition, &text);
        }
    }
    assert!(understood > 1_000, "{understood}");
}
