//! What a task reads: each input bound to a value or a resource, with the script that fits it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BlobRef, Datum, Id, Problem, SecretName, Type};

/// Why a secret has no script.
pub(crate) const SECRET_TAKES_NO_SCRIPT: &str = "a secret takes no script, as what a script makes of a \
     value is recorded: leave map out, and take the value apart in the task";

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
    /// A secret of the task's namespace: only the executor learns its value, right before it runs.
    Secret(SecretName),
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
            Source::Value(_) | Source::Blob(_) | Source::Secret(_) => None,
        }
    }

    /// The problem of an input that is a secret and has what a secret cannot have; its path is
    /// `path`. What a script makes of a value is recorded, and other types than texts have no value
    /// that could be one.
    pub(crate) fn secret_problem(&self, path: &[&str]) -> Option<Problem> {
        let Source::Secret(name) = &self.source else { return None };
        if self.map.is_some() {
            return Some(Problem::new(path, SECRET_TAKES_NO_SCRIPT));
        }
        self.type_.secret_problem(name, path)
    }
}
