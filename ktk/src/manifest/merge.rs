//! Merge keys (`<<`), an extension of YAML 1.1 that people rely on.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::place::{Entry, Inner, Node};

/// What can stand behind `<<`.
pub(super) const WANTED: &str = "<< takes a mapping, or a list of mappings";

/// Adds to a mapping what it merges: keys that it has itself stay, of several sources the first wins.
/// False if a source is no mapping.
pub(super) fn merge(
    map: &mut Map<String, Value>,
    entries: &mut BTreeMap<String, Entry>,
    value: &Value,
    node: &Node,
) -> bool {
    match (value, &*node.inner) {
        (Value::Object(more), Inner::Mapping(places)) => {
            for (key, value) in more {
                if let Some(entry) = places.get(key)
                    && !map.contains_key(key)
                {
                    map.insert(key.clone(), value.clone());
                    entries.insert(key.clone(), entry.clone());
                }
            }
            true
        }
        (Value::Array(values), Inner::Sequence(nodes)) => values
            .iter()
            .zip(nodes)
            .all(|(value, node)| value.is_object() && merge(map, entries, value, node)),
        _ => false,
    }
}
