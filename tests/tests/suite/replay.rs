//! A projector that replays a long history takes no more memory than for a short one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use kantoku_domain::{
    Aggregate as _, Binding, Context, Datum, Id, Namespace, Partition, RetryPolicy, Source, Task,
    Timeouts, Type, context,
    task::{Command, Output, Planned, Received, Spawned, SpecificationRef, Success},
};
use kantoku_projections::{Database, Reader};
use kantoku_streams::{Bus, Draft, Loaded};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{flood::memory, processes::Processes, stand::envelope};

/// Events of the longer of the two histories, unless `KTK_REPLAY_EVENTS` says otherwise; the shorter
/// one has a third of them.
const EVENTS: usize = 60_000;
/// Of each task: spawned, received, finished.
const EVENTS_PER_TASK: usize = 3;
const AT_ONCE: usize = 256;
const MEMORY_KIB_MAX: u64 = 180 * 1024;
/// What may come and go with the size of batches.
const MARGIN_KIB: u64 = 24 * 1024;
const DEADLINE: Duration = Duration::from_secs(600);

fn events() -> usize {
    std::env::var("KTK_REPLAY_EVENTS").map_or(EVENTS, |text| text.parse().expect("a number"))
}

/// A task with some text in and out.
fn spawned(id: Id, context_id: Id) -> Spawned {
    let value = Source::Value("some text that a task reads ".repeat(8).into());
    let binding = Binding { source: value, type_: Type::Unknown, map: None, names: vec![] };
    let output = Output { id: id.derive("out", id.partition()), type_: Type::Unknown };
    Spawned {
        step: Some("step".into()),
        specification: SpecificationRef {
            name: "pass".parse().expect("a name"),
            version: 1,
            digest: "sha256:1".into(),
        },
        inputs: [("x".into(), binding)].into(),
        outputs: [("out".into(), output)].into(),
        depends_on: None,
        when: None,
        context_id,
        parent_id: None,
        restart_root: None,
        restart_parent: None,
        queue: "default".into(),
        shard_key: None,
        priority: 0,
        labels: BTreeMap::new(),
        retry: RetryPolicy::default(),
        timeouts: Timeouts::default(),
    }
}

fn new_id() -> Id {
    Id::from_uuid(Uuid::new_v4()).in_partition(Partition::of(7))
}

/// The life of one task.
async fn live(bus: Bus) {
    let (id, context_id) = (new_id(), new_id());
    let received =
        Received { attempt: 1, node: "n".into(), boot_id: new_id(), ready_seq: 0, round: 0 };
    let value = Datum::Value("some text that a task writes ".repeat(8).into());
    let success = Success { outputs: [("out".into(), value)].into(), ..Success::default() };
    let commands = [
        Command::Spawn(Box::new(spawned(id, context_id))),
        Command::Receive(received),
        Command::Finish { attempt: 1, success: Box::new(success) },
    ];
    let mut task = Loaded::<Task>::default();
    for command in commands {
        let envelope = envelope(id, context_id);
        let event = task.state.decide(&command, &envelope).expect("accepted").expect("an event");
        let draft =
            Draft::next(&Namespace::default(), id, task.version, task.stream_seq, event, &envelope);
        task.take(&bus.ledger().append(draft).await.expect("appended"));
    }
}

/// A run of a pipeline of so many steps: one event.
async fn open(bus: &Bus, steps: usize) {
    let context_id = new_id();
    let planned = |_| {
        let id = new_id();
        Planned { id, task: spawned(id, context_id) }
    };
    let opened = context::Opened {
        pipeline: context::PipelineRef {
            name: "long".parse().expect("a name"),
            version: 1,
            digest: "sha256:1".into(),
        },
        params: BTreeMap::new(),
        plan: (0..steps).map(planned).collect(),
        outputs: BTreeMap::new(),
        labels: BTreeMap::new(),
    };
    let envelope = envelope(context_id, context_id);
    let command = context::Command::Open(Box::new(opened));
    let namespace = Namespace::default();
    let executed = bus.ledger().execute::<Context>(&namespace, &command, &envelope);
    executed.await.expect("appended");
}

async fn append(bus: &Bus, events: usize) {
    let lives = (0..events.div_ceil(EVENTS_PER_TASK)).map(|_| tokio::spawn(live(bus.clone())));
    let mut lives = stream::iter(lives).buffer_unordered(AT_ONCE);
    while let Some(lived) = lives.next().await {
        lived.expect("no panic");
    }
}

/// The most memory, in KiB, that a projector of its own takes to get to the end of the stream.
async fn replay(processes: &mut Processes, bus: &Bus, service_id: &str) -> u64 {
    let database = Database::open(processes.database_url(), Database::SCHEMA, 2).await;
    let reader = Reader::start(database.expect("opened")).await.expect("it follows");
    let head = bus.head().await.expect("it answers");
    let (begin, from) = (Instant::now(), reader.position());
    processes.serve(service_id, "projector");
    reader.wait_for(head, DEADLINE).await.expect("it gets there");
    let (most, _) = memory(processes.pid(service_id));
    let rate = (head - from) as f64 / begin.elapsed().as_secs_f64();
    eprintln!("replay: {} events, {rate:.0} a second, {most} KiB at most", head - from);
    processes.kill(service_id).await;
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_takes_no_more_memory_for_a_long_history_than_for_a_short_one() {
    let mut processes = Processes::start().await;
    let bus = processes.bus().await;
    let all = events();
    append(&bus, all / 3).await;
    let short = replay(&mut processes, &bus, "projector-1").await;
    append(&bus, all).await;
    let long = replay(&mut processes, &bus, "projector-2").await;
    for _ in 0..4 {
        open(&bus, 10_000).await;
    }
    let plans = replay(&mut processes, &bus, "projector-3").await;
    assert!(long <= short + MARGIN_KIB, "{short} KiB for a third, {long} KiB for all");
    assert!(long.max(plans) <= MEMORY_KIB_MAX, "{long} KiB, {plans} KiB for plans of 10,000 tasks");
    timeout(DEADLINE, processes.stop()).await.expect("it stops");
}
