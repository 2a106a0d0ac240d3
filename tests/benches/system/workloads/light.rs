//! W5: 40 light sequential tasks, as scripts and as processes.

use super::row;
use crate::{
    manifests::{LIGHT_LENGTH, PROCESSES, SCRIPTS},
    measured::Measured,
    stand::Up,
};

pub(super) async fn run(up: &Up) -> Vec<(&'static str, Measured)> {
    let script = "fib(10) as a script in the sandbox, a process of its own; peers compute it in their worker";
    let process = "a shell that echoes its outputs, a new process for each task; peers compute fib(10) in \
                   their worker";
    vec![
        ("W5 rhai", row::pipeline(up, SCRIPTS, LIGHT_LENGTH, script).await),
        ("W5 process", row::pipeline(up, PROCESSES, LIGHT_LENGTH, process).await),
    ]
}

/// Starts the worker for scripts, which then stays.
pub(super) async fn warm_up(up: &Up) {
    row::started(up, SCRIPTS, LIGHT_LENGTH, "").await;
}
