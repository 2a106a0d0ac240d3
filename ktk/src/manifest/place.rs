//! Where things stand in a text.

use std::{collections::BTreeMap, sync::Arc};

/// A stretch of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// In characters; at least 1.
    pub(crate) length: usize,
}

/// Where a value stands, and everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it begins; of an alias where it is used.
    pub(crate) at: Place,
    /// What is in it.
    pub(crate) inner: Arc<Inner>,
}

/// What a value holds.
#[derive(Debug)]
pub(crate) enum Inner {
    /// A text, number, truth value or null, as it was written.
    Scalar(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values.
    Mapping(BTreeMap<String, Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where the key stands.
    pub(crate) key: Place,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// Where a problem at `path` stands that is described by `message`: at the value if the message
    /// is about a scalar, at the key if it names the key or the value goes over several lines. If
    /// there is no such path, where it ends.
    pub(crate) fn find(&self, path: &[String], message: &str) -> Place {
        let mut node = self;
        let mut place = self.at;
        let mut names_key = false;
        for key in path {
            match &*node.inner {
                Inner::Mapping(entries) => {
                    let Some(entry) = entries.get(key) else { return place };
                    names_key = is_quoted(message, key);
                    place = entry.key;
                    node = &entry.value;
                }
                Inner::Sequence(items) => {
                    let item = key.parse().ok().and_then(|index: usize| items.get(index));
                    let Some(item) = item else { return place };
                    names_key = false;
                    place = item.at;
                    node = item;
                }
                Inner::Scalar(_) => return node.at,
            }
        }
        match &*node.inner {
            Inner::Scalar(text) if !names_key || is_quoted(message, text) => node.at,
            Inner::Sequence(items) => {
                let is_meant = |item: &&Node| match &*item.inner {
                    Inner::Scalar(text) => is_quoted(message, text),
                    Inner::Sequence(_) | Inner::Mapping(_) => false,
                };
                items.iter().find(is_meant).map_or(place, |item| item.at)
            }
            Inner::Scalar(_) | Inner::Mapping(_) => place,
        }
    }
}

/// Whether `message` names `text`.
fn is_quoted(message: &str, text: &str) -> bool {
    message.contains(&format!("{text:?}")) || message.contains(&format!("`{text}`"))
}
