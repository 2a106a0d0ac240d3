//! Watching one context until it ends.

use std::time::Duration;

use futures::StreamExt as _;
use kantoku_api::contract::{
    ContextWait, ContextWaited, Filter, ReadParams, SubscribeParams, TaskSubscribe, TaskTree,
    WaitParams,
};
use kantoku_domain::{Id, Millis};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::view::View;
use crate::{
    error::{CommandError, Exit},
    session::Session,
};

/// Between two pictures: changes that come faster are shown together.
const FRAME: Duration = Duration::from_millis(100);
/// How long one call waits for the end; then the next one goes on.
const WAIT: Duration = Duration::from_secs(30);
/// The pause before another connection is tried.
const RECONNECT: Duration = Duration::from_millis(250);

/// Shows the context that `id` belongs to, as of `min_seq` or later, until it has ended or the
/// session's timeout is over. A server that goes away meanwhile may come back.
pub(crate) async fn watch(
    id: String,
    min_seq: Option<u64>,
    session: &Session,
) -> Result<ContextWaited, CommandError> {
    let deadline = session.timeout().map(|limit| Instant::now() + limit);
    let tree = session.call::<TaskTree>(&ReadParams { min_seq, ..session.get(id) }).await?;
    let context_id = tree.context.id;
    session.on_interrupt(format!(
        "context/{context_id} goes on; see it again: ktk watch {context_id}"
    ));
    let mut view = View::begin(tree, session)?;
    let mut heard_at = Instant::now();
    loop {
        match follow(context_id, &mut view, deadline, &mut heard_at, session).await {
            Err(error) if error.exit == Exit::Unreachable => {
                if heard_at.elapsed() >= session.answer_timeout() {
                    return Err(error);
                }
                session.disconnect().await;
                sleep(RECONNECT).await;
            }
            done => return done,
        }
    }
}

/// Shows changes until the context has ended or the connection is lost.
async fn follow(
    context_id: Id,
    view: &mut View,
    deadline: Option<Instant>,
    heard_at: &mut Instant,
    session: &Session,
) -> Result<ContextWaited, CommandError> {
    let params = SubscribeParams {
        filter: Filter::from_iter([("context_id".into(), Value::from(context_id.to_string()))]),
        from_seq: Some(view.position()),
        namespace: session.namespace(),
        ..SubscribeParams::default()
    };
    let mut changes = session.subscribe::<TaskSubscribe>(&params).await?;
    let mut end = Box::pin(wait(context_id, deadline, session));
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let waited = loop {
        *heard_at = Instant::now();
        tokio::select! {
            waited = &mut end => break waited?,
            change = changes.next() => match change {
                Some(change) => view.take(&change?)?,
                None => return Err(session.connection_lost()),
            },
            _ = frames.tick() => view.frame(session).await?,
        }
    };
    view.end(waited.as_of_seq, session).await?;
    Ok(waited)
}

/// Waits for the end of all tasks.
async fn wait(
    id: Id,
    deadline: Option<Instant>,
    session: &Session,
) -> Result<ContextWaited, CommandError> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let within = left.unwrap_or(WAIT).min(WAIT);
        let params = WaitParams {
            id: id.to_string(),
            timeout: Some(Millis(within.as_millis() as u64)),
            namespace: session.namespace(),
        };
        let answer = session.call_within::<ContextWait>(within + WAIT, &params).await?;
        if answer.done {
            return Ok(answer);
        }
        if left.is_some_and(|left| left <= within) {
            let text = format!("context/{id} has not ended yet");
            return Err(CommandError::new(Exit::TimedOut, text)
                .as_of(answer.as_of_seq)
                .advise(format!("ktk watch {id}")));
        }
    }
}
