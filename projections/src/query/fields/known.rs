//! What is known of each kind of record.

use super::{
    Catalogue, Entry,
    Kind::{Bool, Id, Number, Text, Time},
    LABELS, Relation, Shape, column, open, plain,
};

const PAUSED: Entry = Entry { shape: Shape::Presence, ..column(Bool, "paused") };
/// Of the pipeline that a context runs, the column has the name.
const PIPELINE: Entry = Entry { below: &["name"], ..column(Text, "pipeline") };

/// What is known of tasks.
pub const TASKS: Catalogue = Catalogue {
    kind: "task",
    relations: &[Relation::DescendantOf, Relation::BlockedBy],
    entries: &[
        column(Id, "id"),
        column(Text, "namespace"),
        column(Text, "status"),
        column(Text, "sub_status"),
        column(Id, "context_id"),
        column(Text, "specification"),
        LABELS,
        PAUSED,
        column(Id, "parent_id"),
        column(Id, "restart_root"),
        column(Bool, "unfolded"),
        column(Number, "stream_seq"),
        column(Time, "updated_at"),
        plain(Text, "step"),
        plain(Number, "version"),
        plain(Id, "restart_parent"),
        plain(Id, "restarted_as"),
        plain(Bool, "current"),
        plain(Number, "attempt"),
        plain(Text, "queue"),
        plain(Text, "shard_key"),
        plain(Number, "priority"),
        plain(Text, "reason"),
        plain(Text, "cancelled_by"),
        plain(Id, "root_cause"),
        plain(Text, "cause"),
        plain(Text, "node"),
        plain(Number, "origin"),
        plain(Number, "position"),
        plain(Time, "created_at"),
        plain(Time, "waiting_since"),
        plain(Time, "not_before"),
        plain(Time, "ready_at"),
        plain(Time, "started_at"),
        plain(Time, "finished_at"),
        open("inputs"),
        open("outputs"),
        open("result"),
        open("error"),
        open("paused"),
        open("delegated"),
        open("depends_on"),
        open("when"),
        open("retry"),
        open("timeouts"),
        open("approvals"),
        open("restarted"),
        open("revived"),
        open("expired"),
        open("other_causes"),
        open("children_cancelled"),
    ],
};

/// What is known of contexts.
pub const CONTEXTS: Catalogue = Catalogue {
    kind: "context",
    relations: &[],
    entries: &[
        column(Id, "id"),
        column(Text, "namespace"),
        column(Text, "status"),
        PIPELINE,
        PAUSED,
        LABELS,
        column(Number, "stream_seq"),
        column(Time, "updated_at"),
        plain(Time, "created_at"),
        plain(Time, "finished_at"),
        plain(Text, "cancelled"),
        plain(Text, "cancelled_by"),
        open("pipeline"),
        open("tasks"),
        open("params"),
        open("outputs"),
        open("paused"),
        open("last_cancelled"),
        open("restarts"),
    ],
};

/// What is known of resources.
pub const RESOURCES: Catalogue = Catalogue {
    kind: "resource",
    relations: &[Relation::ProducedBy],
    entries: &[
        column(Id, "id"),
        column(Text, "namespace"),
        column(Text, "status"),
        column(Id, "context_id"),
        column(Time, "updated_at"),
        plain(Id, "custodian"),
        plain(Text, "output"),
        plain(Text, "digest"),
        plain(Number, "size"),
        plain(Number, "stream_seq"),
        plain(Time, "created_at"),
        plain(Time, "resolved_at"),
        open("type"),
        open("value"),
    ],
};

/// What is known of specifications, of the latest versions.
pub const SPECIFICATIONS: Catalogue = Catalogue {
    kind: "specification",
    relations: &[],
    entries: &[
        column(Text, "name"),
        column(Id, "id"),
        plain(Text, "namespace"),
        plain(Number, "version"),
        plain(Text, "digest"),
        plain(Text, "source"),
        plain(Text, "description"),
        plain(Text, "queue"),
        plain(Number, "stream_seq"),
        plain(Time, "created_at"),
        PAUSED,
        open("paused"),
        open("inputs"),
        open("outputs"),
        open("executable"),
        open("retry"),
        open("timeouts"),
    ],
};

/// What is known of types, of the latest versions.
pub const TYPES: Catalogue = Catalogue {
    kind: "type",
    relations: &[],
    entries: &[
        column(Text, "name"),
        column(Id, "id"),
        plain(Text, "namespace"),
        plain(Number, "version"),
        plain(Text, "digest"),
        plain(Text, "description"),
        plain(Number, "stream_seq"),
        plain(Time, "created_at"),
        open("type"),
    ],
};

/// What is known of pipelines, of the latest versions.
pub const PIPELINES: Catalogue = Catalogue {
    kind: "pipeline",
    relations: &[],
    entries: &[
        column(Text, "name"),
        column(Id, "id"),
        plain(Text, "namespace"),
        plain(Number, "version"),
        plain(Text, "digest"),
        plain(Text, "description"),
        plain(Number, "stream_seq"),
        plain(Time, "created_at"),
        open("params"),
        open("tasks"),
        open("outputs"),
    ],
};

/// What is known of policies, of the latest versions.
pub const POLICIES: Catalogue = Catalogue {
    kind: "policy",
    relations: &[],
    entries: &[
        column(Text, "name"),
        column(Id, "id"),
        plain(Text, "namespace"),
        plain(Number, "version"),
        plain(Text, "digest"),
        plain(Text, "description"),
        plain(Number, "stream_seq"),
        plain(Time, "created_at"),
        plain(Bool, "fair_share"),
        open("limits"),
        open("ageing"),
    ],
};

/// What is known of events: where they lie and what they were about, not what they say.
pub const EVENTS: Catalogue = Catalogue {
    kind: "event",
    relations: &[],
    entries: &[
        column(Number, "stream_seq"),
        column(Text, "namespace"),
        column(Text, "aggregate"),
        column(Id, "id"),
        column(Number, "version"),
        column(Text, "type"),
        column(Id, "event_id"),
        column(Id, "context_id"),
        column(Text, "actor"),
        column(Time, "at"),
    ],
};
