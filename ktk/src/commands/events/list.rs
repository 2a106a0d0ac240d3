//! `ktk events log` and `ktk events tail`

use std::collections::VecDeque;

use futures::StreamExt as _;
use kantoku_api::contract::{
    ContextGet, EventList, EventSubscribe, EventSubscribeParams, EventsParams, NoParams,
    ResourceGet, SystemInfo, TaskGet,
};
use kantoku_domain::{Id, Recorded};

use super::row::Printer;
use crate::{error::CommandError, kind::Kind, session::Session, target::Target};

/// Events that one call asks for.
const PAGE: u32 = 1_000;

/// Which events.
#[derive(Debug, clap::Args)]
struct Which {
    /// Of one aggregate: task/ID, context/ID, resource/ID; the beginning of an id is enough
    #[arg(value_name = "ID")]
    target: Option<Target>,
    /// Of one execution
    #[arg(long, value_name = "CONTEXT", conflicts_with = "target")]
    context: Option<Target>,
    /// Of one type, e.g. `TaskFinished`
    #[arg(long = "type", value_name = "TYPE")]
    type_: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    which: Which,
    /// Only events at higher positions
    #[arg(long, value_name = "SEQ")]
    after_seq: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    which: Which,
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// How many events to begin with
    #[arg(long, value_name = "N", default_value_t = 20)]
    tail: usize,
}

pub(super) async fn log(args: LogArgs, session: &Session) -> Result<(), CommandError> {
    let mut params = args.which.params(session).await?;
    params.after_seq = args.after_seq;
    let printer = Printer::new(session);
    let mut left = session.limit().filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    while left > 0 {
        params.limit = Some(u64::from(PAGE).min(left) as u32);
        let page = session.call::<EventList>(&params).await?;
        page.items.iter().try_for_each(|event| printer.print(event))?;
        left = left.saturating_sub(page.items.len() as u64);
        match page.next_cursor {
            Some(cursor) => params.cursor = Some(cursor),
            None => break,
        }
    }
    Ok(())
}

pub(super) async fn tail(args: TailArgs, session: &Session) -> Result<(), CommandError> {
    let params = args.which.params(session).await?;
    let printer = Printer::new(session);
    let head = session.call::<SystemInfo>(&NoParams {}).await?.head_seq;
    let params = EventsParams { min_seq: params.min_seq.max(Some(head)), ..params };
    let (last, as_of_seq) = last_events(&params, args.tail, head, session).await?;
    last.iter().try_for_each(|event| printer.print(event))?;
    if !args.follow {
        return Ok(());
    }
    let params = EventSubscribeParams {
        id: params.id,
        context_id: params.context_id,
        type_: params.type_,
        from_seq: Some(as_of_seq + 1),
        namespace: params.namespace,
    };
    let mut events = session.subscribe::<EventSubscribe>(&params).await?;
    while let Some(event) = events.next().await {
        printer.print(&event?)?;
    }
    Err(session.connection_lost())
}

/// The last `count` events, and the position that they are as of. Looks at ever longer stretches
/// of the stream, as events are listed forwards only.
async fn last_events(
    params: &EventsParams,
    count: usize,
    head: u64,
    session: &Session,
) -> Result<(VecDeque<Recorded>, u64), CommandError> {
    let mut stretch = (count as u64).max(u64::from(PAGE));
    loop {
        let start = head.saturating_sub(stretch);
        let mut params = EventsParams {
            after_seq: Some(start),
            limit: Some(PAGE),
            cursor: None,
            ..params.clone()
        };
        let mut last = VecDeque::new();
        let as_of_seq = loop {
            let page = session.call::<EventList>(&params).await?;
            last.extend(page.items);
            last.drain(..last.len().saturating_sub(count));
            match page.next_cursor {
                Some(cursor) => params.cursor = Some(cursor),
                None => break page.as_of_seq,
            }
        };
        if last.len() >= count || start == 0 {
            return Ok((last, as_of_seq));
        }
        stretch = stretch.saturating_mul(16);
    }
}

impl Which {
    async fn params(&self, session: &Session) -> Result<EventsParams, CommandError> {
        let id = match &self.target {
            Some(target) => Some(aggregate(target, session).await?),
            None => None,
        };
        let context_id = match &self.context {
            Some(target) => Some(context(target, session).await?),
            None => None,
        };
        Ok(EventsParams {
            id,
            context_id,
            type_: self.type_.clone(),
            namespace: session.namespace(),
            min_seq: session.min_seq(),
            ..EventsParams::default()
        })
    }
}

/// The whole id of a context.
pub(super) async fn context(target: &Target, session: &Session) -> Result<Id, CommandError> {
    let (_, id) = target.resolve(session, Kind::Context).await?;
    match id.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(session.call::<ContextGet>(&session.get(id)).await?.id),
    }
}

/// The whole id of an aggregate. A whole one need not be looked up: it may be of any kind.
async fn aggregate(target: &Target, session: &Session) -> Result<Id, CommandError> {
    let (kind, id) = target.resolve_either(session).await?;
    if let Ok(id) = id.parse() {
        return Ok(id);
    }
    let params = session.get(id);
    match kind {
        Kind::Task => Ok(session.call::<TaskGet>(&params).await?.id),
        Kind::Context => Ok(session.call::<ContextGet>(&params).await?.id),
        Kind::Resource => Ok(session.call::<ResourceGet>(&params).await?.id),
        kind => Err(CommandError::usage(format!(
            "the events of a {kind} are found by its whole id; of tasks, contexts and resources the \
             beginning is enough"
        ))),
    }
}
