//! Everything that can happen.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{context, pause, pipeline, policy, resource, specification, task, typename};

/// The kinds of aggregates, as they stand in subjects.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One execution: all tasks that descend from one spawn.
    Context,
    /// A part of the whole that belongs to somebody.
    Namespace,
    /// A DAG of tasks.
    Pipeline,
    /// How much may run at once, and who goes first.
    Policy,
    /// A value that a task reads or writes.
    Resource,
    /// What a task does, with typed inputs and outputs.
    Specification,
    /// A unit of work.
    Task,
    /// A named type.
    Type,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Context,
        Self::Namespace,
        Self::Pipeline,
        Self::Policy,
        Self::Resource,
        Self::Specification,
        Self::Task,
        Self::Type,
    ];

    /// The name in subjects and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Namespace => "namespace",
            Self::Pipeline => "pipeline",
            Self::Policy => "policy",
            Self::Resource => "resource",
            Self::Specification => "specification",
            Self::Task => "task",
            Self::Type => "type",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("{text:?} is no kind of aggregate"))
    }
}

/// Declares the enum of all events, and the names under which they are stored. Stored names are a
/// contract: a variant may be added, never renamed.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($data:ty) of $kind:ident,)*) => {
        /// An event: one fact about one aggregate.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum Event {
            $($(#[$doc])* $name($data),)*
        }

        impl Event {
            /// The names of all events.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The name under which the event is stored.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// The kind of aggregate that it happened to.
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$name(_) => Kind::$kind,)*
                }
            }
        }
    };
}

events! {
    /// A pipeline was started: the plan names every task.
    ContextOpened(context::Opened) of Context,
    /// All that belongs to a context was ordered to stop.
    ContextCancelled(context::Cancelled) of Context,
    /// All that belongs to a context is to wait.
    ContextPaused(pause::Paused) of Context,
    /// What belongs to a context goes on.
    ContextResumed(pause::Resumed) of Context,
    /// Tasks of a context run again: the plan names each.
    ContextRestarted(context::Restarted) of Context,
    /// Every step of a restart was carried out, or was found overtaken.
    ContextRestartSettled(context::RestartSettled) of Context,
    /// A task exists, and with it its outputs.
    TaskSpawned(task::Spawned) of Task,
    /// A task may be claimed.
    TaskReady(task::Ready) of Task,
    /// A node has claimed an attempt.
    TaskReceived(task::Received) of Task,
    /// A task has ended, well or not.
    TaskFinished(task::Finished) of Task,
    /// An attempt failed and another follows.
    TaskAttemptFailed(task::AttemptFailed) of Task,
    /// A task was ordered to stop.
    TaskCancelled(task::Cancelled) of Task,
    /// What a task had spawned before it ended was ordered to stop.
    TaskChildrenCancelled(task::ChildrenCancelled) of Task,
    /// A task will never run, as an input can never arrive.
    TaskSkipped(task::Skipped) of Task,
    /// A task that was skipped waits again.
    TaskRevived(task::Revived) of Task,
    /// Another task takes the place of this one.
    TaskRestarted(task::Restarted) of Task,
    /// Somebody has said yes to what a task waits for.
    TaskApproved(task::Approved) of Task,
    /// Labels were put on a task, or taken off.
    TaskLabelled(task::Labelled) of Task,
    /// A task is to wait.
    TaskPaused(pause::Paused) of Task,
    /// A task goes on.
    TaskResumed(pause::Resumed) of Task,
    /// A resource that belongs to no task exists.
    ResourceAllocated(resource::Allocated) of Resource,
    /// A resource that belongs to no task has its value.
    ResourceInitialized(resource::Initialized) of Resource,
    /// A resource that belongs to no task is not needed any more.
    ResourceReleased(resource::Released) of Resource,
    /// A specification has a new version.
    SpecificationApplied(specification::Applied) of Specification,
    /// All tasks of a specification are to wait.
    SpecificationPaused(pause::Paused) of Specification,
    /// The tasks of a specification go on.
    SpecificationResumed(pause::Resumed) of Specification,
    /// All work in a namespace is to wait.
    NamespacePaused(pause::Paused) of Namespace,
    /// The work in a namespace goes on.
    NamespaceResumed(pause::Resumed) of Namespace,
    /// A named type has a new version.
    TypeApplied(typename::Applied) of Type,
    /// A pipeline has a new version.
    PipelineApplied(pipeline::Applied) of Pipeline,
    /// A policy has a new version.
    PolicyApplied(policy::Applied) of Policy,
    /// A policy holds no longer.
    PolicyDeleted(policy::Deleted) of Policy,
}

impl cqrs_es::DomainEvent for Event {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        crate::Metadata::SCHEMA.to_string()
    }
}
