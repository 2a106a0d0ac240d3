//! The command line of `ktk dev`.

use std::{collections::BTreeSet, path::PathBuf};

use super::state::{StateDir, default_state_dir};
use super::{DevError, SyncPolicy};
use crate::serve::Part;

/// Run a whole stand privately: NATS, Postgres and every processor
#[derive(Debug, clap::Subcommand)]
pub enum DevCommand {
    /// Start the stand and report where it is
    Up(UpArgs),
    /// Stop the stand
    Down(StateArgs),
    /// Show whether the stand is running, and where
    Status(StateArgs),
    /// Show the logs of the stand
    Logs(LogsArgs),
    /// Install the servers if they are missing, and show where they are
    Tools,
    /// Stop the stand and delete everything it keeps
    Reset(ResetArgs),
}

/// Where the stand keeps its state.
#[derive(Debug, clap::Args)]
pub struct StateArgs {
    /// The state directory [default: `$KTK_STATE_DIR`, the nearest `.ktk` upwards, or the XDG state directory]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl DevCommand {
    /// The parts that the stand is to run.
    pub(crate) fn parts(&self) -> BTreeSet<Part> {
        match self {
            Self::Up(args) if !args.only.is_empty() => args.only.iter().copied().collect(),
            _ => Part::ALL.into(),
        }
    }
}

impl StateArgs {
    pub(super) fn dir(&self) -> Result<StateDir, DevError> {
        let dir = self.state_dir.clone().unwrap_or_else(default_state_dir);
        StateDir::at(&dir)
    }
}

/// Arguments of `ktk dev up`.
#[derive(Debug, clap::Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub(super) state: StateArgs,
    /// Leave the stand running and return
    #[arg(long)]
    pub(super) detach: bool,
    /// Which parts to run, the API among them, as `ktk serve` has them [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PART,…")]
    pub(super) only: Vec<Part>,
    /// When the private NATS writes events to the disk
    #[arg(long, value_enum, value_name = "WHEN", default_value = "interval")]
    pub(super) sync: SyncPolicy,
    /// Be the supervisor of a detached stand
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(super) supervise: bool,
}

/// Arguments of `ktk dev logs`.
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    #[command(flatten)]
    pub(super) state: StateArgs,
    /// Whose log [default: all]
    #[arg(long, value_enum)]
    pub(super) server: Option<LogSource>,
    /// Go on with what is logged from now on
    #[arg(long, short)]
    pub(super) follow: bool,
    /// How many lines of each log to begin with
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub(super) tail: usize,
}

/// Something that has a log of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogSource {
    /// nats-server
    Nats,
    /// Postgres
    Postgres,
    /// The supervisor with all processors, when it is detached
    Ktk,
}

impl LogSource {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Postgres => "postgres",
            Self::Ktk => "ktk",
        }
    }
}

/// Arguments of `ktk dev reset`.
#[derive(Debug, clap::Args)]
pub struct ResetArgs {
    #[command(flatten)]
    pub(super) state: StateArgs,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}
