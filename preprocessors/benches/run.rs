//! What a script costs on a warm pool: the round trip to the worker and back.

use std::process::ExitCode;

use divan::Bencher;
use kantoku_preprocessors::{Pool, PoolConfig};
use serde_json::{Map, Value, json};

const WORKER: &str = "script-worker";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return kantoku_preprocessors::worker_main();
    }
    divan::main();
    ExitCode::SUCCESS
}

#[divan::bench]
fn constant(bencher: Bencher) {
    warm(bencher, "1", &Map::new());
}

#[divan::bench(args = [10, 1_000])]
fn filter(bencher: Bencher, words: usize) {
    let mut scope = Map::new();
    scope.insert("words".to_owned(), json!(vec!["fishes"; words]));
    warm(bencher, "words.filter(|w| w.len() > 3)", &scope);
}

fn warm(bencher: Bencher, script: &str, scope: &Map<String, Value>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let pool = Pool::new(PoolConfig::this_program([WORKER]));
    let run = || runtime.block_on(pool.run(script, scope)).expect("the script is healthy");
    run();
    bencher.bench_local(run);
    runtime.block_on(pool.close());
}
