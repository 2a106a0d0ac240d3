//! Leases and time limits on a real nats-server: what becomes of attempts whose executor is gone,
//! was started anew, or does nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kantoku_domain::{
    Context, Event, Id, Kind, Millis, Namespace, Task, context,
    task::{Command, Failure, Outcome, Received},
};
use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_handlers::{Node, NodeConfig};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_streams::{Heartbeat, HeldAttempt};
use ktk::cli::{REAPER, SCRIPT_WORKER};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stand::{Running, Stand, envelope, ktk};

const DEADLINE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_millis(500);
/// Never over within a test.
const LONG: Duration = Duration::from_secs(3_600);

/// Goes on for ever, but for its second attempt.
const SECOND_TIME: &str = r#"[ "$KANTOKU_ATTEMPT" = 2 ] && echo '{"x": 2}' || sleep 1000"#;

/// Applies pipeline `p` of one task that runs `script`.
async fn apply(stand: &mut Stand, script: &str, more: Value) {
    let mut spec = json!({
        "outputs": {"x": {"optional": "number"}},
        "executable": {"type": "process", "command": ["sh", "-c", script]},
    });
    let (Value::Object(all), Value::Object(more)) = (&mut spec, more) else { panic!("two maps") };
    all.extend(more);
    stand.apply("Specification", "work", spec).await;
    stand.apply("Pipeline", "p", json!({"tasks": {"work": {"use": "work"}}})).await;
}

/// Starts `p`; its context and its task.
async fn open(stand: &Stand) -> (Id, Id) {
    let (context_id, opened) = stand.open("p", json!({})).await;
    (context_id, opened.plan[0].id)
}

async fn node(stand: &Stand, service_id: &str, lease: Duration) -> Running {
    let config = NodeConfig { lease, ..NodeConfig::new(service_id) };
    let node = Node::open(&stand.bus, config).await.expect("the stream answers");
    Running::start(|stop| node.run(stop))
}

fn executor(stand: &Stand, service_id: &str, lease: Duration) -> Running {
    let reaper = ReaperConfig::new(ktk(), [REAPER]);
    let config = ExecutorConfig {
        slots: 8,
        lease,
        grace: Duration::from_millis(500),
        ..ExecutorConfig::new(service_id, Uuid::now_v7(), reaper)
    };
    let scripts = Arc::new(Pool::new(PoolConfig::new(ktk(), [SCRIPT_WORKER])));
    let executor = Executor::new(stand.bus.clone(), scripts, config);
    Running::start(|stop| executor.run(stop))
}

/// The events of the task so far.
async fn events(stand: &Stand, task_id: Id) -> Vec<Event> {
    let ledger = stand.bus.ledger();
    let history = ledger.history(&Namespace::default(), Kind::Task, task_id, 0).await;
    history.expect("read").into_iter().map(|recorded| recorded.event).collect()
}

/// The first event of the task, now or later, of which `find` makes something.
async fn until<T>(stand: &Stand, task_id: Id, find: impl Fn(&Event) -> Option<T>) -> T {
    let find = async {
        loop {
            if let Some(found) = events(stand, task_id).await.iter().find_map(&find) {
                return found;
            }
        }
    };
    match tokio::time::timeout(DEADLINE, find).await {
        Ok(found) => found,
        Err(_) => panic!("not in time: {:#?}", events(stand, task_id).await),
    }
}

fn received(attempt: u32) -> impl Fn(&Event) -> Option<Received> {
    move |event| match event {
        Event::TaskReceived(received) if received.attempt == attempt => Some(received.clone()),
        _ => None,
    }
}

fn failed(event: &Event) -> Option<Failure> {
    match event {
        Event::TaskAttemptFailed(failed) => Some(failed.error.clone()),
        _ => None,
    }
}

/// The attempt that ended it, and how.
fn finished(event: &Event) -> Option<(u32, Outcome)> {
    match event {
        Event::TaskFinished(finished) => Some((finished.attempt, finished.outcome)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_executor_is_gone_is_taken_over_by_another() {
    let mut stand = Stand::start().await;
    // One attempt is all that it has, and the loss does not count.
    apply(&mut stand, SECOND_TIME, json!({"retry": {"attempts": 1, "backoff": "1ms"}})).await;
    let node = node(&stand, "node", LEASE).await;
    let doomed = executor(&stand, "doomed", LEASE);
    let (_, task_id) = open(&stand).await;
    assert_eq!(until(&stand, task_id, received(1)).await.node, "doomed");

    doomed.crash();
    let start = Instant::now();
    let other = executor(&stand, "other", LEASE);
    assert_eq!(until(&stand, task_id, received(2)).await.node, "other");
    let took = start.elapsed();
    eprintln!("with a lease of {LEASE:?}, another had the attempt {took:?} after the crash");
    assert!(took >= LEASE / 3 * 2, "{took:?}: nobody could know yet");
    let lost = until(&stand, task_id, failed).await;
    assert!(lost.is_loss() && lost.message.contains("doomed"), "{lost:?}");
    assert_eq!(until(&stand, task_id, finished).await, (2, Outcome::Ok));
    other.stop().await;
    node.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_started_anew_ends_the_leases_of_its_last_run_at_once() {
    let mut stand = Stand::start().await;
    apply(&mut stand, SECOND_TIME, json!({"retry": {"backoff": "1ms"}})).await;
    let node = node(&stand, "node", LONG).await;
    let doomed = executor(&stand, "executor", LONG);
    let (_, task_id) = open(&stand).await;
    until(&stand, task_id, received(1)).await;

    doomed.crash();
    let start = Instant::now();
    let again = executor(&stand, "executor", LONG);
    until(&stand, task_id, received(2)).await;
    eprintln!("the next run had the attempt {:?} after the crash", start.elapsed());
    let lost = until(&stand, task_id, failed).await;
    assert!(lost.message.contains("started anew"), "{lost:?}");
    assert_eq!(until(&stand, task_id, finished).await, (2, Outcome::Ok));
    again.stop().await;
    node.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_come_and_go_take_nothing_from_a_healthy_executor() {
    let mut stand = Stand::start().await;
    apply(&mut stand, r#"sleep 3; echo '{"x": 1}'"#, json!({})).await;
    let executor = executor(&stand, "executor", LEASE);
    let mut running = node(&stand, "node", LEASE).await;
    let (_, task_id) = open(&stand).await;
    until(&stand, task_id, received(1)).await;
    let mut nodes = 1;
    while !events(&stand, task_id).await.iter().any(|event| finished(event).is_some()) {
        running.crash();
        running = node(&stand, "node", LEASE).await;
        nodes += 1;
        // Some are there for long enough to judge.
        let until = Instant::now() + LEASE * (nodes % 3);
        while Instant::now() < until {
            tokio::task::yield_now().await;
        }
    }
    assert!(nodes > 2, "{nodes}");
    assert_eq!(until(&stand, task_id, finished).await, (1, Outcome::Ok));
    executor.stop().await;
    running.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_context_stops_what_runs_without_waiting_for_a_heartbeat() {
    let mut stand = Stand::start().await;
    let gone = std::env::temp_dir().join(format!("ktk-lease-{}", Uuid::new_v4()));
    let script =
        format!("trap 'touch {} ; exit 1' TERM; echo ready >&2; sleep 1000 & wait", gone.display());
    apply(&mut stand, &script, json!({})).await;
    let node = node(&stand, "node", LONG).await;
    let executor = executor(&stand, "executor", LONG);
    let (context_id, task_id) = open(&stand).await;
    until(&stand, task_id, received(1)).await;
    let filter = kantoku_streams::LogFilter {
        namespace: Namespace::default(),
        context_id,
        task_id,
        attempt: None,
    };
    let trapped = async {
        while stand.bus.logs().read(&filter, 0, 1).await.expect("read").lines.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, trapped).await.expect("it runs");

    let cancel = context::Command::Cancel { reason: "enough".into() };
    stand.execute::<Context>(&cancel, context_id).await;
    let start = Instant::now();
    while !gone.exists() {
        assert!(start.elapsed() < DEADLINE, "it runs on, though its task is cancelled");
        tokio::task::yield_now().await;
    }
    eprintln!("the process was told to stop {:?} after its context was cancelled", start.elapsed());
    std::fs::remove_file(&gone).expect("removed");
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}

/// An executor that claims the first attempt of `task_id`, says that it lives, and does nothing. It
/// ends when it is told that it has lost the attempt.
async fn claim_and_hang(stand: &Stand, task_id: Id, ready_seq: u64) {
    let (node, boot_id) = ("hung".to_owned(), Id::from_uuid(Uuid::now_v7()));
    let claim = Received { attempt: 1, node: node.clone(), boot_id, ready_seq, round: 0 };
    let outcome = stand
        .bus
        .ledger()
        .execute::<Task>(
            &Namespace::default(),
            &Command::Receive(claim),
            &envelope(task_id, task_id),
        )
        .await
        .expect("claimed");
    let held = HeldAttempt { task_id, attempt: 1, fence: outcome.stream_seq };
    let (lease, attempts) = (Millis(LEASE.as_millis() as u64), vec![held]);
    let beat = Heartbeat { service_id: node, boot_id, born: 0, attempts, lease };
    let told = async {
        loop {
            let reply = stand.bus.beat(&beat, LEASE).await.expect("a keeper answers");
            if reply.is_some_and(|reply| reply.lost == [held]) {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, told).await.expect("it is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_lets_an_attempt_hang_loses_it_when_its_time_is_over() {
    let mut stand = Stand::start().await;
    let timeouts = json!({"attempt": "200ms", "grace": "100ms"});
    let retry = json!({"attempts": 2, "backoff": "1ms"});
    apply(&mut stand, SECOND_TIME, json!({"timeouts": timeouts, "retry": retry})).await;
    let mut own = stand.bus.ledger().own_events();
    let node = node(&stand, "node", LEASE).await;
    let (_, task_id) = open(&stand).await;
    let ready = async {
        loop {
            let recorded = own.recv().await.expect("open");
            if matches!(recorded.event, Event::TaskReady(_)) {
                return recorded.stream_seq;
            }
        }
    };
    let ready_seq = tokio::time::timeout(DEADLINE, ready).await.expect("announced");
    claim_and_hang(&stand, task_id, ready_seq).await;
    let error = until(&stand, task_id, failed).await;
    assert_eq!((error.kind.as_str(), error.is_loss()), ("timeout", false), "{error:?}");

    let executor = executor(&stand, "executor", LEASE);
    assert_eq!(until(&stand, task_id, finished).await, (2, Outcome::Ok));
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
}
