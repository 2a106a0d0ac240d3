//! Reading whole lists, page by page.

use std::collections::HashSet;

use kantoku_api::contract::{
    ContextGet, DeadLetter, DeadLetterList, DeadLettersParams, EventList, EventsParams, Filter,
    ListParams, Method, NamesParams, Operation, OperationList, OperationListParams,
};
use kantoku_domain::{Id, Recorded};
use kantoku_projections::{
    document,
    reader::{LIMIT_MAX, Page},
};
use serde_json::json;

use super::Args;
use crate::{
    error::CommandError,
    kind::Kind,
    output::{List, Row},
    progress::Progress,
    session::Session,
    target::Target,
};

/// How many items a list has unless `--limit` says otherwise.
const LIMIT_DEFAULT: u64 = 10_000;

/// How many items are wanted.
pub(super) fn wanted(session: &Session) -> usize {
    match session.limit() {
        None => LIMIT_DEFAULT as usize,
        Some(0) => usize::MAX,
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
    }
}

/// The size of the next page.
fn page_size(wanted: usize, got: usize) -> u32 {
    u32::try_from(wanted - got).unwrap_or(LIMIT_MAX).min(LIMIT_MAX)
}

/// What the flags ask for.
pub(super) async fn filter(
    kind: Kind,
    args: &Args,
    session: &Session,
) -> Result<Filter, CommandError> {
    let mut filter = Filter::new();
    match args.status.as_deref() {
        Some(status) if kind == Kind::Task => {
            let (status, sub_status) = match status.split_once('/') {
                Some((status, sub_status)) => (status, Some(sub_status)),
                None if matches!(status, "ok" | "failed") => ("finished", Some(status)),
                None => (status, None),
            };
            filter.insert("status".into(), status.into());
            if let Some(sub_status) = sub_status {
                filter.insert("sub_status".into(), sub_status.into());
            }
        }
        Some(status) => {
            filter.insert("status".into(), status.into());
        }
        None => {}
    }
    if let Some(context) = &args.context {
        filter.insert("context_id".into(), json!(context_id(context, session).await?));
    }
    for (key, value) in session.labels() {
        filter.insert(format!("labels.{key}"), value.into());
    }
    Ok(filter)
}

/// The id that the beginning of one means.
async fn context_id(name: &str, session: &Session) -> Result<Id, CommandError> {
    let target: Target = name.parse().map_err(CommandError::usage)?;
    let (_, id) = target.resolve(session, Kind::Context).await?;
    match id.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(session.call::<ContextGet>(&session.get(id)).await?.id),
    }
}

/// Records by time of change, the last changed first.
pub(super) async fn records<L, T>(
    filter: Filter,
    condition: Option<String>,
    session: &Session,
) -> Result<List<T>, CommandError>
where
    L: Method<Params = ListParams, Answer = Page<T>>,
    T: Row + document::Record,
{
    let wanted = wanted(session);
    let params = ListParams {
        filter,
        condition,
        limit: Some(page_size(wanted, 0)),
        namespace: session.namespace(),
        all_namespaces: session.all_namespaces(),
        min_seq: session.min_seq(),
        timeout: session.read_timeout(),
        ..ListParams::default()
    };
    let first = session.call::<L>(&params).await?;
    let (mut items, mut next_cursor) = (first.items, first.next_cursor);
    let progress = Progress::start(session, format!("reading {}", T::kind().plural()));
    let paged = next_cursor.is_some() && items.len() < wanted;
    while let Some(cursor) = next_cursor.take_if(|_| items.len() < wanted) {
        let params = ListParams {
            cursor: Some(cursor),
            limit: Some(page_size(wanted, items.len())),
            ..params.clone()
        };
        let page = session.call::<L>(&params).await?;
        items.extend(page.items);
        next_cursor = page.next_cursor;
        progress.say(&format!("{} {} so far", items.len(), T::kind().plural()));
    }
    drop(progress);
    if paged {
        let newest = items.first().map(document::Record::updated_at);
        items = with_changed::<L, T>(items, newest, &params, session).await?;
    }
    Ok(List { items, next_cursor, as_of_seq: Some(first.as_of_seq) })
}

/// What changed while the pages were read went to the front of the list, where nobody looked again:
/// adds it from there.
async fn with_changed<L, T>(
    items: Vec<T>,
    newest: Option<kantoku_domain::Timestamp>,
    params: &ListParams,
    session: &Session,
) -> Result<Vec<T>, CommandError>
where
    L: Method<Params = ListParams, Answer = Page<T>>,
    T: Row + document::Record,
{
    let mut changed = Vec::new();
    let mut cursor = None;
    loop {
        let params = ListParams { cursor, limit: Some(LIMIT_MAX), ..params.clone() };
        let page = session.call::<L>(&params).await?;
        let count = page.items.len();
        changed.extend(page.items.into_iter().take_while(|item| Some(item.updated_at()) >= newest));
        cursor = page.next_cursor;
        if cursor.is_none() || changed.len() % LIMIT_MAX as usize != 0 || count == 0 {
            break;
        }
    }
    let names: HashSet<String> = changed.iter().map(Row::name).collect();
    changed.extend(items.into_iter().filter(|item| !names.contains(&item.name())));
    Ok(changed)
}

/// The latest versions of definitions, by name.
pub(super) async fn definitions<L, T>(
    condition: Option<&str>,
    session: &Session,
) -> Result<List<T>, CommandError>
where
    L: Method<Params = NamesParams, Answer = Page<T>>,
    T: Row,
{
    let wanted = wanted(session);
    let mut list = List { items: Vec::new(), next_cursor: None, as_of_seq: None };
    loop {
        let params = NamesParams {
            condition: condition.map(str::to_owned),
            limit: Some(page_size(wanted, list.items.len())),
            cursor: list.next_cursor.take(),
            namespace: session.namespace(),
            min_seq: session.min_seq(),
            timeout: session.read_timeout(),
            ..NamesParams::default()
        };
        let page = session.call::<L>(&params).await?;
        list.items.extend(page.items);
        list.next_cursor = page.next_cursor;
        list.as_of_seq.get_or_insert(page.as_of_seq);
        if list.next_cursor.is_none() || list.items.len() >= wanted {
            return Ok(list);
        }
    }
}

/// Dead letters, oldest first.
pub(super) async fn dead_letters(session: &Session) -> Result<List<DeadLetter>, CommandError> {
    let wanted = wanted(session);
    let (mut items, mut after) = (Vec::new(), 0);
    loop {
        let limit = Some(page_size(wanted, items.len()));
        let params = DeadLettersParams { after, limit };
        let page = session.call::<DeadLetterList>(&params).await?;
        items.extend(page.items);
        let last = items.last().map_or(after, |letter: &DeadLetter| letter.letter);
        if page.left == 0 || last == after || items.len() >= wanted {
            let next_cursor = (page.left > 0).then(|| last.to_string());
            return Ok(List { items, next_cursor, as_of_seq: None });
        }
        after = last;
    }
}

/// Operations, the latest first.
pub(super) async fn operations(session: &Session) -> Result<List<Operation>, CommandError> {
    let wanted = wanted(session);
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let params = OperationListParams {
            limit: Some(page_size(wanted, items.len())),
            cursor,
            namespace: session.namespace(),
            all_namespaces: session.all_namespaces(),
        };
        let page = session.call::<OperationList>(&params).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() || items.len() >= wanted {
            return Ok(List { items, next_cursor: cursor, as_of_seq: None });
        }
    }
}

/// Events in the order of the stream.
pub(super) async fn events(args: &Args, session: &Session) -> Result<List<Recorded>, CommandError> {
    let context_id = match &args.context {
        Some(context) => Some(context_id(context, session).await?),
        None => None,
    };
    let id = match args.names.as_slice() {
        [] => None,
        [id] => {
            let wrong = |_| CommandError::usage(format!("{id:?} is no whole id of an aggregate"));
            Some(id.parse().map_err(wrong)?)
        }
        _ => return Err(CommandError::usage("name one aggregate whose events are wanted")),
    };
    let wanted = wanted(session);
    let mut list = List { items: Vec::new(), next_cursor: None, as_of_seq: None };
    loop {
        let params = EventsParams {
            condition: args.condition.clone(),
            id,
            context_id,
            limit: Some(page_size(wanted, list.items.len())),
            cursor: list.next_cursor.take(),
            namespace: session.namespace(),
            min_seq: session.min_seq(),
            timeout: session.read_timeout(),
            ..EventsParams::default()
        };
        let page = session.call::<EventList>(&params).await?;
        list.items.extend(page.items);
        list.next_cursor = page.next_cursor;
        list.as_of_seq.get_or_insert(page.as_of_seq);
        if list.next_cursor.is_none() || list.items.len() >= wanted {
            return Ok(list);
        }
    }
}
