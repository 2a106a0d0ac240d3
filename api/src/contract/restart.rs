//! `task.restart`, `context.restart`

use kantoku_domain::{
    Id, Namespace,
    context::Superseded,
    restart::{OutputPolicy, Plan, VersionPolicy},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;

methods! {
    /// Puts another task in the place of one that has ended, or says what that would come to.
    TaskRestart = "task.restart": TaskRestartParams => Restarted;
    /// Runs some of a context again, or says what that would come to.
    ContextRestart = "context.restart": ContextRestartParams => Restarted;
}

/// A task to restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskRestartParams {
    /// The id, or its beginning.
    pub id: String,
    /// What becomes of its outputs; `reuse` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputPolicy>,
    /// Which version of its specification runs: `same`, `latest` or a number; `same` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionPolicy>,
    /// Also what comes after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from: bool,
    /// Says what would happen, and does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The `plan` of a preview: just that is done, and what was overtaken since is named. It says
    /// what was asked for; what is given besides must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The same key for the same task is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What of a context is to run again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContextTarget {
    /// What has failed. What was skipped because of that waits again.
    #[default]
    Failed,
    /// All of it; with outputs reused, what did not finish ok.
    All,
    /// A task and what comes after it: its id, the beginning of that, or the name of a step.
    From(String),
}

/// A context to restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextRestartParams {
    /// The id, or its beginning.
    pub id: String,
    /// What of it: `"failed"`, `"all"` or `{"from": "step"}`; what has failed unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ContextTarget>,
    /// What becomes of outputs; `reuse` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputPolicy>,
    /// Which versions of specifications run: `same`, `latest` or a number; `same` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionPolicy>,
    /// Says what would happen, and does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The `plan` of a preview: just that is done, and what was overtaken since is named. It says
    /// what was asked for; what is given besides must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The same key for the same context is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What a restart comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restarted {
    /// The context.
    pub context_id: Id,
    /// What becomes of each task, and why.
    pub plan: Plan,
    /// Steps of a plan that was given which somebody overtook since it was made: they are not
    /// carried out. Those that are overtaken later are in the context's document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
    /// The task that takes the place of the one that was named. `None`: nothing was done, or none
    /// was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<Id>,
    /// The restart as it is named in the context's document, if it is more than one task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_id: Option<Id>,
    /// The position to read from to see it. `None`: nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_seq: Option<u64>,
}
