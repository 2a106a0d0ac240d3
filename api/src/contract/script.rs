//! `script.*`: scripts tried out, as they stand on the edges of pipelines and in specifications.

use kantoku_domain::Namespace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{methods, present};

methods! {
    /// What is wrong with a script as it stands: it is compiled and not run.
    ScriptCheck = "script.check": ScriptCheckParams => ScriptChecked;
    /// Runs a script as a task would, under the same limits, and tells its value or why there is
    /// none. Nothing is recorded.
    ScriptRun = "script.run": ScriptRunParams => ScriptRan;
}

/// A script that is to be compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptCheckParams {
    /// The source, in Rhai.
    pub script: String,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What compiling came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptChecked {
    /// What is wrong; null if it is a script.
    pub problem: Option<ScriptProblem>,
}

/// A script that is to be run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptRunParams {
    /// The source, in Rhai.
    pub script: String,
    /// Its variables. On an edge these are `value`, the input and the output by their names; in a
    /// specification the inputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub input: Map<String, Value>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What running came to: a value or a problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptRan {
    /// The value, if there is one; it may be null.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ScriptProblem>,
}

/// Why a script gave no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptProblem {
    /// What kind of problem.
    pub kind: ScriptProblemKind,
    /// All of it, for people.
    pub message: String,
    /// The line, from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column, from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// What kind of problem a script has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScriptProblemKind {
    /// It is no script.
    Compile,
    /// It failed, or threw.
    Runtime,
    /// It takes, or is, more than it may.
    Limit,
    /// It ran for too long, and was stopped.
    TimedOut,
    /// The process that ran it died of it.
    Crashed,
    /// A value cannot pass between JSON and the script.
    NotRepresentable,
}
