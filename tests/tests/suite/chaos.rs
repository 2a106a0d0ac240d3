//! Clients spawn while processors are killed: every acknowledged task ends, none twice, and the
//! read model equals a rebuild.
//!
//! `KTK_CHAOS_SECONDS` says for how long (20 unless set), `KTK_CHAOS_SEED` in which order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kantoku_api::{
    Client, ClientError, Code,
    contract::{
        EventExport, ExportParams, Input, ManifestApply, ManifestParams, NoParams, OperationGet,
        OperationParams, OperationStatus, ProjectionVerify, SpawnParams, Spawned, TaskSpawn,
        TaskWait, WaitParams,
    },
};
use kantoku_domain::{Event, Id, Millis};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use tokio::time::sleep;

use crate::processes::Processes;

const CLIENTS: usize = 20;
const SCHEDULER: [&str; 2] = ["scheduler-1", "scheduler,unfolder,lease-keeper,timers"];
const EXECUTORS: [[&str; 2]; 2] = [["executor-1", "executor"], ["executor-2", "executor"]];
const EDGE: [&str; 2] = ["edge-1", "api,projector"];
/// An attempt that was under way when its executor was killed is taken over after a lease.
const PATIENCE: Millis = Millis(120_000);

fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_while_processors_are_killed() {
    let seconds = from_env("KTK_CHAOS_SECONDS", 20);
    let seed = from_env("KTK_CHAOS_SEED", 7);
    let mut processes = Processes::start().await;
    for [service_id, only] in [EDGE, SCHEDULER, EXECUTORS[0], EXECUTORS[1]] {
        processes.serve(service_id, only);
    }
    let client = processes.client().await;
    apply(&client).await;

    let is_over = Arc::new(AtomicBool::new(false));
    let unknown = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (client, is_over) = (processes.client().await, Arc::clone(&is_over));
        clients.push(tokio::spawn(spawn_until(client, number, is_over, Arc::clone(&unknown))));
    }
    let kills = kill_by_turns(&mut processes, Duration::from_secs(seconds), seed).await;
    is_over.store(true, Ordering::Relaxed);
    let mut spawned = Vec::new();
    for client in clients {
        spawned.extend(client.await.expect("no panic"));
    }
    assert!(!spawned.is_empty(), "no task was accepted in {seconds} s");

    for task in &spawned {
        let id = task.task_id.to_string();
        let params = WaitParams { id, timeout: Some(PATIENCE), namespace: None };
        let waited = client.call::<TaskWait>(&params).await.expect("answered");
        assert!(waited.done, "task {} never ended: {waited:?}", task.task_id);
    }
    let ended = terminal_events(&client).await;
    let acknowledged: BTreeSet<Id> = spawned.iter().map(|task| task.task_id).collect();
    assert_eq!(acknowledged.len(), spawned.len(), "two clients were given one task");
    for id in &acknowledged {
        assert_eq!(ended.get(id), Some(&1), "task {id} ended another number of times than once");
    }
    assert!(ended.values().all(|times| *times == 1), "a task ended twice");
    verify(&client).await;
    eprintln!(
        "chaos: seed {seed}, {seconds} s, {kills} kills, {} tasks acknowledged, {} unknown, {} ended",
        spawned.len(),
        unknown.load(Ordering::Relaxed),
        ended.len(),
    );
    processes.stop().await;
}

async fn apply(client: &Client) {
    let pass = json!({
        "apiVersion": "kantoku/v1", "kind": "Specification", "metadata": {"name": "pass"},
        "spec": {
            "inputs": {"x": "number"}, "outputs": {"x": "number"},
            "executable": {"type": "noop"}, "retry": {"attempts": 3, "backoff": "10ms"},
        },
    });
    let slow = json!({
        "apiVersion": "kantoku/v1", "kind": "Specification", "metadata": {"name": "slow"},
        "spec": {
            "inputs": {"x": "number"}, "outputs": {"x": "number"},
            "executable": {"type": "sleep", "duration": "200ms", "outputs": {"x": 1}},
            "retry": {"attempts": 3, "backoff": "10ms"},
        },
    });
    let params = ManifestParams { documents: vec![pass, slow], ..ManifestParams::default() };
    client.call::<ManifestApply>(&params).await.expect("applied");
}

/// Spawns until `is_over`, some tasks reading what others write. What was acknowledged.
async fn spawn_until(
    client: Client,
    number: usize,
    is_over: Arc<AtomicBool>,
    unknown: Arc<AtomicUsize>,
) -> Vec<Spawned> {
    let mut spawned: Vec<Spawned> = Vec::new();
    for round in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let input = match spawned.last() {
            Some(last) if round % 3 > 0 => Input::Resource(last.outputs["x"]),
            _ => Input::Value(json!(round)),
        };
        let specification = if round % 7 == 0 { "slow" } else { "pass" };
        let params = SpawnParams {
            specification: specification.parse().expect("a name"),
            inputs: [("x".to_owned(), input)].into(),
            depends_on: None,
            labels: BTreeMap::new(),
            shard_key: None,
            priority: None,
            retry: None,
            timeouts: None,
            context_id: None,
            idempotency_key: Some(format!("{number}-{round}")),
            namespace: None,
        };
        match client.call::<TaskSpawn>(&params).await {
            Ok(task) => spawned.push(task),
            Err(ClientError::Api(error)) if error.code == Code::UnknownOutcome => {
                unknown.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => panic!("a spawn was refused: {error}"),
        }
        // A pace that two cores can follow; the number of rounds is bounded by the time.
        sleep(Duration::from_millis(20)).await;
    }
    spawned
}

/// Kills one processor after the other and starts it again; how often.
async fn kill_by_turns(processes: &mut Processes, time: Duration, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let end = Instant::now() + time;
    let victims = [SCHEDULER, EXECUTORS[0], EXECUTORS[1]];
    let mut kills = 0;
    while Instant::now() < end {
        sleep(Duration::from_millis(random.random_range(500..3_000))).await;
        let [service_id, only] = victims[random.random_range(0..victims.len())];
        processes.kill(service_id).await;
        kills += 1;
        sleep(Duration::from_millis(random.random_range(0..1_000))).await;
        processes.serve(service_id, only);
    }
    kills
}

/// How often each task ended.
async fn terminal_events(client: &Client) -> BTreeMap<Id, usize> {
    let mut ended = BTreeMap::new();
    let mut next = Some(1);
    while let Some(from_seq) = next {
        let params = ExportParams { from_seq, ..ExportParams::default() };
        let part = client.call::<EventExport>(&params).await.expect("exported");
        for recorded in part.events {
            if let Event::TaskFinished(_) | Event::TaskCancelled(_) | Event::TaskSkipped(_) =
                recorded.event
            {
                *ended.entry(recorded.id).or_default() += 1;
            }
        }
        next = part.next_seq;
    }
    ended
}

async fn verify(client: &Client) {
    let id = client.call::<ProjectionVerify>(&NoParams {}).await.expect("started").operation_id;
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let operation =
            client.call::<OperationGet>(&OperationParams { id }).await.expect("answered");
        match operation.status {
            OperationStatus::Running => assert!(Instant::now() < end, "{operation:?}"),
            OperationStatus::Failed => panic!("{operation:?}"),
            OperationStatus::Done => {
                let differing: Vec<_> =
                    operation.equal.iter().filter(|(_, equal)| !**equal).collect();
                assert!(!operation.equal.is_empty() && differing.is_empty(), "{differing:?}");
                return;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}
