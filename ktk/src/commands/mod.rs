//! The commands of a client, one module each: `Args` (clap) and
//! `async fn run(args, &Session) -> Result<(), CommandError>`.
//!
//! To add one: a module, a variant of [`ClientCommand`] with its help, and its arm in
//! [`ClientCommand::run`].

mod apply;
mod approve;
mod attempts;
mod audit;
mod auth;
pub(crate) mod bulk;
mod cancel;
mod config;
mod create;
mod definition;
mod delete;
mod describe;
mod diff;
mod doctor;
mod edit;
mod events;
mod explain;
mod failures;
mod files;
mod get;
mod graph;
mod import;
mod key;
mod label;
mod logs;
mod operation;
mod outputs;
mod pause;
mod projections;
mod restart;
mod run;
mod scripts;
mod spawn;
mod tree;
mod validate;
mod version;
mod wait;
pub(crate) mod watch;
mod why;

use clap::Subcommand;
use kantoku_api::contract::{ContextList, ListParams};
use kantoku_domain::{Id, Millis};

use crate::{
    error::{CommandError, Exit},
    profile::{self, Profile},
    session::{GlobalArgs, Session},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Make so what manifests declare: specifications, types, pipelines, policies
    #[command(after_help = apply::EXAMPLES)]
    Apply(apply::Args),
    /// Show what applying manifests would change
    #[command(after_help = diff::EXAMPLES)]
    Diff(diff::Args),
    /// Change in an editor what a manifest declared
    #[command(after_help = edit::EXAMPLES)]
    Edit(edit::Args),
    /// Start a pipeline
    #[command(after_help = run::EXAMPLES)]
    Run(run::Args),
    /// Start a single task
    #[command(after_help = spawn::EXAMPLES)]
    Spawn(spawn::Args),
    /// Wait for the end of a task or a context
    #[command(after_help = wait::EXAMPLES)]
    Wait(wait::Args),
    /// Show things: tasks, contexts, resources, definitions, events, services
    #[command(after_help = get::EXAMPLES)]
    Get(get::Args),
    /// Show one thing in full: what it is, what went wrong, what happened to it
    #[command(after_help = describe::EXAMPLES)]
    Describe(describe::Args),
    /// Say what the fields of a kind of thing mean, in manifests and documents
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Args),
    /// Show a context and all its tasks
    #[command(after_help = tree::EXAMPLES)]
    Tree(tree::Args),
    /// Draw a context: what waits for what, and who spawned whom
    #[command(after_help = graph::EXAMPLES)]
    Graph(graph::Args),
    /// See a context change until it ends, or all contexts
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::Args),
    /// Say why a task is where it is
    #[command(after_help = why::EXAMPLES)]
    Why(why::Args),
    /// Show every try of a task and of its restarts, and what was different
    #[command(after_help = attempts::EXAMPLES)]
    Attempts(attempts::Args),
    /// Show what a task wrote
    #[command(after_help = logs::EXAMPLES)]
    Logs(logs::Args),
    /// Show, follow, check, export and import what happened, event by event
    #[command(after_help = events::EXAMPLES)]
    Events(events::Args),
    /// Make pipelines of workflows of other systems
    #[command(after_help = import::EXAMPLES)]
    Import(import::Args),
    /// Look after the read models
    #[command(after_help = projections::EXAMPLES)]
    Projections(projections::Args),
    /// Say what is wrong, and what to do about it
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::Args),
    /// Check, run and test scripts: those on the edges of pipelines, and in specifications
    #[command(after_help = scripts::EXAMPLES)]
    Scripts(scripts::Args),
    /// Check manifests without applying them
    #[command(after_help = validate::EXAMPLES)]
    Validate(validate::Args),
    /// Stop a task, or all tasks of a context; or all that a condition is about
    #[command(after_help = cancel::EXAMPLES)]
    Cancel(cancel::Args),
    /// Run a task again, or a context, or some of it; or show what that would come to
    #[command(after_help = restart::EXAMPLES)]
    Restart(restart::Args),
    /// Put labels on tasks, or take them off
    #[command(after_help = label::EXAMPLES)]
    Label(label::Args),
    /// Let a task, a context, a specification or a namespace wait
    #[command(after_help = pause::PAUSE_EXAMPLES)]
    Pause(pause::PauseArgs),
    /// Let it go on
    #[command(after_help = pause::RESUME_EXAMPLES)]
    Resume(pause::ResumeArgs),
    /// Say yes to an approval that a task waits for
    #[command(after_help = approve::EXAMPLES)]
    Approve(approve::Args),
    /// Make what no manifest declares: a secret
    #[command(after_help = create::EXAMPLES)]
    Create(create::Args),
    /// Take back policies that manifests declared, or a secret
    #[command(after_help = delete::EXAMPLES)]
    Delete(delete::Args),
    /// Servers, namespaces and keys by name: list them, change them, put one to use
    #[command(after_help = config::EXAMPLES)]
    Config(config::Args),
    /// Make, show and revoke the keys that the API asks for
    #[command(after_help = key::EXAMPLES)]
    Key(key::Args),
    /// Show who asked for what, and what came of it
    #[command(after_help = audit::EXAMPLES)]
    Audit(audit::Args),
    /// Make users of NATS, each of which may do what its processes need and no more
    #[command(after_help = auth::EXAMPLES)]
    Auth(auth::Args),
    /// Show the versions of this program and of the server
    #[command(after_help = version::EXAMPLES)]
    Version(version::Args),
}

impl ClientCommand {
    /// A global flag that means nothing to the command is refused rather than ignored.
    fn check_flags(&self, session: &Session) -> Result<(), CommandError> {
        if session.all_namespaces() && !matches!(self, Self::Get(_) | Self::Events(_)) {
            let text = "-A is for `ktk get` and `ktk events`: name one namespace with -n";
            return Err(CommandError::usage(text));
        }
        if session.is_of_one_and_all() {
            return Err(CommandError::usage("-n names one namespace, -A means all: choose"));
        }
        let is_for_many = matches!(self, Self::Cancel(_) | Self::Label(_) | Self::Restart(_));
        let takes_labels = matches!(self, Self::Get(_) | Self::Run(_) | Self::Spawn(_));
        if !session.labels().is_empty() && !takes_labels && !is_for_many {
            let text = "-l is for `ktk get`, `run`, `spawn`, `cancel`, `label` and `restart`";
            return Err(CommandError::usage(text));
        }
        let looks_back =
            matches!(self, Self::Get(_) | Self::Describe(_) | Self::Tree(_) | Self::Graph(_));
        if !session.looking_back().is_now() && !looks_back {
            let text = "--at-seq and --at are for `ktk get`, `describe`, `tree` and `graph`";
            return Err(CommandError::usage(text));
        }
        Ok(())
    }

    /// What the command works with. Whoever asks no server needs none that works.
    pub(crate) fn session(&self, global: GlobalArgs) -> Result<Session, CommandError> {
        let profile = match self {
            Self::Auth(_) | Self::Config(_) => Profile::default(),
            _ => profile::read()?.pick(global.profile())?,
        };
        Session::new(global, profile)
    }

    /// Carries out the command.
    pub(crate) async fn run(self, session: &Session) -> Result<(), CommandError> {
        self.check_flags(session)?;
        match self {
            Self::Apply(args) => apply::run(args, session).await,
            Self::Diff(args) => diff::run(args, session).await,
            Self::Edit(args) => edit::run(args, session).await,
            Self::Run(args) => run::run(args, session).await,
            Self::Spawn(args) => spawn::run(args, session).await,
            Self::Wait(args) => wait::run(args, session).await,
            Self::Describe(args) => describe::run(args, session).await,
            Self::Get(args) => get::run(args, session).await,
            Self::Explain(args) => explain::run(&args, session),
            Self::Tree(args) => tree::run(args, session).await,
            Self::Graph(args) => graph::run(args, session).await,
            Self::Watch(args) => watch::run(args, session).await,
            Self::Why(args) => why::run(args, session).await,
            Self::Logs(args) => logs::run(args, session).await,
            Self::Events(args) => events::run(args, session).await,
            Self::Import(args) => import::run(args, session).await,
            Self::Projections(args) => projections::run(args, session).await,
            Self::Doctor(args) => doctor::run(args, session).await,
            Self::Scripts(args) => scripts::run(args, session).await,
            Self::Validate(args) => validate::run(args, session).await,
            Self::Cancel(args) => cancel::run(args, session).await,
            Self::Restart(args) => restart::run(args, session).await,
            Self::Label(args) => label::run(args, session).await,
            Self::Pause(args) => pause::pause(args, session).await,
            Self::Resume(args) => pause::resume(args, session).await,
            Self::Approve(args) => approve::run(args, session).await,
            Self::Attempts(args) => attempts::run(args, session).await,
            Self::Create(args) => create::run(args, session).await,
            Self::Delete(args) => delete::run(args, session).await,
            Self::Config(args) => config::run(args, session),
            Self::Key(args) => key::run(args, session).await,
            Self::Audit(args) => audit::run(args, session).await,
            Self::Auth(args) => auth::run(args, session),
            Self::Version(args) => version::run(&args, session).await,
        }
    }
}

/// How long to wait for the read model after a command, so that the next command sees what this one
/// did.
const VISIBLE_WITHIN: Millis = Millis(2_000);

/// Waits until reads show what was written at `stream_seq`. If that takes long the read model is
/// behind, which later reads will say: no reason to fail here.
async fn visible(session: &Session, stream_seq: u64) {
    let params = ListParams {
        limit: Some(1),
        namespace: session.namespace(),
        min_seq: Some(stream_seq),
        timeout: Some(VISIBLE_WITHIN),
        ..ListParams::default()
    };
    if let Err(error) = session.call::<ContextList>(&params).await {
        tracing::info!(%error, "the read model does not show it yet");
    }
}

/// For a wait that lost the server: what it started does not depend on who waits for it.
fn goes_on(error: CommandError, kind: &str, id: Id) -> CommandError {
    match error.exit {
        Exit::Unreachable => error.add(&format!("; {kind}/{id} goes on: ktk wait {kind}/{id}")),
        _ => error,
    }
}
