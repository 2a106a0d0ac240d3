//! `manifest.*`

use kantoku_domain::{Namespace, Problem, manifest::DOCUMENTS_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{methods, present};

methods! {
    /// Makes everything that the documents declare so; nothing when one of them has a problem.
    ManifestApply = "manifest.apply": ManifestParams => Applied;
    /// The problems of documents, as `manifest.apply` would find them.
    ManifestValidate = "manifest.validate": ManifestParams => Validated;
    /// What `manifest.apply` would change, field by field. Nothing is changed.
    ManifestDiff = "manifest.diff": ManifestDiffParams => Differences;
    /// Takes back what manifests declared: policies, and secrets by name. Nothing when one of those
    /// that are named cannot be deleted.
    ManifestDelete = "manifest.delete": ManifestDeleteParams => Deletions;
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

/// Documents that are compared with what holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestDiffParams {
    /// At most 20,000.
    #[schemars(length(max = DOCUMENTS_MAX))]
    pub documents: Vec<Value>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What an apply would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Differences {
    /// One per document, in their order.
    pub items: Vec<Difference>,
    /// The position that they are as of.
    pub stream_seq: u64,
}

/// What an apply would change in one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What would become of it: its kind, name, version and change.
    #[serde(flatten)]
    pub item: AppliedItem,
    /// The fields that would change; none where only what it refers to is another by now.
    pub changes: Vec<FieldChange>,
}

/// A field that would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Where, as keys from the document's root: `["spec", "retry", "attempts"]`.
    pub path: Vec<String>,
    /// What is there, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub old: Option<Value>,
    /// What would be there, if anything would.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub new: Option<Value>,
}

/// What is to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestDeleteParams {
    /// Manifests, of which kind and name count. At most 1,000, names included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = DELETIONS_MAX))]
    pub documents: Vec<Value>,
    /// The same as `KIND/NAME`: `policy/gentle`, `secret/db-password`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = DELETIONS_MAX))]
    pub names: Vec<String>,
    /// Says what would happen, and does nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// How much one call may delete.
pub const DELETIONS_MAX: usize = 1_000;

/// What became of that which was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deletions {
    /// Each once, in the order in which they were named, documents first.
    pub items: Vec<DeletedItem>,
    /// The position to read from to see it; 0 if nothing was recorded, as secrets are not.
    pub stream_seq: u64,
}

/// What became of one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeletedItem {
    /// `Policy` or `Secret`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether this deleted it; no if there was none.
    pub deleted: bool,
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
