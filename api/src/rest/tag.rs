//! `ETag`, and the conditions that are made with it (RFC 9110, 13).
//!
//! A tag is the position of the last event that changed the document, and the beginning of a hash of
//! all it says: some of that, as whether what a task waits for is there, follows from other events.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use kantoku_domain::digest;
use serde::Deserialize;
use serde_json::value::RawValue;

/// How many digits of the hash there are.
const DIGITS: usize = 16;

/// What a document is like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    /// Of a document that says where it was changed.
    pub(super) fn of(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Position {
            stream_seq: u64,
        }
        let raw: &RawValue = serde_json::from_slice(document).ok()?;
        let Position { stream_seq } = serde_json::from_str(raw.get()).ok()?;
        let digest = digest(&raw);
        let digits = digest.strip_prefix("sha256:")?.get(..DIGITS)?;
        Some(Self(format!("\"{stream_seq}-{digits}\"")))
    }

    /// As the header `ETag` has it.
    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("digits and a hyphen in quotes")
    }

    /// The same, for people.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `If-None-Match` names it: then the client has the document already.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let weak = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == self.0;
        tags(headers, &header::IF_NONE_MATCH).any(|tag| tag == "*" || weak(tag))
    }

    /// Whether `If-Match` names it, or is not there.
    pub(super) fn is_expected(&self, headers: &HeaderMap) -> bool {
        !headers.contains_key(header::IF_MATCH)
            || tags(headers, &header::IF_MATCH).any(|tag| tag == "*" || tag == self.0)
    }
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_as_http_has_them() {
        let tag = Tag::of(br#"{"stream_seq": 7, "a": 1}"#).expect("a position");
        assert!(tag.as_str().starts_with("\"7-"), "{tag:?}");
        assert_ne!(Tag::of(br#"{"stream_seq": 7, "a": 2}"#).as_ref(), Some(&tag));
        assert_eq!(Tag::of(b"{}"), None);
        let with = |name, value: &str| HeaderMap::from_iter([(name, value.parse().expect("text"))]);
        let weak = format!("\"x\", W/{}", tag.as_str());
        assert!(tag.is_known(&with(header::IF_NONE_MATCH, &weak)));
        assert!(!tag.is_known(&with(header::IF_NONE_MATCH, "\"x\"")));
        assert!(!tag.is_known(&HeaderMap::new()));
        assert!(tag.is_expected(&HeaderMap::new()));
        assert!(tag.is_expected(&with(header::IF_MATCH, "*")));
        assert!(!tag.is_expected(&with(header::IF_MATCH, &weak)), "weak tags promise too little");
    }
}
