//! `manifest.*`

use kantoku_domain::{Namespace, Problem, manifest::DOCUMENTS_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::methods;

methods! {
    /// Makes everything that the documents declare so; nothing when one of them has a problem.
    ManifestApply = "manifest.apply": ManifestParams => Applied;
    /// The problems of documents, as `manifest.apply` would find them.
    ManifestValidate = "manifest.validate": ManifestParams => Validated;
}

/// Documents. They may refer to each other in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestParams {
    /// At most 20,000.
    #[schemars(length(max = DOCUMENTS_MAX))]
    pub documents: Vec<Value>,
    /// Says what would happen, and does nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What became of the documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// One per document, in their order.
    pub items: Vec<AppliedItem>,
    /// The position to read from to see them.
    pub stream_seq: u64,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedItem {
    /// `Specification`, `Type`, `Pipeline` or `Policy`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The version that is the latest now.
    pub version: u64,
    /// Whether this made it so.
    pub change: Change,
}

/// What an apply came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Created,
    /// It has a new version.
    Configured,
    /// It was so before.
    Unchanged,
}

/// The problems of documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validated {
    /// All there are.
    pub problems: Vec<DocumentProblem>,
}

/// A problem of one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentProblem {
    /// Index of the document, from 0.
    pub document: usize,
    /// Where in it, what, and what to write instead.
    #[serde(flatten)]
    pub problem: Problem,
}
