//! From a command line to the call, and to the command line that does what a preview shows.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use kantoku_api::contract::{
    ContextRestart, ContextRestartParams, ContextTarget, Restarted, TaskRestart, TaskRestartParams,
};
use kantoku_domain::restart::Plan;
use serde_json::Value;

use super::Args;
use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    session::Session,
};

/// How long the file of a plan may be: as long as a request.
const PLAN_BYTES_MAX: u64 = kantoku_api::contract::REQUEST_BYTES_MAX as u64;

/// What is to run again.
pub(super) enum Subject {
    /// A task, by its id or the beginning of it.
    Task(String),
    /// A context, and what of it.
    Context { id: String, target: ContextTarget },
}

impl Subject {
    /// What of a context the flags name.
    pub(super) fn context(id: String, args: &Args) -> Self {
        let target = match &args.from {
            Some(node) => ContextTarget::From(node.clone()),
            None if args.only_failed => ContextTarget::Failed,
            None => ContextTarget::All,
        };
        Self::Context { id, target }
    }

    /// Has it restarted, or says what that would come to.
    pub(super) async fn restart(
        &self,
        args: &Args,
        plan: Option<Box<Plan>>,
        session: &Session,
    ) -> Result<Restarted, CommandError> {
        let within = session.work_timeout();
        let (kind, restarted) = match self {
            Self::Task(id) => {
                let params = TaskRestartParams {
                    id: id.clone(),
                    outputs: args.outputs,
                    version: args.version,
                    from: false,
                    dry_run: args.dry_run,
                    plan,
                    reason: args.reason.clone(),
                    idempotency_key: None,
                    namespace: session.namespace(),
                };
                (Kind::Task, session.call_within::<TaskRestart>(within, &params).await)
            }
            Self::Context { id, target } => {
                let params = ContextRestartParams {
                    id: id.clone(),
                    // A plan says itself what was asked for.
                    target: plan.is_none().then(|| target.clone()),
                    outputs: args.outputs,
                    version: args.version,
                    dry_run: args.dry_run,
                    plan,
                    reason: args.reason.clone(),
                    idempotency_key: None,
                    namespace: session.namespace(),
                };
                (Kind::Context, session.call_within::<ContextRestart>(within, &params).await)
            }
        };
        restarted.map_err(|error| self.advise(error.or_list(kind), args, session))
    }

    /// Names a command that may do what was refused, or shows what stands in its way.
    fn advise(&self, error: CommandError, args: &Args, session: &Session) -> CommandError {
        let is_resolved = args.outputs.is_none()
            && error.api().is_some_and(|error| error.message.contains("outputs reallocate"));
        match (error.exit, self) {
            (Exit::Refused, _) if is_resolved => error.or_advise(|| {
                format!("{} --outputs reallocate --dry-run", self.command(args, session))
            }),
            (Exit::Refused, Self::Task(id)) => {
                error.or_advise(|| format!("ktk describe task/{id}"))
            }
            (Exit::Refused, Self::Context { id, .. }) => {
                error.or_advise(|| format!("ktk tree context/{id}"))
            }
            _ => error,
        }
    }

    /// The command that does what a dry run has shown.
    pub(super) fn command(&self, args: &Args, session: &Session) -> String {
        let mut words = vec!["ktk".to_owned(), "restart".to_owned()];
        match self {
            Self::Task(id) => words.push(format!("task/{id}")),
            Self::Context { id, target } => {
                words.push(format!("context/{id}"));
                match target {
                    ContextTarget::All => {}
                    ContextTarget::Failed => words.push("--only-failed".into()),
                    ContextTarget::From(node) => words.extend(["--from".into(), quoted(node)]),
                }
            }
        }
        if let Some(outputs) = args.outputs {
            words.extend(["--outputs".into(), outputs.to_string()]);
        }
        if let Some(version) = args.version {
            words.extend(["--version".into(), version.to_string()]);
        }
        if !args.reason.is_empty() {
            words.extend(["--reason".into(), quoted(&args.reason)]);
        }
        if let Some(namespace) = session.namespace() {
            words.extend(["-n".into(), namespace.to_string()]);
        }
        words.join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The plan in a document that a preview has printed, or the plan alone.
pub(super) async fn read_plan(file: PathBuf) -> Result<Plan, CommandError> {
    let name = file.display().to_string();
    // Stdin may let one wait: on a thread of its own, so that Ctrl-C is heard meanwhile.
    let read = tokio::task::spawn_blocking(move || read(&file)).await;
    let bytes = read
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot read {name}: {error}")))?;
    parse(&bytes).map_err(|error| {
        CommandError::new(Exit::Refused, format!("{name} holds no plan of a restart: {error}"))
            .advise("ktk restart TARGET --dry-run -o json > plan.json")
    })
}

fn parse(bytes: &[u8]) -> serde_json::Result<Plan> {
    let mut document: Value = serde_json::from_slice(bytes)?;
    let plan = document.get_mut("plan").map(Value::take);
    serde_json::from_value(plan.unwrap_or(document))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = if file.as_os_str() == "-" {
        io::stdin().lock().take(PLAN_BYTES_MAX + 1).read_to_end(&mut bytes)?
    } else {
        File::open(file)?.take(PLAN_BYTES_MAX + 1).read_to_end(&mut bytes)?
    };
    if length as u64 > PLAN_BYTES_MAX {
        let text = format!("it is longer than {} MiB", PLAN_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use kantoku_domain::restart::{OutputPolicy, VersionPolicy};
    use serde_json::json;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        global: crate::session::GlobalArgs,
        #[command(flatten)]
        args: Args,
    }

    /// The command that a command line shows.
    fn command(line: &str) -> Result<String, clap::Error> {
        let words = std::iter::once("restart").chain(line.split(' '));
        let Line { global, args } = Line::try_parse_from(words)?;
        let target = args.target.as_ref().unwrap();
        let subject = match target.kind {
            Some(Kind::Context) => Subject::context(target.name.clone(), &args),
            _ => Subject::Task(target.name.clone()),
        };
        let session = Session::new(global, crate::profile::Profile::default()).unwrap();
        Ok(subject.command(&args, &session))
    }

    #[test]
    fn a_preview_names_the_command_that_does_it() {
        for line in [
            "task/0193",
            "context/0193 --only-failed",
            "context/0193 --from text/words --outputs reallocate --version latest",
            "context/0193 --version 3 --reason enough -n other",
        ] {
            assert_eq!(command(line).unwrap(), format!("ktk restart {line}"));
        }
        assert_eq!(command("t/0193 --dry-run").unwrap(), "ktk restart task/0193");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("it's over"), r"'it'\''s over'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a.b/c-1"), "a.b/c-1");
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for line in [
            "context/1 --from a --only-failed",
            "context/1 --outputs recycle",
            "context/1 --version newest",
            "context/1 --dry-run --wait",
            "context/1 --wait --watch",
            "context/1 --plan a.json --only-failed",
        ] {
            assert!(command(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_plan_is_read_from_the_document_of_a_preview() {
        let plan = Plan {
            context_id: kantoku_domain::Id::default(),
            target: kantoku_domain::restart::Target::All,
            outputs: OutputPolicy::Reallocate,
            version: VersionPolicy::Number(3),
            entries: vec![],
            results: [].into(),
            reopens: true,
        };
        let document = json!({ "plan": plan, "dry_run": true }).to_string();
        assert_eq!(parse(document.as_bytes()).unwrap(), plan);
        assert_eq!(parse(json!(plan).to_string().as_bytes()).unwrap(), plan);
        assert!(parse(b"{}").is_err());
    }
}
