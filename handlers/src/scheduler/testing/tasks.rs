//! Tasks for tests.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Dependency, Id, Millis, Name, Partition, RetryPolicy, Source, Timeouts, Timestamp,
    Type,
    task::{Output, Spawned, SpecificationRef},
};

const PARTITION: Partition = Partition::of(5);

pub(in crate::scheduler) fn id(key: &str) -> Id {
    Id::default().derive(key, PARTITION)
}

/// The output of a step.
pub(in crate::scheduler) fn out(step: &str) -> Id {
    id(step).derive("out", PARTITION)
}

pub(in crate::scheduler) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub(in crate::scheduler) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// A task without needs.
pub(in crate::scheduler) fn task(step: &str) -> Spawned {
    Spawned {
        step: Some(step.into()),
        specification: SpecificationRef { name: name("spec"), version: 1, digest: "d".into() },
        inputs: BTreeMap::new(),
        outputs: [("out".into(), Output { id: out(step), type_: Type::Number })].into(),
        depends_on: None,
        when: None,
        context_id: id("context"),
        parent_id: None,
        restart_root: None,
        restart_parent: None,
        queue: "default".into(),
        shard_key: None,
        priority: 0,
        labels: BTreeMap::new(),
        retry: RetryPolicy { attempts: 2, backoff: Millis(10_000), ..RetryPolicy::default() },
        timeouts: Timeouts::default(),
    }
}

/// A task that reads the outputs of others.
pub(in crate::scheduler) fn reader(step: &str, of: &[&str]) -> Spawned {
    let input = |from: &&str| {
        let source = Source::Resource(out(from));
        let binding = Binding { source, type_: Type::Number, map: None, names: vec![] };
        ((*from).to_owned(), binding)
    };
    Spawned { inputs: of.iter().map(input).collect(), ..task(step) }
}

/// A task that depends on something.
pub(in crate::scheduler) fn dependent(step: &str, on: Dependency) -> Spawned {
    Spawned { depends_on: Some(on), ..task(step) }
}
