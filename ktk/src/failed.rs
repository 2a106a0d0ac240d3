//! What has failed, and was not restarted since.

use kantoku_api::contract::{Filter, ListParams, TaskList};
use kantoku_domain::Id;
use kantoku_projections::{document::TaskDocument, reader::LIMIT_MAX};
use serde_json::json;

use crate::{error::CommandError, session::Session};

/// How many pages are looked through at most.
const PAGES_MAX: usize = 20;

/// Tasks that failed and are current, as nothing took their place, the last one first, at most `max`; and the
/// position that this is as of. Only of one context, if one is given.
pub(crate) async fn tasks(
    context_id: Option<Id>,
    max: usize,
    min_seq: Option<u64>,
    session: &Session,
) -> Result<(Vec<TaskDocument>, u64), CommandError> {
    let mut filter: Filter = [("status", "finished"), ("sub_status", "failed")]
        .map(|(k, v)| (k.into(), v.into()))
        .into_iter()
        .collect();
    filter.extend(context_id.map(|id| ("context_id".to_owned(), json!(id))));
    let mut params = ListParams {
        filter,
        limit: Some(max as u32),
        namespace: session.namespace(),
        min_seq,
        ..ListParams::default()
    };
    let (mut failed, mut as_of_seq) = (Vec::new(), 0);
    for _ in 0..PAGES_MAX {
        let page = session.call::<TaskList>(&params).await?;
        as_of_seq = page.as_of_seq;
        failed.extend(page.items.into_iter().filter(|task| task.current));
        params.cursor = page.next_cursor;
        if params.cursor.is_none() || failed.len() >= max {
            break;
        }
        // Many were restarted.
        params.limit = Some(LIMIT_MAX);
    }
    failed.truncate(max);
    Ok((failed, as_of_seq))
}
