//! Mutations: of what a request says, and of the bytes that say it.

use serde_json::{Map, Value, json};

use super::{Known, random::Random, samples};

/// How many mutations a document has at most.
const MUTATIONS_MAX: usize = 4;
/// How many requests a batch has, unless it is to have too many.
const BATCH_MAX: usize = 12;

/// The documents of a run, by their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    seed: u64,
    samples: Vec<(&'static str, Value)>,
}

impl Documents {
    pub(crate) fn new(seed: u64, known: &Known) -> Self {
        Self { seed, samples: samples(known) }
    }

    /// Document `number`: the same one each time.
    pub(crate) fn document(&self, number: u64) -> Vec<u8> {
        let random = &mut Random::of(self.seed, number);
        let mut bytes = if random.one_in(12) {
            self.batch(random)
        } else {
            let request = self.request(random);
            text(&request, random)
        };
        if random.one_in(4) {
            for _ in 0..=random.below(MUTATIONS_MAX) {
                bend_bytes(&mut bytes, random, || self.request(&mut random_of(number)).to_string());
            }
        }
        bytes
    }

    fn batch(&self, random: &mut Random) -> Vec<u8> {
        let count = match random.below(400) {
            0 => 1_001 + random.below(200),
            1 => 20_000,
            2..=12 => 0,
            _ => 1 + random.below(BATCH_MAX),
        };
        if count > 1_000 {
            let one = text(&self.request(random), random);
            let one = if count > 10_000 { b"1".to_vec() } else { one };
            return [b"[".to_vec(), vec![one; count].join(&b","[..]), b"]".to_vec()].concat();
        }
        let texts: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let request = self.request(random);
                text(&request, random)
            })
            .collect();
        [b"[".to_vec(), texts.join(&b", "[..]), b"]".to_vec()].concat()
    }

    fn request(&self, random: &mut Random) -> Value {
        let (method, params) = random.pick(&self.samples);
        let mut request = json!({
            "jsonrpc": "2.0", "method": method, "params": params, "id": random.below(1_000),
        });
        if random.one_in(10) {
            remove(&mut request, "id");
        }
        for _ in 0..random.below(MUTATIONS_MAX) {
            if random.one_in(4) {
                self.bend_envelope(&mut request, random);
            } else if let Some(params) = request.get_mut("params") {
                bend(params, random);
            }
        }
        request
    }

    fn bend_envelope(&self, request: &mut Value, random: &mut Random) {
        let member = *random.pick(&["jsonrpc", "method", "params", "id"]);
        match random.below(5) {
            0 => remove(request, member),
            1 => put(request, member, strange(random)),
            2 => {
                let (_, params) = random.pick(&self.samples);
                put(request, "params", params.clone());
            }
            3 => {
                let member = *random.pick(&["Id", "extra", "method ", ""]);
                put(request, member, strange(random));
            }
            _ => {
                let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
                let length = random.below(method.len() + 1);
                let shorter: String = method.chars().take(length).collect();
                put(request, "method", shorter.into());
            }
        }
    }
}

/// The numbers of what is put between the bytes of document `number`.
fn random_of(number: u64) -> Random {
    Random::of(number, 1)
}

fn remove(request: &mut Value, member: &str) {
    if let Some(map) = request.as_object_mut() {
        map.remove(member);
    }
}

fn put(request: &mut Value, member: &str, value: Value) {
    if let Some(map) = request.as_object_mut() {
        map.insert(member.to_owned(), value);
    }
}

/// Changes something in a value, as deep down as chance has it.
fn bend(value: &mut Value, random: &mut Random) {
    let goes_deeper = !random.one_in(3);
    match value {
        Value::Object(map) if !map.is_empty() && goes_deeper => {
            let key = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
            bend(&mut map[&key], random);
        }
        Value::Array(items) if !items.is_empty() && goes_deeper => {
            let index = random.below(items.len());
            bend(&mut items[index], random);
        }
        Value::Object(map) if !random.one_in(4) => bend_map(map, random),
        Value::Array(items) if !random.one_in(4) => match random.below(3) {
            0 => items.push(strange(random)),
            1 if !items.is_empty() => {
                items.remove(random.below(items.len()));
            }
            _ => {
                let again = items.clone();
                items.extend(again);
            }
        },
        Value::String(text) if random.one_in(2) => bend_text(text, random),
        Value::Number(_) if random.one_in(2) => *value = number(random),
        _ => *value = strange(random),
    }
}

fn bend_map(map: &mut Map<String, Value>, random: &mut Random) {
    let key = map.keys().nth(random.below(map.len().max(1))).cloned().unwrap_or_default();
    match random.below(4) {
        0 => {
            map.remove(&key);
        }
        1 => {
            let value = map.remove(&key).unwrap_or_default();
            let mut renamed = key;
            bend_text(&mut renamed, random);
            map.insert(renamed, value);
        }
        2 => {
            map.insert(key, strange(random));
        }
        _ => {
            let unknown =
                *random.pick(&["", "id", "namespace", "value", "ünbekannt", "$ref", "__"]);
            map.insert(unknown.to_owned(), strange(random));
        }
    }
}

fn bend_text(text: &mut String, random: &mut Random) {
    let mut letters: Vec<char> = text.chars().collect();
    let at = random.below(letters.len() + 1);
    match random.below(5) {
        0 => letters.truncate(at),
        1 => letters
            .insert(at, *random.pick(&['\0', ' ', '.', '/', '"', '\\', 'é', '😀', '\u{feff}'])),
        2 => letters.extend(letters.clone()),
        3 if !letters.is_empty() => {
            letters.remove(at.min(letters.len() - 1));
        }
        _ => letters.iter_mut().for_each(|letter| *letter = letter.to_ascii_uppercase()),
    }
    *text = letters.into_iter().collect();
}

fn number(random: &mut Random) -> Value {
    match random.below(10) {
        0 => json!(0),
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(i64::MIN),
        4 => json!(1_u64 << 53),
        5 => json!(1.5),
        6 => json!(1e308),
        7 => json!(-0.0),
        8 => json!(1_000_000_000_000_u64),
        _ => json!(random.below(100_000)),
    }
}

/// A value that is hardly meant.
fn strange(random: &mut Random) -> Value {
    match random.below(14) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2 | 3 => number(random),
        4 => json!(""),
        5 => json!("../../etc/passwd"),
        6 => json!("0193b0de-0000-7000-8000-000000000001"),
        7 => {
            let most = if random.one_in(50) { 20_000 } else { 300 };
            json!("x".repeat(1 + random.below(most)))
        }
        8 => json!("a\u{0}b\u{7f}\u{2028}😀"),
        9 => json!([]),
        10 => json!({}),
        11 => nested(random),
        12 => json!({"value": {"resource": null}, "all": [], "any": [{}]}),
        _ => json!([1, [2, [3]], {"a": {"b": null}}]),
    }
}

/// Something deep.
fn nested(random: &mut Random) -> Value {
    let most = if random.one_in(10) { 110 } else { 70 };
    let depth = random.below(most);
    (0..depth).fold(json!(1), |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "all": inner }),
    })
}

/// How a value may be written.
fn text(value: &Value, random: &mut Random) -> Vec<u8> {
    let text = match random.below(20) {
        0 => serde_json::to_string_pretty(value).unwrap_or_default(),
        1 => format!(" \t\r\n{value}\n "),
        _ => value.to_string(),
    };
    text.into_bytes()
}

/// What is put into texts as it is.
const SNIPPETS: &[&[u8]] = &[
    b"\"id\":1,\"id\":2,",
    b"\"method\":\"task.get\",",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\\u0000",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98",
    b"\xef\xbb\xbf",
    b"\0",
    b"1e400",
    b"-",
    b"1.",
    b"0x10",
    b"NaN",
    b"123456789012345678901234567890",
    b"null",
    b"{}",
    b"[]",
    b",",
    b":",
    b"\"",
    b"//",
    b"'",
];

/// Changes bytes, whatever they say.
fn bend_bytes(bytes: &mut Vec<u8>, random: &mut Random, other: impl FnOnce() -> String) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(32)).min(bytes.len());
    match random.below(10) {
        0 if !bytes.is_empty() => {
            let index = at.min(bytes.len() - 1);
            bytes[index] ^= 1 << random.below(8);
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        4 => drop(bytes.splice(at..at, other().into_bytes())),
        5 => {
            let most = if random.one_in(20) { 5_000 } else { 120 };
            let levels = 1 + random.below(most);
            let (open, close) = *random.pick(&[("[", "]"), ("{\"a\":", "}")]);
            let deep = [open.repeat(levels), "1".to_owned(), close.repeat(levels)].concat();
            bytes.splice(at..end, deep.into_bytes());
        }
        6 => {
            let digits = "9".repeat(1 + random.below(400));
            bytes.splice(at..at, digits.into_bytes());
        }
        _ => {
            let snippet = random.pick(SNIPPETS).to_vec();
            bytes.splice(at..at, snippet);
        }
    }
}
