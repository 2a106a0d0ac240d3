//! The result document of any executable: `{"outputs": …, "spawn": […], "delegate": …}`, or the
//! outputs alone.

use std::collections::BTreeMap;

use kantoku_domain::{Name, task::Failure};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure;

/// What an executable said.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultDocument {
    #[serde(default)]
    pub(crate) outputs: Map<String, Value>,
    #[serde(default)]
    pub(crate) spawn: Vec<SpawnRequest>,
    /// Output to `key.output`.
    #[serde(default)]
    pub(crate) delegate: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) result: Option<Value>,
}

/// A child that an executable asks for.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpawnRequest {
    pub(crate) key: String,
    pub(crate) specification: Name,
    #[serde(default)]
    pub(crate) inputs: BTreeMap<String, Value>,
}

impl ResultDocument {
    /// Reads what an executable said. An object without any of the document's keys is the outputs.
    pub(crate) fn read(value: Value) -> Result<Self, Failure> {
        let Value::Object(map) = value else {
            return Err(failure::result("the result is not a JSON object of outputs"));
        };
        let is_document = ["outputs", "spawn", "delegate"].iter().any(|key| map.contains_key(*key));
        if !is_document {
            return Ok(Self { outputs: map, ..Self::default() });
        }
        serde_json::from_value(Value::Object(map))
            .map_err(|error| failure::result(format!("the result document is wrong: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_alone_and_whole_documents_are_read() {
        let read = |value| ResultDocument::read(value).expect("readable");
        assert_eq!(read(json!({"a": 1})).outputs["a"], 1);
        let document = read(json!({
            "outputs": {"a": 1},
            "spawn": [{"key": "c", "specification": "x/y"}],
            "delegate": {"b": "c.out"},
        }));
        assert_eq!(document.spawn[0].key, "c");
        assert_eq!(document.delegate["b"], "c.out");
        assert!(ResultDocument::read(json!([1])).is_err());
        let error = ResultDocument::read(json!({"outputs": {}, "sapwn": []})).expect_err("typo");
        assert!(error.message.contains("sapwn"), "{}", error.message);
    }
}
