//! The words of the command line, and what each comes to.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};
use tokio::runtime;
use tracing_subscriber::EnvFilter;

use crate::{
    commands::ClientCommand,
    complete,
    dev::{self, DevCommand, DevError, DevOutput, LaunchArgs},
    error::CommandError,
    man,
    output::Format,
    plugin,
    serve::{self, ServeArgs},
    session::GlobalArgs,
};

/// The hidden word by which this binary is a worker for scripts. Not clap's: see `main`.
pub const SCRIPT_WORKER: &str = "script-worker";
/// The hidden word by which this binary ends what an executor that was killed has left behind.
pub const REAPER: &str = "reaper";

const EXIT_CODES: &str =
    "Exit codes: 0 ok, 1 error, 2 usage, 3 not found or ambiguous, 4 refused, \
5 the awaited task failed, 6 timed out waiting, 7 findings, 8 unreachable, 9 not allowed, \
130 interrupted.

Start here:
  ktk dev up --detach          a private stand on this machine
  ktk apply -f examples        what the tasks and pipelines are
  ktk run pipeline/NAME --wait";

/// Distributed tasks with an exact memory.
#[derive(Debug, Parser)]
#[command(name = "ktk", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A private stand on this machine: NATS, Postgres and the processors
    #[command(after_help = "Example:\n  ktk dev up --detach && ktk dev status && ktk dev down")]
    Dev {
        #[command(subcommand)]
        command: DevCommand,
    },
    /// Run some or all parts of Kantoku on servers of your own
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Starts a program that dies with its parent
    #[command(hide = true)]
    Launch(LaunchArgs),
    /// Print what makes a shell complete the words of this program
    #[command(after_help = complete::EXAMPLES)]
    Completion(complete::Args),
    /// Write manual pages
    #[command(after_help = man::EXAMPLES)]
    Man(man::Args),
    /// Commands of others: `ktk foo` is `ktk-foo` in the PATH
    #[command(after_help = plugin::EXAMPLES)]
    Plugin(plugin::Args),
    #[command(flatten)]
    Client(ClientCommand),
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

impl Cli {
    /// Answers a shell that asks how a word could go on, and ends; returns if none asks.
    pub fn complete() {
        complete::answer(Self::command);
    }

    /// The words that commands begin with.
    pub(crate) fn words() -> Vec<String> {
        Self::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
    }

    /// Carries out the command. Called first thing in `main`, before any thread exists, as the
    /// launcher may enter a user namespace.
    pub fn run(self) -> ExitCode {
        let draws = matches!(self.command, Command::Client(ClientCommand::Graph(_)));
        if matches!(self.global.output(), Format::Picture(_)) && !draws {
            let text = "-o tree, dot, mermaid and svg are for `ktk graph`";
            return fail(&CommandError::usage(text));
        }
        match self.command {
            Command::Launch(args) => dev::launch_main(&args),
            Command::Dev { command } => run_dev(command, &self.global),
            Command::Serve(args) => run_serve(*args, &self.global),
            Command::Client(command) => run_client(command, self.global),
            Command::Completion(args) => ended(complete::run(&args)),
            Command::Man(args) => ended(man::run(&args, Self::command())),
            Command::Plugin(args) => ended(plugin::run(&args, self.global.output())),
            Command::External(words) => {
                let Err(error) = plugin::exec(&words, &self.global);
                fail(&error)
            }
        }
    }
}

fn run_dev(command: DevCommand, global: &GlobalArgs) -> ExitCode {
    log_to_stderr(global.log_level("info"));
    let runtime = match runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return no_runtime(&error),
    };
    let output = match global.output() {
        Format::Json | Format::Jsonl => DevOutput::Json,
        _ => DevOutput::Text,
    };
    let parts = command.parts();
    let serve = |context| serve::run_on_stand(context, parts);
    match runtime.block_on(dev::run(command, output, serve)) {
        Ok(()) | Err(DevError::Unread) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run_serve(args: ServeArgs, global: &GlobalArgs) -> ExitCode {
    log_to_stderr(global.log_level("info"));
    let runtime = match runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return no_runtime(&error),
    };
    let done = args
        .config(global.timeout())
        .and_then(|config| runtime.block_on(serve::run_until_signal(config, global.output())));
    // What did not end in time is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// One thread is enough for a client, and starts faster than several.
fn run_client(command: ClientCommand, global: GlobalArgs) -> ExitCode {
    log_to_stderr(global.log_level("warn"));
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return no_runtime(&error),
    };
    let session = match command.session(global) {
        Ok(session) => session,
        Err(error) => return fail(&error),
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = command.run(&session) => done,
            Ok(()) = tokio::signal::ctrl_c() => Err(session.interrupted()),
        }
    });
    // A thread that still reads stdin is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn ended(done: Result<(), CommandError>) -> ExitCode {
    done.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

fn fail(error: &CommandError) -> ExitCode {
    if !error.is_silent() {
        eprintln!("ktk: {error}");
    }
    ExitCode::from(error.exit_code())
}

/// Libraries that log, at their finest, what they send and receive: keys and secrets among it.
const LOG_WHAT_IS_SENT: [&str; 6] =
    ["hyper", "jsonrpsee", "reqwest", "rustls", "tokio_tungstenite", "tungstenite"];

fn log_to_stderr(level: &str) {
    let filter = EnvFilter::try_from_env("KTK_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},async_nats=warn")));
    let filter = LOG_WHAT_IS_SENT.into_iter().fold(filter, |filter, library| {
        match format!("{library}=warn").parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

fn no_runtime(error: &io::Error) -> ExitCode {
    tracing::error!(%error, "cannot start: the limits on threads or files may be too low");
    ExitCode::FAILURE
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
