//! `ktk spawn`

use std::collections::BTreeMap;

use kantoku_api::contract::{ContextGet, Input, SpawnParams, Spawned, TaskSpawn, TaskWaited};
use kantoku_domain::{Id, SecretName, SecretNameError, task::Outcome};
use serde_json::json;

use super::{goes_on, outputs, visible};
use crate::{
    assignment::{self, Assignment},
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    last::Last,
    output::{Format, View, print_document, print_line},
    rows::task_status,
    session::Session,
    target::Target,
    waiting::{self, timed_out},
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk spawn text/words -i page='some text' --wait
  ktk spawn spec/math/add -i a:=1 -i b:=2 --wait -o json
  ktk spawn text/words --resource page=0193a5c2-1b2c-7aaa-8000-000000000001
  ktk spawn db/backup --secret password=db-password --wait
With --wait the exit code is 5 if it failed, 6 if --timeout was over first.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The specification, its latest version
    #[arg(add = complete::of(Kind::Specification))]
    specification: Target,
    /// An input: a text, or any JSON value. Repeatable
    #[arg(short, long = "input", value_name = "KEY=TEXT|KEY:=JSON")]
    input: Vec<Assignment>,
    /// An input that is a resource, which the task waits for. Repeatable
    #[arg(short, long, value_parser = resource, value_name = "KEY=ID")]
    resource: Vec<(String, Id)>,
    /// An input that is a secret, which only the executor resolves. Repeatable
    #[arg(short, long, value_parser = secret, value_name = "KEY=NAME")]
    secret: Vec<(String, SecretName)>,
    /// Return when it has ended
    #[arg(long)]
    wait: bool,
    /// The context that it joins, instead of a new one
    #[arg(long, value_name = "ID")]
    context: Option<Target>,
    /// Higher goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// The same key is the same task, however often it is sent
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

fn resource(text: &str) -> Result<(String, Id), String> {
    let (name, id) = text.split_once('=').ok_or("write KEY=ID")?;
    let id = id.parse().map_err(|_| format!("{id:?} is no whole id of a resource"))?;
    Ok((name.to_owned(), id))
}

fn secret(text: &str) -> Result<(String, SecretName), String> {
    let (name, secret) = text.split_once('=').ok_or("write KEY=NAME")?;
    let secret = secret.parse().map_err(|error: SecretNameError| error.to_string())?;
    Ok((name.to_owned(), secret))
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let name = match args.specification.kind {
        None | Some(Kind::Specification) => &args.specification.name,
        Some(kind) => {
            return Err(CommandError::usage(format!(
                "a {kind} cannot be spawned: name a specification, or try `ktk run PIPELINE`"
            )));
        }
    };
    let params = SpawnParams {
        specification: session.version(name)?.name,
        inputs: inputs(args.input, args.resource, args.secret)?,
        depends_on: None,
        labels: session.labels(),
        shard_key: None,
        priority: args.priority,
        retry: None,
        timeouts: None,
        context_id: context_id(args.context, session).await?,
        idempotency_key: args.idempotency_key,
        namespace: session.namespace(),
    };
    let spawned = session.call::<TaskSpawn>(&params).await.map_err(|error| {
        assignment::advise(error, &format!("ktk describe specification {name}"))
            .or_list(Kind::Specification)
    })?;
    Last { context_id: spawned.context_id, task_id: Some(spawned.task_id) }.remember(session);
    if !args.wait {
        visible(session, spawned.stream_seq).await;
        return print_spawned(&spawned, session);
    }
    let id = spawned.task_id;
    session.on_interrupt(format!(
        "interrupted; the task goes on: ktk wait task/{id}, ktk cancel task/{id}"
    ));
    let waited = waiting::task(&id.to_string(), session).await;
    let waited = waited.map_err(|error| goes_on(error, "task", id))?;
    visible(session, waited.last.stream_seq).await;
    print_ended(&spawned, &waited.last, session)?;
    ended(&waited.last)
}

/// An error unless the task has finished well.
pub(super) fn ended(waited: &TaskWaited) -> Result<(), CommandError> {
    let what = format!("task/{}", waited.task_id);
    let status = task_status(waited.status, waited.sub_status);
    if !waited.done {
        return Err(timed_out(&what, status, waited.stream_seq));
    }
    if waited.sub_status == Some(Outcome::Ok) {
        return Ok(());
    }
    let message = match &waited.error {
        Some(error) => format!("{what} is {status}: {error}"),
        None => format!("{what} is {status}"),
    };
    let advice = format!("ktk describe {what}");
    Err(CommandError::new(Exit::TaskFailed, message).as_of(waited.stream_seq).advise(advice))
}

fn inputs(
    values: Vec<Assignment>,
    resources: Vec<(String, Id)>,
    secrets: Vec<(String, SecretName)>,
) -> Result<BTreeMap<String, Input>, CommandError> {
    let values = assignment::collect(values)?;
    let mut inputs: BTreeMap<String, Input> =
        values.into_iter().map(|(name, value)| (name, Input::Value(value))).collect();
    let resources = resources.into_iter().map(|(name, id)| (name, Input::Resource(id)));
    let secrets = secrets.into_iter().map(|(name, secret)| (name, Input::Secret(secret)));
    for (name, input) in resources.chain(secrets) {
        if inputs.insert(name.clone(), input).is_some() {
            return Err(CommandError::usage(format!("{name:?} is given twice")));
        }
    }
    Ok(inputs)
}

async fn context_id(target: Option<Target>, session: &Session) -> Result<Option<Id>, CommandError> {
    let Some(target) = target else { return Ok(None) };
    let (_, id) = target.resolve(session, Kind::Context).await?;
    match id.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) => Ok(Some(session.call::<ContextGet>(&session.get(id)).await?.id)),
    }
}

fn print_spawned(spawned: &Spawned, session: &Session) -> Result<(), CommandError> {
    let id = spawned.task_id;
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("task/{id} started")),
        Format::Name => print_line(&format!("task/{id}")),
        format => print_document(
            format,
            &json!({
                "task_id": id,
                "context_id": spawned.context_id,
                "output_ids": spawned.outputs,
                "stream_seq": spawned.stream_seq,
            }),
        ),
    }
}

fn print_ended(
    spawned: &Spawned,
    waited: &TaskWaited,
    session: &Session,
) -> Result<(), CommandError> {
    let id = spawned.task_id;
    match session.output() {
        Format::Table | Format::Wide => {
            let status = View::of(session).status(task_status(waited.status, waited.sub_status));
            print_line(&format!("task/{id} {status}"))?;
            outputs::print(&waited.outputs, session)
        }
        Format::Name => print_line(&format!("task/{id}")),
        format => print_document(
            format,
            &json!({
                "task_id": id,
                "context_id": spawned.context_id,
                "status": waited.status,
                "sub_status": waited.sub_status,
                "outputs": waited.outputs,
                "output_ids": spawned.outputs,
                "error": waited.error,
                "stream_seq": waited.stream_seq,
            }),
        ),
    }
}
