//! Workers and their pool: how they start, wait, die and are replaced.

use std::{
    process::{ExitCode, Stdio},
    time::Instant,
};

use kantoku_preprocessors::{Limits, Pool, PoolConfig, ScriptError};
use libtest_mimic::Trial;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Map, json};
use tokio::{process::Command, task::JoinSet};

use crate::support::{config, eventually, healthy, patient, pool, run, scope, trial, workers};

/// The argument that makes this executable a parent to be killed.
pub(crate) const DOOMED_PARENT: &str = "doomed-parent";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("many_runs_share_few_workers", many_runs_share_few_workers),
        trial("waiting_is_bounded", waiting_is_bounded),
        trial("a_cancelled_run_takes_its_worker_along", cancelled_run),
        trial("idle_workers_killed", idle_workers_killed),
        trial("a_running_worker_killed_once_is_forgiven", running_worker_killed),
        trial("workers_die_with_their_parent", die_with_parent),
        trial("a_closed_pool_has_no_workers", closed_pool),
        trial("a_dropped_pool_has_no_workers", dropped_pool),
        trial("a_worker_that_cannot_start", cannot_start),
        trial("a_worker_that_is_none", not_a_worker),
        trial("a_warm_run_is_cheap", warm_run_is_cheap),
    ]
}

/// As long as a trial, and no operation counts.
fn endless() -> Limits {
    Limits { operations: u64::MAX, wall_ms: 100_000, ..Limits::default() }
}

fn killed(pids: &[i32]) {
    for pid in pids {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }
}

async fn many_runs_share_few_workers(name: &'static str) {
    let limits = Limits { operations: 200_000, ..patient() };
    let pool = pool(name, 2, limits);
    let mut runs = JoinSet::new();
    for n in 0..200 {
        let pool = pool.clone();
        runs.spawn(async move {
            // Every tenth fails in one way or another.
            let script = match n % 20 {
                3 => "loop {}",
                13 => "throw n",
                _ => "n * 2",
            };
            let result = pool.run(script, &scope(json!({"n": n}))).await;
            match n % 20 {
                3 => assert!(matches!(result, Err(ScriptError::Limit { .. })), "{result:?}"),
                13 => assert!(matches!(result, Err(ScriptError::Runtime { .. })), "{result:?}"),
                _ => assert_eq!(result, Ok(json!(n * 2))),
            }
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
        assert!(workers(name).len() <= 2);
    }
    assert_eq!(workers(name).len(), 2);
}

async fn waiting_is_bounded(name: &'static str) {
    let pool = Pool::new(PoolConfig { waiting_max: 1, ..config(name, 1, endless()) });
    let mut runs = JoinSet::new();
    for _ in 0..3 {
        let pool = pool.clone();
        runs.spawn(async move { run(&pool, "loop {}").await });
    }
    // One runs, one waits, and the third hears of it at once.
    let refused = runs.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
    runs.shutdown().await;
    healthy(&pool).await;
}

async fn cancelled_run(name: &'static str) {
    let pool = pool(name, 1, endless());
    healthy(&pool).await;
    let before = workers(name);
    let running = tokio::spawn({
        let pool = pool.clone();
        async move { run(&pool, "loop {}").await }
    });
    eventually(|| has_worked(before[0])).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    healthy(&pool).await;
    eventually(|| workers(name).len() == 1).await;
    assert_ne!(workers(name), before);
}

/// Whether the process has computed for longer than starting and a small script take.
fn has_worked(pid: i32) -> bool {
    const TICKS: u64 = 20;
    // One that is gone works no more.
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name of the program may contain anything, and ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>() >= TICKS
}

async fn idle_workers_killed(name: &'static str) {
    let pool = pool(name, 2, patient());
    let (one, other) = tokio::join!(run(&pool, "1"), run(&pool, "2"));
    assert_eq!((one, other), (Ok(json!(1)), Ok(json!(2))));
    let before = workers(name);
    assert_eq!(before.len(), 2);
    killed(&before);
    for _ in 0..4 {
        healthy(&pool).await;
    }
    eventually(|| workers(name).iter().all(|pid| !before.contains(pid))).await;
}

async fn running_worker_killed(name: &'static str) {
    let pool = pool(name, 1, endless());
    let running = tokio::spawn({
        let pool = pool.clone();
        async move { run(&pool, "loop {}").await }
    });
    eventually(|| workers(name).iter().any(|pid| has_worked(*pid))).await;
    let first = workers(name);
    killed(&first);
    eventually(|| workers(name).len() == 1 && workers(name) != first).await;
    let second = workers(name);
    eventually(|| has_worked(second[0])).await;
    killed(&second);
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, ScriptError::Crashed { .. }), "{error}");
    healthy(&pool).await;
}

async fn die_with_parent(name: &'static str) {
    let mut parent = Command::new("/proc/self/exe")
        .args([DOOMED_PARENT, name])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually(|| workers(name).len() == 2).await;
    // One of them is in an endless loop, the other idle.
    eventually(|| workers(name).iter().any(|pid| has_worked(*pid))).await;
    parent.kill().await.unwrap();
    eventually(|| workers(name).is_empty()).await;
}

/// Holds one busy and one idle worker until it is killed.
pub(crate) fn doomed_parent() -> ExitCode {
    let name = std::env::args().nth(2).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let pool = pool(&name, 2, endless());
        drop(tokio::join!(run(&pool, "loop {}"), run(&pool, "1")));
    });
    ExitCode::FAILURE
}

async fn closed_pool(name: &'static str) {
    let pool = pool(name, 2, patient());
    let (one, other) = tokio::join!(run(&pool, "1"), run(&pool, "2"));
    assert!(one.is_ok() && other.is_ok());
    let running = tokio::spawn({
        let pool = pool.clone();
        async move { run(&pool, "let sum = 0; for i in 0..100000 { sum += i; } sum").await }
    });
    let busy = workers(name);
    eventually(|| running.is_finished() || busy.iter().any(|pid| has_worked(*pid))).await;
    pool.close().await;
    assert!(workers(name).is_empty());
    assert_eq!(running.await.unwrap(), Ok(json!(4_999_950_000_u64)));
    assert!(run(&pool, "1").await.unwrap_err().is_retryable());
    pool.close().await;
}

async fn dropped_pool(name: &'static str) {
    let pool = pool(name, 1, patient());
    healthy(&pool).await;
    drop(pool);
    eventually(|| workers(name).is_empty()).await;
}

async fn cannot_start(_name: &'static str) {
    let pool = Pool::new(PoolConfig::new("/nonexistent/ktk", ["script-worker"]));
    let error = run(&pool, "1").await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("/nonexistent/ktk"), "{error}");
}

async fn not_a_worker(_name: &'static str) {
    let script = "echo I am none >&2; exit 3";
    let pool = Pool::new(PoolConfig::new("/bin/sh", ["-c", script]));
    let error = run(&pool, "1").await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("I am none"), "{error}");
}

async fn warm_run_is_cheap(name: &'static str) {
    const RUNS: u32 = 200;
    let pool = pool(name, 1, patient());
    let given = scope(json!({"words": ["to", "spear", "fishes"]}));
    let script = "words.filter(|w| w.len() > 3)";
    let started = Instant::now();
    pool.run(script, &given).await.unwrap();
    let cold = started.elapsed();
    let started = Instant::now();
    for _ in 0..RUNS {
        pool.run(script, &given).await.unwrap();
    }
    let warm = started.elapsed() / RUNS;
    eprintln!("a run: cold {cold:?}, warm {warm:?}");
    assert!(warm < cold, "a warm run took {warm:?}, a cold one {cold:?}");
    assert_eq!(pool.run("1", &Map::new()).await, Ok(json!(1)));
}
