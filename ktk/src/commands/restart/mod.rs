//! `ktk restart`

mod ask;
mod end;
mod show;

use std::path::PathBuf;

use kantoku_api::contract::{BulkAction, BulkKind};
use kantoku_domain::{
    Id,
    restart::{OutputPolicy, VersionPolicy},
};

use self::{ask::Subject, show::Done};
use super::{bulk, visible};
use crate::{
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    last::Last,
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk restart @failed                                the task that failed last
  ktk restart task/0193a5c2 --outputs reallocate     also what read its outputs
  ktk restart context/@last --only-failed --dry-run  what would happen, task by task
  ktk restart context/@last --only-failed --wait
  ktk restart context/@last --from convert --outputs reallocate --version latest
  ktk restart context/@last --dry-run -o json > plan.json
  ktk restart context/@last --plan plan.json         just that, and what was overtaken since
  ktk restart tasks --where 'sub_status == \"failed\" && finished_at > now - duration(\"1h\")' --yes
What was refused ends with 4; with --wait and --watch what failed again with 5.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to run again: a task, or a context as a whole; the beginning of an id is enough. With
    /// --where or -l: tasks or contexts
    #[arg(value_name = "TASK|CONTEXT", add = complete::targets())]
    target: Option<Target>,
    /// Of a context: only this task and what comes after it; a step or the id of a task
    #[arg(long, value_name = "NODE", conflicts_with = "only_failed")]
    from: Option<String>,
    /// Of a context: only what has failed, and what was skipped because of that
    #[arg(long)]
    only_failed: bool,
    /// Whether unresolved outputs pass on to what runs again, or it has fresh ones [default: reuse]
    #[arg(long, value_name = "reuse|reallocate")]
    outputs: Option<OutputPolicy>,
    /// Which version of its specification runs [default: same]
    #[arg(long, value_name = "same|latest|N")]
    version: Option<VersionPolicy>,
    /// Say what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do what this plan says, a document of `--dry-run -o json`; - for stdin
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["from", "only_failed", "outputs", "version", "dry_run"]
    )]
    plan: Option<PathBuf>,
    /// Why, for people
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    waiting: Waiting,
    /// Show every task of the plan on a line of its own, and whole ids
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    many: bulk::Many,
}

/// Whether to wait for the end.
#[derive(Debug, clap::Args)]
struct Waiting {
    /// Return when what runs again has ended
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Show the tasks live until they have ended
    #[arg(long, conflicts_with_all = ["wait", "dry_run"])]
    watch: bool,
}

pub(crate) async fn run(mut args: Args, session: &Session) -> Result<(), CommandError> {
    if args.many.is_given(session) {
        return many(args, session).await;
    }
    args.many.refuse_yes()?;
    let subject = subject(&args, session).await?;
    let plan = match args.plan.take() {
        Some(file) => Some(Box::new(ask::read_plan(file).await?)),
        None => None,
    };
    let restarted = subject.restart(&args, plan, session).await?;
    if args.dry_run {
        let command = subject.command(&args, session);
        return show::preview(&restarted, &command, args.full, session).await;
    }
    let Some(stream_seq) = restarted.stream_seq else {
        return Err(CommandError::new(Exit::Refused, "nothing was to be done")
            .advise(format!("ktk tree {} --by restart", restarted.context_id)));
    };
    visible(session, stream_seq).await;
    let done = Done::new(restarted, session).await;
    let task_id = match subject {
        Subject::Task(_) => done.successor(),
        Subject::Context { .. } => None,
    };
    Last { context_id: done.restarted.context_id, task_id }.remember(session);
    let Waiting { wait, watch: is_watched } = args.waiting;
    if !wait && !is_watched {
        return done.print(args.full, None, session).await;
    }
    let waited_for = Waited { task_id, stream_seq, is_watched };
    end::wait(&done, &waited_for, args.full, session).await
}

/// Each by itself: a task, or what has failed of a context.
async fn many(args: Args, session: &Session) -> Result<(), CommandError> {
    if args.from.is_some() || args.plan.is_some() || args.waiting.watch {
        return Err(CommandError::usage("--from, --plan and --watch are for one that is named"));
    }
    let kind = bulk::kind(args.target.as_ref(), &[BulkKind::Task, BulkKind::Context])?;
    if args.only_failed && kind == BulkKind::Task {
        return Err(CommandError::usage("--only-failed is about contexts: write contexts"));
    }
    let (reason, outputs, version) = (args.reason, args.outputs, args.version);
    let action = BulkAction::Restart { reason, outputs, version };
    let (dry_run, wait) = (args.dry_run, args.waiting.wait);
    let order = bulk::Order { action, done: "restarted", dry_run, wait };
    args.many.run(kind, order, session).await
}

/// What is waited for: the task, or else all of its context.
struct Waited {
    task_id: Option<Id>,
    stream_seq: u64,
    is_watched: bool,
}

/// What is to run again.
async fn subject(args: &Args, session: &Session) -> Result<Subject, CommandError> {
    let of_context = args.from.is_some() || args.only_failed;
    let Some(target) = &args.target else {
        return Err(CommandError::usage("name what to run again, or say --where or -l"));
    };
    let (kind, id) = match target.kind {
        None if of_context => target.resolve(session, Kind::Context).await?,
        None => target.resolve_either(session).await?,
        Some(_) => target.resolve(session, Kind::Task).await?,
    };
    match kind {
        Kind::Task if of_context => Err(CommandError::usage(
            "--from and --only-failed are about a context: name it, as in \
             `ktk restart context/@last --from NODE`",
        )),
        Kind::Task => Ok(Subject::Task(id)),
        Kind::Context => Ok(Subject::context(id, args)),
        kind => Err(CommandError::usage(format!(
            "a {kind} cannot be restarted: name a task or a context"
        ))),
    }
}
