//! The words of the command line, and what each comes to.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::{
    dev::{self, DevCommand, DevOutput, LaunchArgs},
    serve,
};

/// The hidden word by which this binary is a worker for scripts. Not clap's: see `main`.
pub const SCRIPT_WORKER: &str = "script-worker";

/// Distributed tasks with an exact memory.
#[derive(Debug, Parser)]
#[command(name = "ktk", version)]
pub struct Cli {
    /// What data on stdout looks like.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A private stand on this machine: NATS, Postgres and the processors.
    #[command(after_help = "Example:\n  ktk dev up --detach && ktk dev status && ktk dev down")]
    Dev {
        #[command(subcommand)]
        command: DevCommand,
    },
    /// Starts a program that dies with its parent.
    #[command(hide = true)]
    Launch(LaunchArgs),
}

impl Cli {
    /// Carries out the command. Called first thing in `main`, before any thread exists, as the
    /// launcher may enter a user namespace.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Launch(args) => dev::launch_main(&args),
            Command::Dev { command } => run_dev(command, self.output),
        }
    }
}

fn run_dev(command: DevCommand, output: Format) -> ExitCode {
    let filter = EnvFilter::try_from_env("KTK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colour)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start: the limits on threads or files may be too low");
            return ExitCode::FAILURE;
        }
    };
    let output = match output {
        Format::Table => DevOutput::Text,
        Format::Json => DevOutput::Json,
    };
    match runtime.block_on(dev::run(command, output, serve::run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// An error and what caused it, on stderr.
fn report(error: &dyn std::error::Error) {
    let mut text = format!("ktk: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    eprintln!("{text}");
}
