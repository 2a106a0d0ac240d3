//! `ktk describe`

mod context;
mod definition;
mod operation;
mod page;
mod resource;
mod task;
mod waits;

use kantoku_api::contract::{
    EventList, EventsParams, NamespaceGet, NamespaceParams, NoParams, PipelineGet, PolicyGet,
    SecretGet, ServiceList, SpecificationGet, TypeGet,
};
use kantoku_domain::{Id, NameError, Recorded};

use self::page::Page;
use crate::{
    complete,
    error::{CommandError, Exit},
    kind::Kind,
    output::{Row, View, print_document, print_line, print_text},
    render::printable,
    session::Session,
    target::Target,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk describe task/0193a5c2
  ktk describe task @failed        exit code, stderr, inputs, what it waited for, its events
  ktk describe context @last
  ktk describe pipeline top-words
  ktk describe event 42
  ktk describe task @failed -o json
  ktk describe task @failed --at 10m   as it was ten minutes ago";

/// How many of its last events a description shows.
const EVENTS_SHOWN_MAX: usize = 20;
/// How many are read to find them.
const EVENTS_READ_MAX: u32 = 1_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "KIND[/NAME]", help = Kind::HELP, add = complete::kinds())]
    kind: String,
    /// An id (the beginning of one is enough), @last, @failed, or a name
    #[arg(value_name = "NAME", add = complete::names_of_kind())]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let target = match args.name {
        Some(name) => Target::new(args.kind.parse().map_err(CommandError::usage)?, &name),
        None => args.kind.parse().map_err(CommandError::usage)?,
    };
    let (kind, name) = match target.kind {
        Some(kind) => target.resolve(session, kind).await?,
        None if target.name.parse::<Kind>().is_ok() => {
            return Err(CommandError::usage(format!("say which {}", target.name)));
        }
        None => target.resolve_either(session).await?,
    };
    let has_past = matches!(kind, Kind::Task | Kind::Context | Kind::Resource);
    if !session.looking_back().is_now() && !has_past {
        let text = "--at-seq and --at show tasks, contexts and resources as they were";
        return Err(CommandError::usage(text));
    }
    page_of(kind, name, session).await.map_err(|error| error.or_list(kind))
}

async fn page_of(kind: Kind, name: String, session: &Session) -> Result<(), CommandError> {
    match kind {
        Kind::Task => task::describe(name, session).await,
        Kind::Context => context::describe(name, session).await,
        Kind::Resource => resource::describe(name, session).await,
        Kind::Specification => {
            let document = session.call::<SpecificationGet>(&session.version(&name)?).await?;
            show(session, &document, || definition::specification(&document, &View::of(session)))
        }
        Kind::Type => {
            let document = session.call::<TypeGet>(&session.version(&name)?).await?;
            show(session, &document, || definition::named_type(&document, &View::of(session)))
        }
        Kind::Pipeline => {
            let document = session.call::<PipelineGet>(&session.version(&name)?).await?;
            show(session, &document, || definition::pipeline(&document, &View::of(session)))
        }
        Kind::Policy => {
            let document = session.call::<PolicyGet>(&session.policy(&name)?).await?;
            show(session, &document, || definition::policy(&document, &View::of(session)))
        }
        Kind::Secret => {
            let secret = session.call::<SecretGet>(&session.secret(&name)?).await?;
            show(session, &secret, || definition::secret(&secret, &View::of(session)))
        }
        Kind::Namespace => namespace(&name, session).await,
        Kind::Event => event(&name, session).await,
        Kind::Service => service(&name, session).await,
        Kind::DeadLetter => dead_letter(&name, session).await,
        Kind::Operation => operation::describe(&name, session).await,
        Kind::Seal => Err(CommandError::usage(
            "there is no more to a seal than `ktk get seals -o wide` shows",
        )),
    }
}

/// Prints a page for people, or the document for programs.
fn show<T: Row>(
    session: &Session,
    document: &T,
    page: impl FnOnce() -> Page,
) -> Result<(), CommandError> {
    match session.output() {
        format if format.is_table() => print_text(&page().into_text()),
        crate::output::Format::Name => print_line(&format!("{}/{}", T::kind(), document.name())),
        format => print_document(format, document),
    }
}

/// The last events of an aggregate by the time that is looked at, and how many there are before
/// them.
async fn events(id: Id, session: &Session) -> Result<(Vec<Recorded>, usize), CommandError> {
    let params = EventsParams {
        id: Some(id),
        limit: Some(EVENTS_READ_MAX),
        namespace: session.namespace(),
        ..EventsParams::default()
    };
    let mut events = session.call::<EventList>(&params).await?.items;
    events.retain(|event| session.looking_back().includes(event));
    let before = events.len().saturating_sub(EVENTS_SHOWN_MAX);
    Ok((events.split_off(before), before))
}

async fn event(name: &str, session: &Session) -> Result<(), CommandError> {
    let wrong = |_| CommandError::usage(format!("{name:?} is no position, e.g. 42"));
    let stream_seq: u64 = name.parse().map_err(wrong)?;
    let params = EventsParams {
        after_seq: Some(stream_seq.saturating_sub(1)),
        limit: Some(1),
        namespace: session.namespace(),
        min_seq: session.min_seq(),
        timeout: session.read_timeout(),
        ..EventsParams::default()
    };
    let page = session.call::<EventList>(&params).await?;
    let found = page.items.into_iter().find(|event| event.stream_seq == stream_seq);
    let event = found.ok_or_else(|| {
        CommandError::new(Exit::NotFound, format!("there is no event at position {stream_seq}"))
            .as_of(page.as_of_seq)
            .advise("ktk get events")
    })?;
    // What an event says is a document, whoever reads it.
    show(session, &event, || {
        let mut page = Page::new(&format!("event {stream_seq}"), &View::of(session));
        page.yaml(&event);
        page
    })
}

async fn namespace(name: &str, session: &Session) -> Result<(), CommandError> {
    let wrong = |error: NameError| CommandError::usage(error.to_string());
    let params = NamespaceParams { namespace: Some(name.parse().map_err(wrong)?) };
    let document = session.call::<NamespaceGet>(&params).await?;
    show(session, &document, || {
        let mut page = Page::new(&format!("namespace/{name}"), &View::of(session));
        page.paused(document.paused.as_ref());
        page.field("position", document.stream_seq.to_string());
        page
    })
}

async fn dead_letter(name: &str, session: &Session) -> Result<(), CommandError> {
    let letter = super::get::dead_letter(name, session).await?;
    show(session, &letter, || {
        let mut page = Page::new(&format!("deadletter/{name}"), &View::of(session));
        page.field("reason", &letter.reason);
        page.field("consumer", &letter.consumer);
        page.field("type", letter.event_type.as_deref().unwrap_or_default());
        page.field("position", letter.stream_seq.to_string());
        page.field("subject", &letter.subject);
        page.time("given up", Some(letter.at));
        page.field("message", letter.payload.as_deref().map(printable).unwrap_or_default());
        page.field("to mend", format!("ktk events redeliver {name}, once its reason is gone"));
        page
    })
}

async fn service(name: &str, session: &Session) -> Result<(), CommandError> {
    let services = session.call::<ServiceList>(&NoParams {}).await?.items;
    let mut found = services.into_iter().filter(|service| service.service_id.starts_with(name));
    let service = match (found.next(), found.next()) {
        (Some(service), None) => service,
        (None, _) => {
            let message = format!("no service whose id begins with {name:?} is present");
            return Err(CommandError::new(Exit::NotFound, message).advise("ktk get services"));
        }
        (Some(_), Some(_)) => {
            let message = format!("{name:?} stands for several services: write more of the id");
            return Err(CommandError::new(Exit::NotFound, message).advise("ktk get services"));
        }
    };
    show(session, &service, || {
        let mut page = Page::new(&format!("service/{}", service.service_id), &View::of(session));
        page.yaml(&service);
        page
    })
}
