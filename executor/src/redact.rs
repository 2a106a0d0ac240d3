//! Keeps the secrets of an attempt out of whatever is said about it.
//!
//! Text is redacted: each value, in any of its [`forms`], becomes `[secret NAME]`. Data is not: an
//! output that was changed silently would be worse than none, so that it fails the attempt.

mod forms;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use kantoku_domain::{SecretName, SecretValue, task::Failure};
use memchr::memmem;
use serde_json::Value;

pub(crate) use self::stream::Stream;
use crate::{failure, result::ResultDocument};

/// What must not be said, of one attempt. Cheap to clone; empty for most.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Arc<[Pattern]>);

/// A text by which a secret would be told.
struct Pattern {
    bytes: Vec<u8>,
    /// What stands instead.
    label: Arc<str>,
    /// Per length of a beginning: how long the longest end of it is that begins the pattern again.
    borders: Vec<u32>,
}

impl Redactor {
    /// Keeps back `secrets`.
    pub(crate) fn new(secrets: &[(SecretName, SecretValue)]) -> Self {
        let of = |(name, value): &(SecretName, SecretValue)| {
            let label: Arc<str> = name.label().into();
            forms::of(value.expose()).into_iter().map(move |bytes| Pattern {
                borders: borders(&bytes),
                bytes,
                label: Arc::clone(&label),
            })
        };
        Self(secrets.iter().flat_map(of).collect())
    }

    /// A text as it comes, piece by piece.
    pub(crate) fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.0))
    }

    /// A text that is there as a whole.
    pub(crate) fn text(&self, text: String) -> String {
        if self.0.is_empty() {
            return text;
        }
        let mut stream = self.stream();
        let mut clear = stream.push(text.as_bytes()).to_vec();
        clear.extend_from_slice(stream.end());
        // Each pattern is whole characters, and so is what is left without it.
        String::from_utf8_lossy(&clear).into_owned()
    }

    /// A failure, whose message and output may tell anything.
    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        Failure {
            message: self.text(failure.message),
            stderr_tail: failure.stderr_tail.map(|tail| self.text(tail)),
            ..failure
        }
    }

    /// Refuses a result that holds the value of a secret anywhere: it would be stored for good, and
    /// given to whoever reads it.
    pub(crate) fn check(&self, said: &ResultDocument) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let refuse = |place: String| move |label: &str| Err(failure::told(&place, label));
        for (name, value) in &said.outputs {
            let found = self.found_in_text(name).or_else(|| self.found_in(value));
            found.map_or(Ok(()), refuse(format!("output {name:?}")))?;
        }
        for child in &said.spawn {
            let names = [child.key.as_str(), child.specification.as_str()];
            let mut texts = names.into_iter().chain(child.inputs.keys().map(String::as_str));
            let found = texts.find_map(|text| self.found_in_text(text));
            let found = found.or_else(|| child.inputs.values().find_map(|it| self.found_in(it)));
            found.map_or(Ok(()), refuse(format!("child {:?}", child.key)))?;
        }
        let mut texts = said.delegate.iter().flat_map(|(name, target)| [name, target]);
        let found = texts.find_map(|text| self.found_in_text(text));
        found.map_or(Ok(()), refuse("delegate".into()))?;
        let found = said.result.as_ref().and_then(|value| self.found_in(value));
        found.map_or(Ok(()), refuse("result".into()))
    }

    /// The label of a secret that `value` tells.
    fn found_in(&self, value: &Value) -> Option<&str> {
        match value {
            Value::Null | Value::Bool(_) => None,
            Value::Number(number) => self.found_in_text(&number.to_string()),
            Value::String(text) => self.found_in_text(text),
            Value::Array(items) => items.iter().find_map(|item| self.found_in(item)),
            Value::Object(map) => map
                .iter()
                .find_map(|(key, value)| self.found_in_text(key).or_else(|| self.found_in(value))),
        }
    }

    fn found_in_text(&self, text: &str) -> Option<&str> {
        let is_in = |it: &&Pattern| memmem::find(text.as_bytes(), &it.bytes).is_some();
        self.0.iter().find(is_in).map(|pattern| &*pattern.label)
    }
}

/// See [`Pattern::borders`].
fn borders(bytes: &[u8]) -> Vec<u32> {
    let mut borders = vec![0; bytes.len() + 1];
    let mut length = 0;
    for end in 1..bytes.len() {
        while length > 0 && bytes[length] != bytes[end] {
            length = borders[length] as usize;
        }
        length += usize::from(bytes[length] == bytes[end]);
        borders[end + 1] = length as u32;
    }
    borders
}
