//! What a task reads: each input bound to a value or a resource, with the script that fits it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BlobRef, Datum, Id, Type};

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A value given at spawn.
    Value(Value),
    /// A large value given at spawn.
    Blob(BlobRef),
    /// A resource, which the task waits for.
    Resource(Id),
}

impl From<Datum> for Source {
    fn from(datum: Datum) -> Self {
        match datum {
            Datum::Value(value) => Self::Value(value),
            Datum::Blob(blob) => Self::Blob(blob),
        }
    }
}

/// One input of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    /// Where the value comes from.
    pub source: Source,
    /// What the value must be once the script has run.
    #[serde(rename = "type")]
    pub type_: Type,
    /// A Rhai expression that fits the value to the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// The names under which the script sees the value, besides `value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Binding {
    /// The resource that this input waits for, if it does.
    pub fn resource(&self) -> Option<Id> {
        match self.source {
            Source::Resource(id) => Some(id),
            Source::Value(_) | Source::Blob(_) => None,
        }
    }
}
