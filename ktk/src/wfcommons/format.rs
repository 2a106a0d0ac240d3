//! `WfFormat` as it lies in a file: only what an import needs, the rest is skipped unread.

use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

/// Read first, as it says how to read the rest.
#[derive(Deserialize)]
pub(super) struct Header {
    #[serde(rename = "schemaVersion")]
    pub(super) version: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct File<W> {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    pub(super) workflow: W,
}

/// 1.4: what was specified and what was measured lie together.
#[derive(Deserialize)]
pub(super) struct Flat {
    pub(super) tasks: Vec<FlatTask>,
}

#[derive(Deserialize)]
pub(super) struct FlatTask {
    pub(super) name: String,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) category: Option<String>,
    #[serde(default)]
    pub(super) command: Option<Command>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) parents: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) children: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) files: Vec<FlatFile>,
    #[serde(default, rename = "runtimeInSeconds")]
    pub(super) runtime_seconds: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct FlatFile {
    pub(super) name: String,
    /// Where some recorders put the directory.
    #[serde(default)]
    pub(super) path: Option<String>,
    pub(super) link: Link,
    #[serde(default, rename = "sizeInBytes")]
    pub(super) size_bytes: Option<Number>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Link {
    #[serde(alias = "INPUT", alias = "Input")]
    Input,
    #[serde(alias = "OUTPUT", alias = "Output")]
    Output,
}

/// 1.5 and 1.6: specified here, measured there.
#[derive(Deserialize)]
pub(super) struct Split {
    pub(super) specification: Specification,
    #[serde(default)]
    pub(super) execution: Option<Execution>,
}

#[derive(Deserialize)]
pub(super) struct Specification {
    pub(super) tasks: Vec<SplitTask>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) files: Vec<SplitFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SplitTask {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) parents: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) children: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) input_files: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) output_files: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct SplitFile {
    pub(super) id: String,
    #[serde(default, rename = "sizeInBytes")]
    pub(super) size_bytes: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Execution {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) tasks: Vec<Executed>,
}

#[derive(Deserialize)]
pub(super) struct Executed {
    pub(super) id: String,
    #[serde(default, rename = "runtimeInSeconds")]
    pub(super) runtime_seconds: Option<f64>,
    #[serde(default)]
    pub(super) command: Option<Command>,
}

#[derive(Deserialize)]
pub(super) struct Command {
    #[serde(default)]
    pub(super) program: Option<String>,
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
