//! One set of schemas for what is read and what is written.
//!
//! Mostly they are the same. A field that may be left out when something is read but is always there
//! when it is written makes two of one: then what is read has a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Where documents keep schemas.
pub(super) const COMPONENTS: &str = "/components/schemas";

/// What the name of a schema for reading ends with, if there is another for writing.
const READ: &str = "Input";

/// The name that a reference refers to.
pub(super) fn referred(reference: &str) -> Option<&str> {
    reference.strip_prefix('#')?.strip_prefix(COMPONENTS)?.strip_prefix('/')
}

/// All schemas, and the names of those whose form for reading is called otherwise now.
pub(super) fn merge(
    given: Map<String, Value>,
    told: Map<String, Value>,
) -> (BTreeMap<String, Value>, BTreeSet<String>) {
    let mut differ: BTreeSet<String> = BTreeSet::new();
    // What refers to something that differs differs as well.
    loop {
        let before = differ.len();
        for (name, schema) in &given {
            let is_other = |other: &Value| other != schema || refers(schema, &differ);
            if told.get(name).is_some_and(is_other) {
                differ.insert(name.clone());
            }
        }
        if differ.len() == before {
            break;
        }
    }
    let mut schemas: BTreeMap<String, Value> = told.into_iter().collect();
    for (mut name, mut schema) in given {
        rename(&mut schema, &differ);
        if differ.contains(&name) {
            name.push_str(READ);
        }
        schemas.insert(name, schema);
    }
    (schemas, differ)
}

/// Lets `schema`, which is read, refer to the forms for reading.
pub(super) fn rename(schema: &mut Value, differ: &BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && referred(reference).is_some_and(|name| differ.contains(name))
            {
                reference.push_str(READ);
            }
            map.values_mut().for_each(|value| rename(value, differ));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, differ)),
        _ => {}
    }
}

fn refers(schema: &Value, to: &BTreeSet<String>) -> bool {
    match schema {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str).and_then(referred);
            reference.is_some_and(|name| to.contains(name))
                || map.values().any(|value| refers(value, to))
        }
        Value::Array(items) => items.iter().any(|value| refers(value, to)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => panic!("no object"),
        }
    }

    #[test]
    fn what_differs_has_two_names_and_so_has_what_refers_to_it() {
        let to = |name: &str| json!({ "$ref": format!("#{COMPONENTS}/{name}") });
        let given = map(json!({ "A": { "required": [] }, "B": to("A"), "C": {}, "D": to("B") }));
        let told = map(json!({ "A": { "required": ["a"] }, "B": to("A"), "C": {} }));
        let (schemas, _) = merge(given, told);
        let expected = map(json!({
            "A": { "required": ["a"] }, "AInput": { "required": [] },
            "B": to("A"), "BInput": to("AInput"),
            "C": {}, "D": to("BInput"),
        }));
        assert_eq!(schemas, expected.into_iter().collect());
    }
}
