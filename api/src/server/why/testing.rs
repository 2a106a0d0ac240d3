//! Graphs of tasks as the read model gives them.

use std::collections::BTreeMap;

use kantoku_domain::{Id, Namespace, Partition, Timestamp, Type};
use kantoku_projections::{
    document::{ContextDocument, ContextStatus, ResourceStatus, TaskCounts, TaskStatus},
    reader::{Graph, GraphResource, GraphTask},
};

/// When it all happens.
pub(in crate::server) const T0: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A step, and the steps whose outputs it reads.
#[derive(Clone, Debug)]
pub(in crate::server) struct Given {
    step: String,
    reads: Vec<String>,
}

pub(in crate::server) fn reads(step: &str, from: &[&str]) -> Given {
    Given { step: step.into(), reads: from.iter().map(ToString::to_string).collect() }
}

pub(in crate::server) fn id_of(step: &str) -> Id {
    Id::default().derive(step, Partition::default())
}

pub(in crate::server) fn output_of(step: &str) -> Id {
    id_of(step).derive("out", Partition::default())
}

/// A context in which every step waits.
pub(in crate::server) fn graph(steps: &[Given]) -> Graph {
    let tasks: BTreeMap<Id, GraphTask> =
        steps.iter().map(|given| (id_of(&given.step), task(given))).collect();
    let resource = |given: &Given| {
        let id = output_of(&given.step);
        let custodian = Some(id_of(&given.step));
        let (status, type_) = (ResourceStatus::Allocated, Type::Unknown);
        (id, GraphResource { id, status, has_value: false, type_, custodian })
    };
    Graph {
        context: context(),
        tasks,
        outside: BTreeMap::new(),
        resources: steps.iter().map(resource).collect(),
        truncated: false,
        as_of_seq: 7,
    }
}

fn task(given: &Given) -> GraphTask {
    let reads = given.reads.iter().map(|from| (from.clone(), output_of(from)));
    GraphTask {
        id: id_of(&given.step),
        context_id: id_of("context"),
        step: Some(given.step.clone()),
        specification: "test".parse().expect("a name"),
        status: TaskStatus::Initialized,
        sub_status: None,
        attempt: 1,
        parent_id: None,
        queue: "default".into(),
        reads: reads.collect(),
        writes: [("out".to_owned(), output_of(&given.step))].into(),
        depends_on: None,
        when: None,
        restart_parent: None,
        restarted_as: None,
        paused: None,
        approvals: BTreeMap::new(),
        waiting_since: T0,
        unfolded: true,
        not_before: None,
        updated_at: T0,
        started_at: None,
        finished_at: None,
        node: None,
        error: None,
        reason: None,
        root_cause: None,
        other_causes: Vec::new(),
        cause: None,
        cancelled_by: None,
    }
}

fn context() -> ContextDocument {
    ContextDocument {
        id: id_of("context"),
        namespace: Namespace::default(),
        status: ContextStatus::Running,
        tasks: TaskCounts::default(),
        pipeline: None,
        params: BTreeMap::new(),
        outputs: BTreeMap::new(),
        labels: BTreeMap::new(),
        cancelled: None,
        cancelled_by: None,
        paused: None,
        last_cancelled: None,
        restarts: vec![],
        created_at: T0,
        updated_at: T0,
        finished_at: None,
        stream_seq: 1,
    }
}
