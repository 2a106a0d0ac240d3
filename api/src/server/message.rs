//! JSON-RPC 2.0 to the letter: what a message asks for, and how answers are written.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{ApiError, Code, ErrorData};

/// A message from a client.
pub(super) enum Message<'a> {
    /// One request.
    One(Parsed<'a>),
    /// Requests that are answered together, in one array.
    Batch(Vec<Parsed<'a>>),
    /// More of them than may come at once.
    TooMany {
        /// How many.
        count: usize,
        /// Those of them that can be answered one by one: all, or none where they are far too many.
        entries: Vec<Parsed<'a>>,
    },
}

/// Of a batch that is too long, so many times as many entries as are allowed are answered.
const ANSWERED_TIMES: usize = 10;

/// A request, or why it is none.
pub(super) type Parsed<'a> = Result<Request<'a>, ApiError>;

/// A request.
pub(super) struct Request<'a> {
    /// What is to be done.
    pub(super) method: Cow<'a, str>,
    /// With what: an object or an array.
    pub(super) params: Option<&'a RawValue>,
    /// A text, a number or null, as the client wrote it. A request without one is a notification:
    /// it is carried out and not answered.
    pub(super) id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// Tells an id of null from no id.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Message<'a> {
    /// Takes a message apart. `depth_max` is how deep it may nest, `batch_max` how many requests it
    /// may hold. Fails when it cannot be told what the message is: the one answer to it has the id
    /// null.
    pub(super) fn parse(
        bytes: &'a [u8],
        depth_max: usize,
        batch_max: usize,
    ) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ApiError::new(Code::Parse, format!("this is no UTF-8: {error}")))?;
        let raw: &RawValue = serde_json::from_str(text)
            .map_err(|error| ApiError::new(Code::Parse, format!("this is no JSON: {error}")))?;
        if nests_deeper(raw.get(), depth_max) {
            let message = format!("the JSON nests deeper than {depth_max} levels");
            return Err(ApiError::new(Code::Limit, message));
        }
        if !raw.get().starts_with('[') {
            return Ok(Self::One(request(raw)));
        }
        let kept_max = ANSWERED_TIMES * batch_max;
        let Entries { first, count } = Entries::read(raw, kept_max)
            .map_err(|error| ApiError::new(Code::Parse, format!("this is no JSON: {error}")))?;
        match count {
            0 => Err(ApiError::new(Code::InvalidRequest, "a batch holds at least one request")),
            _ if count > kept_max => Ok(Self::TooMany { count, entries: vec![] }),
            _ => {
                let entries = first.into_iter().map(request).collect();
                Ok(if count > batch_max {
                    Self::TooMany { count, entries }
                } else {
                    Self::Batch(entries)
                })
            }
        }
    }

    /// The requests in it that are ones.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Request<'a>> {
        match self {
            Self::One(parsed) => std::slice::from_ref(parsed),
            Self::Batch(entries) | Self::TooMany { entries, .. } => entries,
        }
        .iter()
        .filter_map(|parsed| parsed.as_ref().ok())
    }
}

/// The entries of an array: the first of them, and how many there are. Most of a message may be
/// commas.
struct Entries<'a> {
    first: Vec<&'a RawValue>,
    count: usize,
}

impl<'a> Entries<'a> {
    fn read(array: &'a RawValue, kept_max: usize) -> serde_json::Result<Self> {
        serde_json::Deserializer::from_str(array.get()).deserialize_seq(First { kept_max })
    }
}

struct First {
    kept_max: usize,
}

impl<'de> Visitor<'de> for First {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut entries = Entries { first: Vec::new(), count: 0 };
        while let Some(entry) = array.next_element::<&RawValue>()? {
            entries.count += 1;
            if entries.count <= self.kept_max {
                entries.first.push(entry);
            }
        }
        Ok(entries)
    }
}

fn request(raw: &RawValue) -> Parsed<'_> {
    let invalid = |what: &str| ApiError::new(Code::InvalidRequest, what);
    if !raw.get().starts_with('{') {
        return Err(invalid("a request of JSON-RPC 2.0 is an object"));
    }
    let Envelope { jsonrpc, method, params, id } = serde_json::from_str(raw.get())
        .map_err(|error| invalid(&format!("this is no request of JSON-RPC 2.0: {error}")))?;
    if jsonrpc != "2.0" {
        return Err(invalid("this is no request of JSON-RPC 2.0: \"jsonrpc\" is not \"2.0\""));
    }
    let starts = |raw: &RawValue, with: &[char]| raw.get().starts_with(with);
    if params.is_some_and(|params| !starts(params, &['{', '['])) {
        return Err(invalid("\"params\" is an object: {\"name\": value}"));
    }
    if id.is_some_and(|id| starts(id, &['{', '[', 't', 'f'])) {
        return Err(invalid("\"id\" is a text, a number or null"));
    }
    Ok(Request { method, params, id })
}

/// Whether brackets outside of texts nest deeper than `depth_max`. `json` is well-formed.
fn nests_deeper(json: &str, depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Result(&'a RawValue),
    Error(ErrorObject<'a>),
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'a str,
    data: &'a ErrorData,
}

#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

/// The answer to the request `id`; to what could not be understood if there is none.
pub(super) fn response(id: Option<&RawValue>, result: &Result<Box<RawValue>, ApiError>) -> String {
    let outcome = match result {
        Ok(answer) => Outcome::Result(answer),
        Err(error) => Outcome::Error(ErrorObject::of(error)),
    };
    write(&Response { jsonrpc: "2.0", id: id.unwrap_or(RawValue::NULL), outcome })
}

impl<'a> ErrorObject<'a> {
    fn of(error: &'a ApiError) -> Self {
        Self { code: error.code.number(), message: &error.message, data: &error.data }
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    jsonrpc: &'static str,
    method: &'a str,
    params: Item<'a>,
}

#[derive(Serialize)]
struct Item<'a> {
    subscription: u64,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

/// An answer of `subscription`, or why there will be no more.
pub(super) fn notification(
    method: &str,
    subscription: u64,
    item: &Result<Box<RawValue>, ApiError>,
) -> String {
    let outcome = match item {
        Ok(item) => Outcome::Result(item),
        Err(error) => Outcome::Error(ErrorObject::of(error)),
    };
    write(&Notification { jsonrpc: "2.0", method, params: Item { subscription, outcome } })
}

fn write(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("messages have texts as keys and cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<impl Sized, ApiError>) -> Option<i32> {
        result.err().map(|error| error.code.number())
    }

    fn one(text: &str) -> Option<i32> {
        match Message::parse(text.as_bytes(), 64, 10) {
            Ok(Message::One(parsed)) => code(parsed),
            Ok(_) => panic!("{text} is no batch"),
            Err(error) => Some(error.code.number()),
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_no_json() {
        assert_eq!(one(r#"{"jsonrpc": "2.0", "method": "a"}"#), None);
        assert_eq!(one(r#" {"jsonrpc": "2.0", "method": "a", "params": {}, "id": -1.5} "#), None);
        for invalid in [
            "1",
            "null",
            "{}",
            r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
            r#"{"jsonrpc": "2.0", "method": "a", "params": "bar"}"#,
            r#"{"jsonrpc": "1.0", "method": "a"}"#,
            r#"{"method": "a", "id": 1}"#,
            r#"{"jsonrpc": "2.0", "method": "a", "id": {}}"#,
            r#"{"jsonrpc": "2.0", "method": "a", "id": true}"#,
            r#"{"jsonrpc": "2.0", "method": "a", "id": 1, "id": 2}"#,
            "[]",
        ] {
            assert_eq!(one(invalid), Some(-32600), "{invalid}");
        }
        for broken in ["", "{", r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#] {
            assert_eq!(one(broken), Some(-32700), "{broken}");
        }
        assert_eq!(code(Message::parse(b"\"\xff\"", 64, 10)), Some(-32700));
    }

    #[test]
    fn an_id_of_null_is_an_id() {
        let id = |text: &'static str| match Message::parse(text.as_bytes(), 64, 10) {
            Ok(Message::One(Ok(request))) => request.id.map(|id| id.get().to_owned()),
            _ => panic!("{text} is a request"),
        };
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"a","id":null}"#).as_deref(), Some("null"));
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"a"}"#), None);
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"a","id":1.0}"#).as_deref(), Some("1.0"));
    }

    #[test]
    fn a_batch_is_taken_apart_and_each_judged_alone() {
        let text = br#"[1, {"jsonrpc": "2.0", "method": "a", "id": "x"}]"#;
        let Ok(Message::Batch(entries)) = Message::parse(text, 64, 10) else { panic!("a batch") };
        assert_eq!(entries.into_iter().map(code).collect::<Vec<_>>(), [Some(-32600), None]);
    }

    #[test]
    fn of_a_batch_that_is_too_long_no_more_is_kept_than_is_answered() {
        let batch = |n: usize| format!("[{}1]", "1,".repeat(n - 1));
        for (n, kept) in [(11, 11), (100, 100), (101, 0), (1_000_000, 0)] {
            match Message::parse(batch(n).as_bytes(), 64, 10) {
                Ok(Message::TooMany { count, entries }) => {
                    assert_eq!((count, entries.len()), (n, kept));
                }
                _ => panic!("{n} are too many"),
            }
        }
        assert!(matches!(Message::parse(batch(10).as_bytes(), 64, 10), Ok(Message::Batch(_))));
    }

    #[test]
    fn nesting_has_a_limit_and_texts_do_not_nest() {
        assert_eq!(code(Message::parse(b"[[[1]]]", 2, 10)), Some(1006));
        assert_eq!(code(Message::parse(br#"["[[[[\"[["]"#, 2, 10)), None);
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(code(Message::parse(deep.as_bytes(), 64, 10)), Some(1006));
    }

    #[test]
    fn answers_are_written_as_the_specification_has_them() {
        let answer = serde_json::from_str("19").expect("JSON");
        let id: &RawValue = serde_json::from_str("\"a\"").expect("JSON");
        assert_eq!(response(Some(id), &Ok(answer)), r#"{"jsonrpc":"2.0","id":"a","result":19}"#);
        let error = ApiError::new(Code::NotFound, "no");
        assert_eq!(
            response(None, &Err(error)),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1002,"message":"no","data":{"reason":"not_found","retryable":false}}}"#
        );
    }
}
