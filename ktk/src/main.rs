//! The binary.

use std::process::ExitCode;

use clap::Parser as _;
use ktk::cli::{Cli, SCRIPT_WORKER};

fn main() -> ExitCode {
    // A worker gives up most of what a process may do before it touches anything else.
    if std::env::args_os().nth(1).is_some_and(|word| word == SCRIPT_WORKER) {
        return kantoku_preprocessors::worker_main();
    }
    Cli::parse().run()
}
