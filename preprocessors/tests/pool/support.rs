//! What all trials share.

use std::{
    fs,
    future::Future,
    num::NonZeroU16,
    time::{Duration, Instant},
};

use kantoku_preprocessors::{Limits, Pool, PoolConfig, ScriptError};
use libtest_mimic::Trial;
use serde_json::{Map, Value};

/// The argument that makes this executable a worker.
pub(crate) const WORKER: &str = "script-worker";

/// No trial may take longer: a hang is a failure, not a wait.
const TRIAL_MAX: Duration = Duration::from_secs(60);

/// A test of the name `name`; what it is given tells its workers from all others on the machine.
pub(crate) fn trial<F: Future<Output = ()>>(
    name: &'static str,
    test: impl FnOnce(&'static str) -> F + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        let unique = format!("{name}-{}", std::process::id()).leak();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime
            .block_on(async { tokio::time::timeout(TRIAL_MAX, test(unique)).await })
            .map_err(|_| "it did not end".into())
    })
}

/// A pool whose workers can be told from those of other trials by their arguments.
pub(crate) fn pool(name: &str, workers_max: u16, limits: Limits) -> Pool {
    Pool::new(config(name, workers_max, limits))
}

pub(crate) fn config(name: &str, workers_max: u16, limits: Limits) -> PoolConfig {
    PoolConfig {
        workers_max: NonZeroU16::new(workers_max).unwrap(),
        limits,
        ..PoolConfig::this_program([WORKER, name])
    }
}

/// Generous, since other trials run at the same time and this build is not optimised.
pub(crate) fn patient() -> Limits {
    Limits { wall_ms: 20_000, ..Limits::default() }
}

pub(crate) fn scope(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(scope) => scope,
        other => panic!("a scope is an object, not {other}"),
    }
}

/// Runs a script without scope.
pub(crate) async fn run(pool: &Pool, script: &str) -> Result<Value, ScriptError> {
    pool.run(script, &Map::new()).await
}

/// Shows that the pool still works.
pub(crate) async fn healthy(pool: &Pool) {
    assert_eq!(run(pool, "40 + 2").await, Ok(42.into()));
}

/// The process ids of the living workers of the pool called `name`.
pub(crate) fn workers(name: &str) -> Vec<i32> {
    processes([WORKER, name])
}

fn processes(args: [&str; 2]) -> Vec<i32> {
    let args = format!("\0{}\0{}\0", args[0], args[1]);
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        // A process that is ending has no command line any more.
        .filter(|pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.ends_with(args.as_bytes()))
        })
        .collect()
}

/// Waits until `fact` holds.
#[track_caller]
pub(crate) fn eventually(fact: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        while !fact() {
            assert!(started.elapsed() < Duration::from_secs(20), "never came true: {caller}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
