//! `ktk get`

mod fetch;
mod live;
mod watch;

use kantoku_api::contract::{
    ContextGet, ContextList, DeadLetter, DeadLetterGet, DeadLetterParams, ListParams, Method,
    NamesParams, NamespaceGet, NamespaceParams, NoParams, OperationGet, PipelineGet, PipelineList,
    PolicyGet, PolicyList, ReadParams, ResourceGet, ResourceList, SecretGet, SecretList,
    SecretListParams, ServiceList, SpecificationGet, SpecificationList, TaskGet, TaskList, TypeGet,
    TypeList, VersionParams,
};
use kantoku_domain::NameError;
use kantoku_projections::{document, reader::Page};

use super::operation;
use crate::{
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    output::{List, Row, print_list, print_one},
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk get tasks
  ktk get tasks --status failed -l team=search -o wide
  ktk get tasks --context @last -w
  ktk get tasks --where 'attempt > 1 && updated_at > now - duration(\"1h\")'
  ktk get task/0193a5c2 -o json
  ktk get task/0193a5c2 --at 10m     as it was ten minutes ago
  ktk get cx @last @failed
  ktk get pipelines -o yaml > backup.yaml
  ktk get pipeline top-words@2 -o yaml
  ktk get policies
  ktk get events --context @last
  ktk get operations                 what was done to many at once
  ktk get deadletters                what nobody could digest";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "KIND[/NAME]", help = Kind::HELP, add = complete::kinds())]
    kind: String,
    /// Ids (the beginning of one is enough), @last, @failed, or names (NAME@VERSION for an older one)
    #[arg(value_name = "NAME", add = complete::names_of_kind())]
    names: Vec<String>,
    /// Go on with what changes, until interrupted
    #[arg(short, long)]
    watch: bool,
    /// Only what is in this state, e.g. ready, ok, failed
    #[arg(long)]
    status: Option<String>,
    /// Only what belongs to this context
    #[arg(long, value_name = "ID", add = complete::of(Kind::Context))]
    context: Option<String>,
    /// Only what is so, e.g. 'attempt > 1 && !has(error)'; see docs/semantics/queries.md
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
}

pub(crate) async fn run(mut args: Args, session: &Session) -> Result<(), CommandError> {
    let kind = match args.kind.split_once('/') {
        None => args.kind.parse().map_err(CommandError::usage)?,
        Some((kind, name)) => {
            args.names.insert(0, name.to_owned());
            kind.parse().map_err(CommandError::usage)?
        }
    };
    let has_past = matches!(kind, Kind::Task | Kind::Context | Kind::Resource);
    if !session.looking_back().is_now() && (args.names.is_empty() || !has_past) {
        return Err(CommandError::usage(
            "--at-seq and --at show tasks, contexts and resources that are named as they were: \
             name one, e.g. task/0193a5c2",
        ));
    }
    if args.watch && args.names.is_empty() {
        return match kind {
            Kind::Task => watch::tasks(&args, session).await,
            Kind::Context => watch::contexts(&args, session).await,
            kind => Err(CommandError::usage(format!(
                "{} cannot be watched: tasks and contexts can",
                kind.plural()
            ))),
        };
    }
    if args.watch {
        return Err(CommandError::usage(
            "-w watches a list; `ktk watch NAME` shows one thing live",
        ));
    }
    match kind {
        Kind::Task => records::<TaskGet, TaskList, _>(&args, session).await,
        Kind::Context => records::<ContextGet, ContextList, _>(&args, session).await,
        Kind::Resource => records::<ResourceGet, ResourceList, _>(&args, session).await,
        Kind::Specification => {
            definitions::<SpecificationGet, SpecificationList, _>(&args, session).await
        }
        Kind::Type => definitions::<TypeGet, TypeList, _>(&args, session).await,
        Kind::Pipeline => definitions::<PipelineGet, PipelineList, _>(&args, session).await,
        Kind::Policy => policies(&args, session).await,
        Kind::Namespace => namespaces(&args, session).await,
        Kind::Event => events(&args, session).await,
        Kind::Service => services(&args, session).await,
        Kind::DeadLetter => dead_letters(&args, session).await,
        Kind::Operation => operations(&args, session).await,
        Kind::Seal => seals(&args, session).await,
        Kind::Secret => secrets(&args, session).await,
    }
}

async fn records<G, L, T>(args: &Args, session: &Session) -> Result<(), CommandError>
where
    G: Method<Params = ReadParams, Answer = T>,
    L: Method<Params = ListParams, Answer = Page<T>>,
    T: Row + document::Record,
{
    if args.names.is_empty() {
        let filter = fetch::filter(T::kind(), args, session).await?;
        let condition = args.condition.clone();
        return show(session, &fetch::records::<L, T>(filter, condition, session).await?);
    }
    refuse_filters(args, session)?;
    in_one_namespace(session)?;
    let mut items = Vec::new();
    for name in &args.names {
        let (_, id) = Target::new(T::kind(), name).resolve(session, T::kind()).await?;
        let item = session.call::<G>(&session.get(id)).await;
        items.push(item.map_err(|error| error.or_list(T::kind()))?);
    }
    show_named(session, items)
}

async fn definitions<G, L, T>(args: &Args, session: &Session) -> Result<(), CommandError>
where
    G: Method<Params = VersionParams, Answer = T>,
    L: Method<Params = NamesParams, Answer = Page<T>>,
    T: Row,
{
    in_one_namespace(session)?;
    if args.names.is_empty() {
        refuse_states(args, session)?;
        return show(
            session,
            &fetch::definitions::<L, T>(args.condition.as_deref(), session).await?,
        );
    }
    refuse_filters(args, session)?;
    let mut items = Vec::new();
    for name in &args.names {
        let item = session.call::<G>(&session.version(name)?).await;
        items.push(item.map_err(|error| error.or_list(T::kind()))?);
    }
    show_named(session, items)
}

async fn policies(args: &Args, session: &Session) -> Result<(), CommandError> {
    in_one_namespace(session)?;
    if args.names.is_empty() {
        refuse_states(args, session)?;
        return show(
            session,
            &fetch::definitions::<PolicyList, _>(args.condition.as_deref(), session).await?,
        );
    }
    refuse_filters(args, session)?;
    let mut items = Vec::new();
    for name in &args.names {
        let item = session.call::<PolicyGet>(&session.policy(name)?).await;
        items.push(item.map_err(|error| error.or_list(Kind::Policy))?);
    }
    show_named(session, items)
}

/// All that can be written exist, so that there is no list: it is about those that are named, or the
/// one of the session.
async fn namespaces(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_filters(args, session)?;
    in_one_namespace(session)?;
    let named = args.names.iter().map(|name| name.parse().map(Some));
    let mut names = named
        .collect::<Result<Vec<_>, NameError>>()
        .map_err(|error| CommandError::usage(error.to_string()))?;
    if names.is_empty() {
        names.push(session.namespace());
    }
    let mut items = Vec::new();
    for namespace in names {
        items.push(session.call::<NamespaceGet>(&NamespaceParams { namespace }).await?);
    }
    show_named(session, items)
}

async fn events(args: &Args, session: &Session) -> Result<(), CommandError> {
    if args.status.is_some() || !session.labels().is_empty() {
        return Err(CommandError::usage("events have no status and no labels"));
    }
    in_one_namespace(session)?;
    show(session, &fetch::events(args, session).await?)
}

async fn services(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_filters(args, session)?;
    let mut items = session.call::<ServiceList>(&NoParams {}).await?.items;
    for name in &args.names {
        if !items.iter().any(|service| service.service_id.starts_with(name)) {
            return Err(CommandError::new(
                Exit::NotFound,
                format!("no service whose id begins with {name:?} is present"),
            )
            .advise("ktk get services"));
        }
    }
    if !args.names.is_empty() {
        items.retain(|service| args.names.iter().any(|name| service.service_id.starts_with(name)));
    }
    // They come all at once, as there are never many.
    items.truncate(fetch::wanted(session));
    show(session, &List { items, next_cursor: None, as_of_seq: None })
}

async fn dead_letters(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_filters(args, session)?;
    if args.names.is_empty() {
        return show(session, &fetch::dead_letters(session).await?);
    }
    let mut items = Vec::new();
    for name in &args.names {
        items.push(dead_letter(name, session).await?);
    }
    show_named(session, items)
}

/// The dead letter of this number.
pub(super) async fn dead_letter(name: &str, session: &Session) -> Result<DeadLetter, CommandError> {
    let wrong = |_| CommandError::usage(format!("{name:?} is no number of a dead letter"));
    let params = DeadLetterParams { letter: name.parse().map_err(wrong)? };
    let found = session.call::<DeadLetterGet>(&params).await;
    found.map_err(|error| error.or_list(Kind::DeadLetter))
}

async fn operations(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_filters(args, session)?;
    if args.names.is_empty() {
        return show(session, &fetch::operations(session).await?);
    }
    let mut items = Vec::new();
    for name in &args.names {
        let found = session.call::<OperationGet>(&operation::params(name, session)?).await;
        items.push(found.map_err(|error| error.or_list(Kind::Operation))?);
    }
    show_named(session, items)
}

async fn seals(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_filters(args, session)?;
    if !args.names.is_empty() {
        return Err(CommandError::usage("seals have no names: leave it out"));
    }
    super::events::list_seals(session).await
}

async fn secrets(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_filters(args, session)?;
    in_one_namespace(session)?;
    if args.names.is_empty() {
        let params = SecretListParams { namespace: session.namespace() };
        let mut items = session.call::<SecretList>(&params).await?.items;
        // They come all at once, as there are never many.
        items.truncate(fetch::wanted(session));
        return show(session, &List { items, next_cursor: None, as_of_seq: None });
    }
    let mut items = Vec::new();
    for name in &args.names {
        let item = session.call::<SecretGet>(&session.secret(name)?).await;
        items.push(item.map_err(|error| error.or_list(Kind::Secret))?);
    }
    show_named(session, items)
}

fn show<T: Row>(session: &Session, list: &List<T>) -> Result<(), CommandError> {
    print_list(session, list)?;
    if list.next_cursor.is_some() {
        let shown = list.items.len();
        session.note(&format!(
            "ktk: these are {shown}, there are more; --limit N shows N, --limit 0 all"
        ));
    }
    Ok(())
}

/// One name is one document, several are a list.
fn show_named<T: Row>(session: &Session, mut items: Vec<T>) -> Result<(), CommandError> {
    match (items.pop(), items.is_empty()) {
        (Some(item), true) => print_one(session, item),
        (Some(item), false) => {
            items.push(item);
            print_list(session, &List { items, next_cursor: None, as_of_seq: None })
        }
        (None, _) => Ok(()),
    }
}

fn in_one_namespace(session: &Session) -> Result<(), CommandError> {
    if session.all_namespaces() {
        return Err(CommandError::usage("-A lists tasks, contexts and resources: leave it out"));
    }
    Ok(())
}

/// What has been named, or is not asked by filters, is not filtered: rather say so.
fn refuse_filters(args: &Args, session: &Session) -> Result<(), CommandError> {
    refuse_states(args, session)?;
    if args.condition.is_some() {
        return Err(CommandError::usage(
            "--where filters lists of tasks, contexts, resources, definitions and events",
        ));
    }
    Ok(())
}

/// Definitions have neither a status nor labels, and belong to no context.
fn refuse_states(args: &Args, session: &Session) -> Result<(), CommandError> {
    if args.status.is_some() || args.context.is_some() || !session.labels().is_empty() {
        return Err(CommandError::usage(
            "-l, --status and --context filter lists of tasks, contexts and resources",
        ));
    }
    Ok(())
}
