//! The binary.

use std::process::ExitCode;

use clap::Parser as _;
use ktk::cli::{Cli, REAPER, SCRIPT_WORKER};

/// The allocator of glibc takes a third of the time that a service works, and gives the memory of a
/// flood of large values back late.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A worker gives up most of what a process may do before it touches anything else.
    let word = std::env::args_os().nth(1).unwrap_or_default();
    match word.to_str() {
        Some(SCRIPT_WORKER) => kantoku_preprocessors::worker_main(),
        Some(REAPER) => kantoku_executor::reaper_main(),
        _ => {
            Cli::complete();
            Cli::parse().run()
        }
    }
}
