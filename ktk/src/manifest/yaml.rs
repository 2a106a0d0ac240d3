//! From YAML to values, with the place of every key and value.
//!
//! Built from the parser's events without recursion, and bounded: depth, and what aliases may grow to.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag, options};
use serde_json::{Map, Value};

use super::{
    Finding, merge,
    place::{Entry, Inner, Node, Place},
    scalar, syntax,
};

/// How deep documents may be nested. JSON parsers stop not much later.
const DEPTH_MAX: usize = 100;
/// What all aliases of a file may stand for together, in bytes as [`Built::size`] counts them.
const ALIASED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How many findings are collected before giving up on a file.
const FINDINGS_MAX: usize = 100;
/// The length of the longest key, in characters.
const KEY_LENGTH_MAX: usize = 64 * 1024;

/// The documents of a text, and all that is wrong with it. Documents that say nothing are left out.
pub(super) fn parse(text: &str) -> (Vec<(Value, Node)>, Vec<Finding>) {
    let mut builder = Builder::default();
    // The parser may open one level more than is allowed, so that the error is ours.
    let options = options! {
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
        simple_key_max_lookahead: KEY_LENGTH_MAX,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(syntax::explain(&error, text)),
        };
        if let Err(finding) = taken {
            builder.findings.push(finding);
            break;
        }
        if builder.findings.len() >= FINDINGS_MAX {
            break;
        }
    }
    (builder.documents, builder.findings)
}

/// A finished value.
#[derive(Clone)]
struct Built {
    value: Value,
    node: Node,
    /// Roughly the memory it takes, in bytes.
    size: usize,
    depth: usize,
    /// Whether it is `<<`, written without quotes.
    is_merge: bool,
}

/// A list or mapping that is not finished.
struct Frame {
    at: Place,
    anchor: usize,
    size: usize,
    depth: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Value>, Vec<Node>),
    Mapping {
        map: Map<String, Value>,
        entries: BTreeMap<String, Entry>,
        key: Key,
        merges: Vec<Built>,
    },
}

/// What the next value of a mapping belongs to.
enum Key {
    /// The next value is a key.
    Awaited,
    Named(String, Place),
    Merge,
    /// It cannot be used, which has been reported.
    Unusable,
}

#[derive(Default)]
struct Builder {
    documents: Vec<(Value, Node)>,
    findings: Vec<Finding>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Built>,
    aliased_bytes: usize,
}

impl Builder {
    /// Takes an event in. Fails when it makes no sense to go on.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        let at = place(span);
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::SequenceStart(_, anchor, tag) => {
                self.check_collection_tag(tag.as_deref(), "seq", at);
                self.open(at, anchor, Content::Sequence(Vec::new(), Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_collection_tag(tag.as_deref(), "map", at);
                let (map, entries) = (Map::new(), BTreeMap::new());
                let content =
                    Content::Mapping { map, entries, key: Key::Awaited, merges: Vec::new() };
                self.open(at, anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar::resolve(&text, style, tag.as_deref()).unwrap_or_else(|error| {
                    self.findings.push(Finding::at(at, error));
                    Value::Null
                });
                let size = size_of::<Value>() + text.len();
                let is_merge = text == "<<" && style == ScalarStyle::Plain;
                let inner = Arc::new(Inner::Scalar(text.into_owned()));
                let built = Built { value, node: Node { at, inner }, size, depth: 0, is_merge };
                self.finish(built, anchor)?;
            }
            Event::Alias(anchor) => self.alias(anchor, at)?,
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, at: Place, anchor: usize, content: Content) -> Result<(), Finding> {
        if self.frames.len() >= DEPTH_MAX {
            return Err(too_deep(at));
        }
        let size = size_of::<Value>();
        self.frames.push(Frame { at, anchor, size, depth: 1, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Finding> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let Frame { at, anchor, size, depth, content } = frame;
        let (value, inner) = match content {
            Content::Sequence(values, nodes) => (Value::Array(values), Inner::Sequence(nodes)),
            Content::Mapping { mut map, mut entries, merges, .. } => {
                for Built { value, node, .. } in merges {
                    if !merge::merge(&mut map, &mut entries, &value, &node) {
                        self.findings.push(Finding::at(node.at, merge::WANTED));
                    }
                }
                (Value::Object(map), Inner::Mapping(entries))
            }
        };
        self.finish(
            Built {
                value,
                node: Node { at, inner: Arc::new(inner) },
                size,
                depth,
                is_merge: false,
            },
            anchor,
        )
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, built: Built, anchor: usize) -> Result<(), Finding> {
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Some(frame) = self.frames.last_mut() else {
            self.finish_document(built);
            return Ok(());
        };
        frame.size += built.size;
        frame.depth = frame.depth.max(built.depth + 1);
        if frame.depth + self.frames.len() > DEPTH_MAX + 1 {
            return Err(too_deep(built.node.at));
        }
        self.put(built);
        Ok(())
    }

    fn put(&mut self, built: Built) {
        let Some(frame) = self.frames.last_mut() else { return };
        match &mut frame.content {
            Content::Sequence(values, nodes) => {
                values.push(built.value);
                nodes.push(built.node);
            }
            Content::Mapping { map, entries, key, merges } => {
                match std::mem::replace(key, Key::Awaited) {
                    Key::Awaited => match read_key(&built, entries) {
                        Ok(read) => *key = read,
                        Err(finding) => {
                            self.findings.push(finding);
                            *key = Key::Unusable;
                        }
                    },
                    Key::Named(name, at) => {
                        map.insert(name.clone(), built.value);
                        entries.insert(name, Entry { key: at, value: built.node });
                    }
                    Key::Merge => merges.push(built),
                    Key::Unusable => {}
                }
            }
        }
    }

    fn finish_document(&mut self, built: Built) {
        match built.value {
            Value::Null => {}
            Value::Object(_) => self.documents.push((built.value, built.node)),
            _ => self.findings.push(
                Finding::at(built.node.at, "a document is a mapping")
                    .suggest("write apiVersion, kind, metadata and spec"),
            ),
        }
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Finding> {
        let Some(built) = self.anchors.get(&anchor) else {
            return Err(Finding::at(at, "an alias cannot stand inside of what it stands for"));
        };
        self.aliased_bytes += built.size;
        if self.aliased_bytes > ALIASED_BYTES_MAX {
            let message =
                format!("the aliases of this file stand for more than {ALIASED_BYTES_MAX} bytes");
            return Err(Finding::at(at, message).suggest("write out what is meant"));
        }
        let mut built = built.clone();
        built.node.at = at;
        self.finish(built, 0)
    }

    fn check_collection_tag(&mut self, tag: Option<&Tag>, wanted: &str, at: Place) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema_tag(wanted)
        {
            let message = format!("the tag {tag} means nothing here; leave it out");
            self.findings.push(Finding::at(at, message));
        }
    }
}

/// What a key stands for, unless it is none or was there before.
fn read_key(built: &Built, entries: &BTreeMap<String, Entry>) -> Result<Key, Finding> {
    let at = built.node.at;
    if built.is_merge {
        return Ok(Key::Merge);
    }
    let name = match (&built.value, &*built.node.inner) {
        (Value::String(name), _) => name,
        (_, Inner::Scalar(text)) if !text.is_empty() => {
            return Err(Finding::at(at, format!("a key is a text, and {text} is none"))
                .suggest(format!("quote it: \"{text}\"")));
        }
        _ => return Err(Finding::at(at, "a key is a text; a list or a mapping cannot be one")),
    };
    match entries.get(name) {
        Some(first) => Err(Finding::at(
            at,
            format!("the key {name:?} is there twice, first in line {}", first.key.line),
        )
        .suggest("remove one of them")),
        None => Ok(Key::Named(name.clone(), at)),
    }
}

pub(super) fn too_deep(at: Place) -> Finding {
    Finding::at(at, format!("this is nested more than {DEPTH_MAX} levels deep"))
}

fn place(span: Span) -> Place {
    let is_one_line = span.start.line() == span.end.line();
    let length = if is_one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Place { length: length.max(1), ..place_of(&span.start) }
}

pub(super) fn place_of(marker: &Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1, length: 1 }
}
