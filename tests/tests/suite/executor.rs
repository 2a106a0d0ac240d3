//! The executor on a real nats-server, with tasks announced by hand: no scheduler, no lease keeper.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kantoku_domain::{
    Datum, Event, Id, Kind, Namespace, Partition, Source, Specification, Task,
    plan::bind_inputs,
    specification::Applied,
    task::{Cancel, Command, Failure, Finished, Outcome, Ready, Resolved},
};
use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_streams::{
    Bus, CancelOrder, Draft, Heard, HeartbeatReply, HeldAttempt, LogFilter, Settings,
};
use ktk::cli::{REAPER, SCRIPT_WORKER};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    stand::{Running, Stand, envelope, ktk},
    tap::Tap,
};

const DEADLINE: Duration = Duration::from_secs(60);
/// The environment variable by which the doomed executor learns where to work.
const DOOMED_URL: &str = "TEST_DOOMED_NATS_URL";

/// A task that was announced.
struct Announced {
    task_id: Id,
    context_id: Id,
}

/// The latest version of a specification.
async fn latest(bus: &Bus, specification: &str) -> Applied {
    let namespace = Namespace::default();
    let id = Id::named(&namespace, Kind::Specification, specification);
    let loaded = bus.ledger().load::<Specification>(&namespace, id).await.expect("loaded");
    loaded.state.latest().expect("applied before").clone()
}

/// Spawns a task of `specification` and announces its first attempt, over `bus`.
async fn announce(bus: &Bus, specification: &str) -> Announced {
    let applied = latest(bus, specification).await;
    announce_with(bus, &applied, [].into(), [].into()).await
}

/// The same with inputs; `resolved` says where the resources among them got their values. Two
/// appends and nothing else.
async fn announce_with(
    bus: &Bus,
    applied: &Applied,
    inputs: BTreeMap<String, Source>,
    resolved: BTreeMap<String, Resolved>,
) -> Announced {
    let (namespace, ledger) = (Namespace::default(), bus.ledger());
    let context_id = Id::from_uuid(Uuid::new_v4()).in_partition(Partition::of(7));
    let task_id = Id::from_uuid(Uuid::new_v4()).in_partition(context_id.partition());
    let inputs = bind_inputs(applied, inputs).expect("sound");
    let task = applied.template(inputs).spawned(task_id, None, context_id, None);
    let (event, about) = (Event::TaskSpawned(task), envelope(task_id, context_id));
    let draft = Draft::next(&namespace, task_id, 0, 0, event, &about);
    let guard = ledger.append(draft).await.expect("spawned").stream_seq;
    let ready = Ready { task_id, attempt: 1, guard, round: 0, inputs: resolved };
    let about = envelope(task_id, context_id);
    let draft = Draft::ready(&namespace, "default", 0, 1, ready, &about);
    ledger.append(draft).await.expect("announced");
    Announced { task_id, context_id }
}

/// The events of a task.
async fn events(bus: &Bus, task_id: Id) -> Vec<Event> {
    let history = bus.ledger().history(&Namespace::default(), Kind::Task, task_id, 0).await;
    history.expect("read").into_iter().map(|recorded| recorded.event).collect()
}

/// Waits until `fact` holds.
async fn until(what: &str, mut fact: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !fact().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// How a task finished.
async fn finished(bus: &Bus, task_id: Id) -> Finished {
    let mut found = None;
    until("the task finishes", async || {
        found = events(bus, task_id).await.into_iter().find_map(|event| match event {
            Event::TaskFinished(finished) => Some(finished),
            _ => None,
        });
        found.is_some()
    })
    .await;
    found.expect("it is there")
}

/// The lines that an attempt has written to its log.
async fn lines(bus: &Bus, task: &Announced) -> Vec<String> {
    let filter = LogFilter {
        namespace: Namespace::default(),
        context_id: task.context_id,
        task_id: task.task_id,
        attempt: Some(1),
    };
    let page = bus.logs().read(&filter, 0, 1_000).await.expect("read");
    page.lines.into_iter().map(|entry| entry.line.text).collect()
}

async fn apply_sh(stand: &mut Stand, name: &str, script: &str, more: Value) {
    let mut spec = json!({"executable": {"type": "process", "command": ["sh", "-c", script]}});
    let (Value::Object(spec_map), Value::Object(more)) = (&mut spec, more) else {
        panic!("two maps")
    };
    spec_map.extend(more);
    stand.apply("Specification", name, spec).await;
}

/// An executor that can be asked how busy it is. `lease` and `grace` are short.
fn executor(bus: &Bus, change: impl FnOnce(&mut ExecutorConfig)) -> (Executor, Running) {
    let reaper = ReaperConfig::new(ktk(), [REAPER]);
    let mut config = ExecutorConfig::new("executor", Uuid::now_v7(), reaper);
    config.slots = 8;
    config.lease = Duration::from_millis(300);
    config.grace = Duration::from_millis(500);
    change(&mut config);
    let scripts = Pool::new(PoolConfig::new(ktk(), [SCRIPT_WORKER]));
    let executor = Executor::new(bus.clone(), scripts.into(), config);
    let running = Running::start(|stop| executor.clone().run(stop));
    (executor, running)
}

/// The process ids that an attempt has written to its log, one a line.
async fn pids(bus: &Bus, task: &Announced, count: usize) -> Vec<u32> {
    let mut pids = Vec::new();
    until("the processes run", async || {
        pids = lines(bus, task).await.iter().filter_map(|line| line.parse().ok()).collect();
        pids.len() == count
    })
    .await;
    pids
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

async fn gone(pids: &[u32]) {
    until("the processes are gone", async || !pids.iter().any(|pid| is_alive(*pid))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_says_is_in_its_log_when_its_end_is_known() {
    let mut stand = Stand::start().await;
    let script = r#"printf '\033[31mred\033[0m\n%s %s %s\n' "$KANTOKU_TASK_ID" "$KANTOKU_ATTEMPT" \
        "$KANTOKU_FENCE" >&2; pwd >&2; echo '{}'"#;
    apply_sh(&mut stand, "say", script, json!({})).await;
    let (_, running) = executor(&stand.bus, |_| ());
    let task = announce(&stand.bus, "say").await;
    finished(&stand.bus, task.task_id).await;

    let history = stand.bus.ledger();
    let history = history.history(&Namespace::default(), Kind::Task, task.task_id, 0).await;
    let received = history.expect("read").remove(1);
    assert!(matches!(received.event, Event::TaskReceived(_)));
    let lines = lines(&stand.bus, &task).await;
    assert_eq!(lines[0], "\u{1b}[31mred\u{1b}[0m");
    assert_eq!(lines[1], format!("{} 1 {}", task.task_id, received.stream_seq));
    let directory = std::path::Path::new(&lines[2]);
    assert!(directory.ends_with(format!("{}-1", task.task_id)), "a directory of its own");
    until("the directory is removed", async || !directory.exists()).await;
    running.stop().await;
    assert!(!directory.parent().expect("of the run").exists(), "nothing is left of the run");
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_attempt_is_stopped_and_nothing_more_is_said_of_it() {
    let mut stand = Stand::start().await;
    apply_sh(
        &mut stand,
        "stay",
        "trap '' TERM; echo $$ >&2; sleep 1000 & echo $! >&2; wait; wait",
        json!({}),
    )
    .await;
    let (executor, running) = executor(&stand.bus, |_| ());
    let task = announce(&stand.bus, "stay").await;
    let pids = pids(&stand.bus, &task, 2).await;
    assert_eq!((executor.load().running, executor.load().slots), (1, 8));

    let cancel = Command::Cancel(Cancel::because("enough"));
    stand.execute::<Task>(&cancel, task.task_id).await;
    let order = CancelOrder { task_id: task.task_id, attempt: 1, reason: "enough".into() };
    stand.bus.order_cancel("executor", &order).await.expect("passed on");
    gone(&pids).await;
    until("the slot is free", async || executor.load().running == 0).await;
    running.stop().await;
    let events = events(&stand.bus, task.task_id).await;
    assert!(matches!(events.last(), Some(Event::TaskCancelled(_))), "{events:?}");
    assert_eq!(events.len(), 3);
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_given_to_another_is_stopped_by_the_reply_to_a_heartbeat() {
    let mut stand = Stand::start().await;
    apply_sh(&mut stand, "stay", "echo $$ >&2; exec sleep 1000", json!({})).await;
    let mut heartbeats = stand.bus.heartbeats().await.expect("heard");
    let (executor, running) = executor(&stand.bus, |_| ());
    let task = announce(&stand.bus, "stay").await;
    let pids = pids(&stand.bus, &task, 1).await;

    let keeper = async {
        loop {
            let Some(Heard::Beat(beat, responder)) = heartbeats.next().await else { continue };
            let held = beat.attempts.iter().find(|held| held.task_id == task.task_id);
            // An older claim of the same attempt is not this one.
            let of_another = |held: &HeldAttempt| HeldAttempt { fence: held.fence - 1, ..*held };
            let lost = held.map(|held| if is_alive(pids[0]) { *held } else { of_another(held) });
            let reply = HeartbeatReply { lost: lost.into_iter().collect(), ..Default::default() };
            responder.answer(&reply).await.expect("answered");
        }
    };
    tokio::select! {
        () = keeper => unreachable!("it goes on for ever"),
        () = gone(&pids) => {}
    }
    until("the slot is free", async || executor.load().running == 0).await;
    running.stop().await;
    assert_eq!(events(&stand.bus, task.task_id).await.len(), 2, "spawned and received");
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_attempt_that_is_over_is_refused() {
    let mut stand = Stand::start().await;
    let flag = std::env::temp_dir().join(format!("ktk-flag-{}", Uuid::new_v4()));
    let script = format!("echo $$ >&2; while [ ! -e {} ]; do sleep 0.01; done", flag.display());
    apply_sh(&mut stand, "wait", &script, json!({})).await;
    let (executor, running) = executor(&stand.bus, |_| ());
    let task = announce(&stand.bus, "wait").await;
    pids(&stand.bus, &task, 1).await;

    let lost = Failure::new("lease", "the lease ran out", false);
    stand.execute::<Task>(&Command::Fail { attempt: 1, error: lost }, task.task_id).await;
    std::fs::write(&flag, "").expect("written");
    until("the slot is free", async || executor.load().running == 0).await;
    let finished = finished(&stand.bus, task.task_id).await;
    assert_eq!(finished.error.expect("an error").kind, "lease");
    assert_eq!(events(&stand.bus, task.task_id).await.len(), 3, "one end");
    running.stop().await;
    std::fs::remove_file(flag).expect("removed");
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_too_long_is_stopped_and_shows_what_it_said_last() {
    let mut stand = Stand::start().await;
    let more = json!({"timeouts": {"attempt": "300ms"}});
    apply_sh(&mut stand, "stay", "echo $$ >&2; exec sleep 1000", more).await;
    let (_, running) = executor(&stand.bus, |_| ());
    let task = announce(&stand.bus, "stay").await;
    let pids = pids(&stand.bus, &task, 1).await;
    let error = finished(&stand.bus, task.task_id).await.error.expect("an error");
    assert_eq!((error.kind.as_str(), error.retryable), ("timeout", true));
    assert_eq!(error.stderr_tail, Some(format!("{}\n", pids[0])));
    gone(&pids).await;
    running.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_stopped_ends_its_attempts_and_says_so() {
    let mut stand = Stand::start().await;
    apply_sh(&mut stand, "stay", "echo $$ >&2; exec sleep 1000", json!({})).await;
    apply_sh(&mut stand, "soon", "sleep 0.3; echo '{}'", json!({})).await;
    let (_, running) = executor(&stand.bus, |config| config.drain = Duration::from_secs(2));
    let (stay, soon) = (announce(&stand.bus, "stay").await, announce(&stand.bus, "soon").await);
    let pids = pids(&stand.bus, &stay, 1).await;
    until("the other runs", async || events(&stand.bus, soon.task_id).await.len() > 1).await;
    running.stop().await;
    let events = events(&stand.bus, stay.task_id).await;
    let Some(Event::TaskAttemptFailed(failed)) = events.last() else { panic!("{events:?}") };
    assert_eq!(failed.error.kind, "shutdown", "a loss, which is not charged to the task");
    assert_eq!(finished(&stand.bus, soon.task_id).await.outcome, Outcome::Ok, "it was drained");
    gone(&pids).await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_processes_announce_is_delivered_and_done_once() {
    const TASKS: usize = 100;
    let mut stand = Stand::start().await;
    stand.apply("Specification", "noop", json!({"executable": {"type": "noop"}})).await;
    let other = stand.another_bus().await;
    let (_, one) = executor(&stand.bus, |_| ());
    let (_, two) = executor(&other, |config| config.service_id = "two".into());
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        // Each bus is a process: what it announced itself, it need not be delivered.
        let bus = if number % 2 == 0 { &stand.bus } else { &other };
        tasks.push(announce(bus, "noop").await.task_id);
    }
    for task_id in tasks {
        assert_eq!(finished(&stand.bus, task_id).await.outcome, Outcome::Ok);
        assert_eq!(events(&stand.bus, task_id).await.len(), 3, "claimed once, finished once");
    }
    one.stop().await;
    two.stop().await;
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_at_what_is_known_costs_two_appends_and_no_question() {
    const TASKS: usize = 20;
    let mut stand = Stand::start().await;
    let pass = json!({
        "inputs": {"x": "number"}, "outputs": {"x": "number"}, "executable": {"type": "noop"},
    });
    stand.apply("Specification", "pass", pass).await;
    let applied = latest(&stand.bus, "pass").await;
    let (tap, url) = Tap::before(stand.nats_url()).await;
    let bus = Bus::open(&url, "tapped", DEADLINE, &Settings::default()).await.expect("opened");
    let (_, running) = executor(&bus, |_| ());

    // The first one asks for the specification.
    let value = [("x".to_owned(), Source::Value(json!(7)))].into();
    let mut last = announce_with(&bus, &applied, value, [].into()).await.task_id;
    finished(&stand.bus, last).await;
    tap.take();
    for _ in 0..TASKS {
        // Each reads what the one before it wrote.
        let history = stand.bus.ledger().history(&Namespace::default(), Kind::Task, last, 0).await;
        let seq = history.expect("read").last().expect("its end").stream_seq;
        let resource = [("x".to_owned(), Source::Resource(last))].into();
        let resolved = [("x".to_owned(), Resolved { seq, output: Some("x".into()) })].into();
        last = announce_with(&bus, &applied, resource, resolved).await.task_id;
        assert_eq!(finished(&stand.bus, last).await.outputs["x"], Datum::Value(json!(7)));
    }
    let sent = tap.take();
    assert_eq!(sent.get("append"), Some(&(TASKS * 4)), "two by this test, two by the executor");
    assert_eq!(sent.get("request"), None, "{sent:?}");
    running.stop().await;
    stand.stop().await;
}

/// Not a test: the executor that another test kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by another test"]
async fn doomed_executor() {
    let url = std::env::var(DOOMED_URL).expect("where to work");
    let bus = Bus::open(&url, "doomed", DEADLINE, &Settings::default()).await.expect("opened");
    let (_, _running) = executor(&bus, |_| ());
    CancellationToken::new().cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_killed_leaves_no_process_behind() {
    let mut stand = Stand::start().await;
    // One of them does not go when it is asked to, one left the process group.
    let script = "trap '' TERM; echo $$ >&2; sleep 1000 & echo $! >&2; \
                  setsid sleep 1001 & echo $! >&2; wait; wait; wait";
    apply_sh(&mut stand, "stay", script, json!({})).await;
    let mut doomed = tokio::process::Command::new("/proc/self/exe")
        .args(["--exact", "--ignored", "executor::doomed_executor"])
        .env(DOOMED_URL, stand.nats_url())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let task = announce(&stand.bus, "stay").await;
    let pids = pids(&stand.bus, &task, 3).await;
    assert!(pids.iter().all(|pid| is_alive(*pid)));

    doomed.kill().await.expect("killed with SIGKILL");
    let killed = Instant::now();
    gone(&pids).await;
    let took = killed.elapsed();
    // 500 ms of grace, and how long it takes to look.
    assert!(took < Duration::from_secs(10), "{took:?}");
    eprintln!("all processes were gone {took:?} after their executor was killed");
    stand.stop().await;
}
