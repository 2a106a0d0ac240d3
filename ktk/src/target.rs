//! What a command is about: `KIND/NAME`, or a name alone where the kind goes without saying.

use std::str::FromStr;

use kantoku_api::contract::{ContextList, Filter, ListParams};
use kantoku_domain::Id;

use crate::{
    error::{CommandError, Exit},
    failed,
    kind::Kind,
    last::Last,
    session::Session,
    step,
};

/// A name, with its kind if that was written. The name may be an id, the beginning of one,
/// `@last` (what was started last from here) or `@failed` (what failed last); of a task also
/// `CONTEXT/STEP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As written before the slash.
    pub(crate) kind: Option<Kind>,
    /// As written after it.
    pub(crate) name: String,
}

impl FromStr for Target {
    type Err = String;

    /// `text/words` is a name with a slash, as `text` is no kind: a prefix counts only if it is one.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => match kind.parse() {
                Ok(kind) => (Some(kind), name),
                Err(_) => (None, text),
            },
            None => (None, text),
        };
        if name.is_empty() {
            return Err("the name is missing; write KIND/NAME, e.g. task/0193a5c2".into());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl Target {
    /// A name of a known kind.
    pub(crate) fn new(kind: Kind, name: &str) -> Self {
        Self { kind: Some(kind), name: name.to_owned() }
    }

    /// The kind, `default` if none was written; and the name with `@last` and `@failed` replaced. A
    /// step of a context is a task.
    pub(crate) async fn resolve(
        &self,
        session: &Session,
        default: Kind,
    ) -> Result<(Kind, String), CommandError> {
        let kind = self.kind.unwrap_or(default);
        let is_task = matches!(kind, Kind::Task | Kind::Context);
        if let Some((context, step)) = of_step(&self.name).filter(|_| is_task) {
            let context = id_of(context, Kind::Context, session).await?;
            let task_id = step::task_of(&context, step, session).await?;
            return Ok((Kind::Task, task_id.to_string()));
        }
        Ok((kind, id_of(&self.name, kind, session).await?))
    }

    /// Like [`Self::resolve`] where both a task and a context will do. `@last` alone is whatever was
    /// started last.
    pub(crate) async fn resolve_either(
        &self,
        session: &Session,
    ) -> Result<(Kind, String), CommandError> {
        match Last::of(session).and_then(|last| last.task_id) {
            None if self.name == "@last" => self.resolve(session, Kind::Context).await,
            _ => self.resolve(session, Kind::Task).await,
        }
    }
}

/// The context and the step in `CONTEXT/STEP`, before which `context/` may stand.
fn of_step(name: &str) -> Option<(&str, &str)> {
    let (context, step) = name.split_once('/')?;
    match context.parse() {
        Ok(Kind::Context) => step.split_once('/'),
        _ => Some((context, step)),
    }
}

/// The name with `@last` and `@failed` replaced.
async fn id_of(name: &str, kind: Kind, session: &Session) -> Result<String, CommandError> {
    match name.strip_prefix('@') {
        Some("last") => Ok(last(session, kind)?.to_string()),
        Some("failed") => Ok(last_failed(session, kind).await?.to_string()),
        Some(_) => {
            Err(CommandError::usage(format!("{name:?} is no name: there are @last and @failed")))
        }
        None => Ok(name.to_owned()),
    }
}

/// What was started last from here.
fn last(session: &Session, kind: Kind) -> Result<Id, CommandError> {
    let Some(last) = Last::of(session) else {
        return Err(CommandError::new(
            Exit::NotFound,
            format!("nothing was started from here at {} yet, so there is no @last", session.url()),
        )
        .advise(format!("ktk get {}", kind.plural())));
    };
    let context_id = last.context_id;
    match kind {
        Kind::Context => Ok(context_id),
        Kind::Task => last.task_id.ok_or_else(|| {
            CommandError::new(
                Exit::NotFound,
                format!("what was started last is no single task but context/{context_id}"),
            )
            .advise("ktk tree @last")
        }),
        _ => Err(without_id(kind, "@last")),
    }
}

/// What failed last, and was not restarted since.
async fn last_failed(session: &Session, kind: Kind) -> Result<Id, CommandError> {
    let (id, as_of_seq) = match kind {
        Kind::Task => {
            let (failed, as_of_seq) = failed::tasks(None, 1, session.min_seq(), session).await?;
            (failed.first().map(|task| task.id), as_of_seq)
        }
        Kind::Context => {
            let params = ListParams {
                filter: Filter::from_iter([("status".to_owned(), "failed".into())]),
                limit: Some(1),
                namespace: session.namespace(),
                min_seq: session.min_seq(),
                ..ListParams::default()
            };
            let page = session.call::<ContextList>(&params).await?;
            (page.items.first().map(|context| context.id), page.as_of_seq)
        }
        _ => return Err(without_id(kind, "@failed")),
    };
    id.ok_or_else(|| {
        CommandError::new(Exit::NotFound, format!("no {kind} has failed"))
            .as_of(as_of_seq)
            .advise(format!("ktk get {}", kind.plural()))
    })
}

fn without_id(kind: Kind, name: &str) -> CommandError {
    CommandError::usage(format!("{name} is a task or a context, not a {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_from_a_name_with_a_slash() {
        let target = |text: &str| text.parse::<Target>().unwrap();
        assert_eq!(target("task/0193"), Target::new(Kind::Task, "0193"));
        assert_eq!(target("spec/text/words"), Target::new(Kind::Specification, "text/words"));
        assert_eq!(target("text/words"), Target { kind: None, name: "text/words".into() });
        assert_eq!(target("@last"), Target { kind: None, name: "@last".into() });
        assert_eq!(target("@last/deploy"), Target { kind: None, name: "@last/deploy".into() });
        assert_eq!(target("cx/@last/deploy"), Target::new(Kind::Context, "@last/deploy"));
        assert!("task/".parse::<Target>().is_err());
    }

    #[test]
    fn a_step_is_told_from_its_context() {
        assert_eq!(of_step("@last/deploy"), Some(("@last", "deploy")));
        assert_eq!(of_step("context/0193/a/b"), Some(("0193", "a/b")));
        assert_eq!(of_step("context/0193"), None);
        assert_eq!(of_step("0193"), None);
    }
}
