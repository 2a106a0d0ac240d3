//! `*.pause`, `*.resume`, `task.approve`, `namespace.get`

use kantoku_domain::{Name, Namespace};
use kantoku_projections::document::NamespaceDocument;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Accepted, methods};

methods! {
    /// Lets a task wait: no further attempt of it starts.
    TaskPause = "task.pause": PauseParams => Accepted;
    /// Lets it go on.
    TaskResume = "task.resume": ResumeParams => Accepted;
    /// Says yes to an approval that a task waits for.
    TaskApprove = "task.approve": ApproveParams => Approved;
    /// Lets all of a context wait. What runs already goes on.
    ContextPause = "context.pause": PauseParams => Accepted;
    /// Lets it go on.
    ContextResume = "context.resume": ResumeParams => Accepted;
    /// Lets all tasks of a specification wait. What runs already goes on.
    SpecificationPause = "specification.pause": NamedPauseParams => Accepted;
    /// Lets them go on.
    SpecificationResume = "specification.resume": NamedResumeParams => Accepted;
    /// Lets all tasks of a namespace wait. What runs already goes on.
    NamespacePause = "namespace.pause": NamespacePauseParams => Accepted;
    /// Lets them go on.
    NamespaceResume = "namespace.resume": NamespaceResumeParams => Accepted;
    /// A namespace.
    NamespaceGet = "namespace.get": NamespaceParams => NamespaceDocument;
}

/// A task or context that is to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseParams {
    /// The id, or its beginning.
    pub id: String,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The same key for the same task or context is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A task or context that is to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeParams {
    /// The id, or its beginning.
    pub id: String,
    /// The same key for the same task or context is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A specification that is to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedPauseParams {
    /// The name.
    pub name: Name,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The same key for the same specification is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A specification that is to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedResumeParams {
    /// The name.
    pub name: Name,
    /// The same key for the same specification is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A namespace that is to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespacePauseParams {
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The same key for the same namespace is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Which; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A namespace that is to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceResumeParams {
    /// The same key for the same namespace is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Which; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Names a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceParams {
    /// Which; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A word that a task waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveParams {
    /// The task, or the beginning of its id.
    pub id: String,
    /// Which approval.
    pub name: String,
    /// Who gives it; whoever calls unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The same key for the same task is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// An approval, now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    /// Who has given it.
    pub given: Vec<String>,
    /// How many must.
    pub needed: u32,
    /// The position to read from to see it.
    pub stream_seq: u64,
}
