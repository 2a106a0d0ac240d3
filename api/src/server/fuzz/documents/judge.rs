//! What JSON-RPC 2.0 says about a document and its answer. Knows nothing of the server but its
//! limits and the names of its methods.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The limits of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) depth_max: usize,
    pub(crate) batch_max: usize,
}

/// Judges answers.
pub(crate) struct Judge {
    pub(crate) limits: Limits,
    pub(crate) methods: HashSet<String>,
}

/// Nothing that says what is wrong may be longer, besides the id.
const ERROR_BYTES_MAX: usize = 64 * 1024;

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const LIMIT: i64 = 1006;

/// What is due for a request.
enum Due<'a> {
    /// It is none: an error without id.
    Invalid,
    /// Nothing.
    Nothing,
    /// An answer with this id.
    Answer { id: &'a str, is_known: bool },
}

/// What is due for a document.
enum Whole<'a> {
    /// One error without id, of this code.
    Error(i64),
    One(Due<'a>),
    Batch(Vec<Due<'a>>),
    /// Errors for these.
    TooMany(Vec<Due<'a>>),
}

impl Judge {
    /// Whether there must be an answer to `document`.
    pub(crate) fn is_answered(&self, document: &[u8]) -> bool {
        match self.due(document) {
            Whole::One(Due::Nothing) => false,
            Whole::Batch(all) => all.iter().any(|due| !matches!(due, Due::Nothing)),
            _ => true,
        }
    }

    /// Says what is wrong with `answer`.
    pub(crate) fn check(&self, document: &[u8], answer: Option<&str>) -> Result<(), String> {
        let whole = self.due(document);
        let is_none_due = !self.is_answered(document);
        let Some(answer) = answer else {
            return if is_none_due { Ok(()) } else { Err("there is no answer".into()) };
        };
        if is_none_due {
            return Err("a notification was answered".into());
        }
        match whole {
            Whole::Error(code) => check_error(answer, code),
            Whole::One(due) => Self::check_one(&due, answer),
            Whole::TooMany(all) => {
                let ids = all.iter().filter(|due| matches!(due, Due::Answer { .. }));
                let ids: Vec<&Due<'_>> = ids.collect();
                if ids.is_empty() || all.len() > 10 * self.limits.batch_max {
                    return check_error(answer, LIMIT);
                }
                let answers = array(answer)?;
                count(&answers, ids.len())?;
                answers.iter().try_for_each(|answer| match Answered::read(answer)?.code()? {
                    Some(LIMIT) => Ok(()),
                    other => Err(format!("{other:?} for a request of a batch that is too long")),
                })
            }
            Whole::Batch(all) => {
                let due: Vec<Due<'_>> =
                    all.into_iter().filter(|due| !matches!(due, Due::Nothing)).collect();
                let answers = array(answer)?;
                count(&answers, due.len())?;
                due.iter().zip(answers).try_for_each(|(due, answer)| Self::check_one(due, answer))
            }
        }
    }

    fn due<'a>(&self, document: &'a [u8]) -> Whole<'a> {
        let Ok(text) = std::str::from_utf8(document) else { return Whole::Error(PARSE_ERROR) };
        let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
            return Whole::Error(PARSE_ERROR);
        };
        if depth(raw.get()) > self.limits.depth_max {
            return Whole::Error(LIMIT);
        }
        if !raw.get().starts_with('[') {
            return Whole::One(self.due_of(raw));
        }
        let entries: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
        let due = entries.iter().map(|entry| self.due_of(entry)).collect::<Vec<_>>();
        match due.len() {
            0 => Whole::Error(INVALID_REQUEST),
            count if count > self.limits.batch_max => Whole::TooMany(due),
            _ => Whole::Batch(due),
        }
    }

    fn due_of<'a>(&self, entry: &'a RawValue) -> Due<'a> {
        let Ok(Members(members)) = serde_json::from_str(entry.get()) else { return Due::Invalid };
        let count = |name: &str| members.iter().filter(|(key, _)| key == name).count();
        if ["jsonrpc", "method", "params", "id"].into_iter().any(|name| count(name) > 1) {
            return Due::Invalid;
        }
        let get = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
        let text = |name| get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let Some(method) = text("method") else { return Due::Invalid };
        if text("jsonrpc").as_deref() != Some("2.0") {
            return Due::Invalid;
        }
        let begins = |raw: &RawValue, with: &[char]| raw.get().starts_with(with);
        if get("params").is_some_and(|raw| !begins(raw, &['{', '[', 'n'])) {
            return Due::Invalid;
        }
        match get("id") {
            None => Due::Nothing,
            Some(id) if begins(id, &['{', '[', 't', 'f']) => Due::Invalid,
            Some(id) => Due::Answer { id: id.get(), is_known: self.methods.contains(&method) },
        }
    }

    fn check_one(due: &Due<'_>, answer: &str) -> Result<(), String> {
        let Due::Answer { id, is_known } = due else { return check_error(answer, INVALID_REQUEST) };
        let answered = Answered::read(answer)?;
        if answered.id.get() != *id {
            return Err(format!("the id is {} and not {id}", answered.id));
        }
        match (answered.code()?, is_known) {
            (Some(METHOD_NOT_FOUND), false) | (None | Some(INVALID_PARAMS | 1000..=1010), true) => {
                let allowed = ERROR_BYTES_MAX + id.len();
                if answered.error.is_some() && answer.len() > allowed {
                    return Err(format!("an error of {} bytes", answer.len()));
                }
                Ok(())
            }
            (code, _) => Err(format!("code {code:?} of a request that is one")),
        }
    }
}

fn check_error(answer: &str, code: i64) -> Result<(), String> {
    let answered = Answered::read(answer)?;
    if answered.id.get() != "null" {
        return Err(format!("the id is {} and not null", answered.id));
    }
    if answer.len() > ERROR_BYTES_MAX {
        return Err(format!("an error of {} bytes", answer.len()));
    }
    match answered.code()? {
        Some(found) if found == code => Ok(()),
        found => Err(format!("code {found:?} and not {code}")),
    }
}

fn array(answer: &str) -> Result<Vec<&str>, String> {
    let answers: Vec<&RawValue> = serde_json::from_str(answer)
        .map_err(|error| format!("the answers are no array: {error}"))?;
    Ok(answers.into_iter().map(RawValue::get).collect())
}

fn count(answers: &[&str], due: usize) -> Result<(), String> {
    if answers.len() == due {
        return Ok(());
    }
    Err(format!("{} answers and not {due}", answers.len()))
}

/// How deep brackets outside of texts nest.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ErrorObject<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorObject<'a> {
    code: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    reason: String,
    #[serde(rename = "retryable")]
    _retryable: bool,
}

impl<'a> Answered<'a> {
    fn read(answer: &'a str) -> Result<Self, String> {
        let answered: Self = serde_json::from_str(answer)
            .map_err(|error| format!("this is no answer of JSON-RPC 2.0: {error}"))?;
        if answered.jsonrpc != "2.0" {
            return Err(format!("this is JSON-RPC {}", answered.jsonrpc));
        }
        Ok(answered)
    }

    /// The code of an error, `None` for a result.
    fn code(&self) -> Result<Option<i64>, String> {
        match (&self.result, &self.error) {
            // `"result": null` reads like none.
            (Some(_) | None, None) => Ok(None),
            (None, Some(error)) if error.message.is_empty() || error.data.reason.is_empty() => {
                Err("an error says nothing".into())
            }
            (None, Some(error)) => Ok(Some(error.code)),
            (Some(_), Some(_)) => Err("there is a result and an error".into()),
        }
    }
}

/// The members of an object, each as often as it is there.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each)
    }
}

struct Each;

impl<'de> Visitor<'de> for Each {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            members.push((key, map.next_value()?));
        }
        Ok(Members(members))
    }
}

/// A text that is copied only where it has to be.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
