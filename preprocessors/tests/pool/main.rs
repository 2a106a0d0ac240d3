//! The pool with real workers. This executable is its own worker, so it has its own `main`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod healthy;
mod hostile;
mod life;
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(support::WORKER) => kantoku_preprocessors::worker_main(),
        Some(life::DOOMED_PARENT) => life::doomed_parent(),
        _ => {
            let trials: Vec<Trial> = [healthy::trials(), hostile::trials(), life::trials()]
                .into_iter()
                .flatten()
                .collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}
