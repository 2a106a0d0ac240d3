//! The binary.

use std::process::ExitCode;

use clap::Parser as _;
use ktk::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
