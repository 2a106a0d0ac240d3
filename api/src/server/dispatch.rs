//! From a message to its answer.

use std::{sync::Arc, time::Instant};

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::value::{RawValue, to_raw_value};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    Api,
    message::{Message, Parsed, Request, response},
    metric,
    module::{Call, Caller, Entry, Module},
    subscriptions::{Started, Subscriptions, unsubscribe},
};
use crate::{ApiError, Code};

/// Requests of one batch that are carried out at once.
const BATCH_AT_ONCE: usize = 16;

/// Carries out messages. Cheap to clone.
#[derive(Clone)]
pub(super) struct Dispatcher {
    pub(super) api: Arc<Api>,
    pub(super) module: Arc<Module>,
}

/// Where messages come from.
pub(super) struct Peer {
    /// Who sends them.
    pub(super) caller: Caller,
    /// Where subscriptions are kept; `None` where there can be none.
    pub(super) subscriptions: Option<Arc<Subscriptions>>,
}

/// What a message came to.
#[derive(Default)]
pub(super) struct Answer {
    /// What to send; `None` when all of it were notifications.
    pub(super) text: Option<String>,
    /// The subscriptions that begin once it is sent.
    pub(super) started: Vec<Started>,
}

type Result<T> = std::result::Result<T, ApiError>;

impl Dispatcher {
    /// Carries out a message.
    pub(super) async fn answer(&self, message: &[u8], peer: &Peer) -> Answer {
        let limits = &self.api.config.limits;
        match Message::parse(message, limits.depth_max) {
            Err(error) => Answer { text: Some(refusal(error)), started: vec![] },
            Ok(Message::One(parsed)) => {
                let (text, started) = self.carry_out(parsed, peer).await;
                Answer { text, started: started.into_iter().collect() }
            }
            Ok(Message::Batch(entries)) if entries.len() > limits.batch_max => {
                too_many(&entries, limits.batch_max)
            }
            Ok(Message::Batch(entries)) => {
                let calls = entries.into_iter().map(|parsed| self.carry_out(parsed, peer).boxed());
                let calls: Vec<_> = calls.collect();
                let answers = stream::iter(calls).buffered(BATCH_AT_ONCE);
                together(answers, limits.answer_bytes_max).await
            }
        }
    }

    /// Carries out one request; a notification has no answer, whatever came of it.
    async fn carry_out(
        &self,
        parsed: Parsed<'_>,
        peer: &Peer,
    ) -> (Option<String>, Option<Started>) {
        let request = match parsed {
            Ok(request) => request,
            Err(error) => return (Some(refusal(error)), None),
        };
        let trace_id = Uuid::now_v7().simple().to_string();
        let span = tracing::info_span!("call", method = %request.method, trace_id);
        let result = self.call(&request, peer).instrument(span.clone()).await;
        let (result, started) = match result {
            Ok((answer, started)) => (Ok(answer), started),
            Err(mut error) => {
                span.in_scope(|| log(&error));
                error.data.trace_id = Some(trace_id);
                (Err(error), None)
            }
        };
        let text = request.id.map(|id| response(Some(id), &result));
        // Nobody knows the id of a subscription that was started by a notification.
        let started = started.filter(|_| text.is_some());
        (text, started)
    }

    async fn call(
        &self,
        request: &Request<'_>,
        peer: &Peer,
    ) -> Result<(Box<RawValue>, Option<Started>)> {
        let begin = Instant::now();
        let found = self.module.find(&request.method);
        let name = found.as_ref().map_or("unknown", |(name, _)| name);
        let result = match found {
            Ok((name, entry)) => self.enter(name, entry, request, peer).await,
            Err(error) => Err(error),
        };
        metric::called(name, result.as_ref().err().map(|error| error.code), begin.elapsed());
        result
    }

    async fn enter(
        &self,
        name: &'static str,
        entry: &Entry,
        request: &Request<'_>,
        peer: &Peer,
    ) -> Result<(Box<RawValue>, Option<Started>)> {
        let call = Call {
            api: Arc::clone(&self.api),
            caller: peer.caller.clone(),
            params: request.params.map(ToOwned::to_owned),
        };
        match entry {
            Entry::Call(handler) => Ok((handler(call).await?, None)),
            Entry::Subscribe(handler) => {
                let reserved = subscriptions(peer)?.reserve(name)?;
                let started = reserved.start(handler(call).await?);
                Ok((raw(&started.id()), Some(started)))
            }
            Entry::Unsubscribe => {
                let was_open = unsubscribe(subscriptions(peer)?, request.params)?;
                Ok((raw(&was_open), None))
            }
        }
    }
}

fn subscriptions(peer: &Peer) -> Result<&Arc<Subscriptions>> {
    peer.subscriptions.as_ref().ok_or_else(|| {
        ApiError::new(
            Code::Invalid,
            "subscriptions need a connection that stays: use a WebSocket to /rpc",
        )
    })
}

fn raw(plain: &impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(plain).expect("numbers and booleans are JSON")
}

/// The answer to what is no request, whose id is null.
fn refusal(mut error: ApiError) -> String {
    error.data.trace_id = Some(Uuid::now_v7().simple().to_string());
    metric::called("unknown", Some(error.code), std::time::Duration::ZERO);
    response(None, &Err(error))
}

fn log(error: &ApiError) {
    match error.code {
        Code::Internal => tracing::error!(%error, "a call failed by a mistake of ours"),
        Code::Unavailable | Code::UnknownOutcome => tracing::warn!(%error, "a call failed"),
        _ => tracing::debug!(%error, "a call was refused"),
    }
}

/// Every request of the batch is answered, as a client that finds no answer to any of its
/// requests may give up the connection.
fn too_many(entries: &[Parsed<'_>], batch_max: usize) -> Answer {
    let message = format!(
        "the batch has {} requests and may have {batch_max}; nothing was done, send less at once",
        entries.len()
    );
    let ids = entries.iter().filter_map(|parsed| parsed.as_ref().ok()?.id);
    let answers: Vec<String> =
        ids.map(|id| response(Some(id), &Err(ApiError::new(Code::Limit, &message)))).collect();
    let text = if answers.is_empty() {
        refusal(ApiError::new(Code::Limit, message))
    } else {
        format!("[{}]", answers.join(","))
    };
    Answer { text: Some(text), started: vec![] }
}

/// One array of all answers. What does not fit is answered by an error.
async fn together(
    answers: impl stream::Stream<Item = (Option<String>, Option<Started>)>,
    bytes_max: usize,
) -> Answer {
    let mut answers = std::pin::pin!(answers);
    let mut texts = Vec::new();
    let mut bytes = 0;
    let mut started = Vec::new();
    while let Some((text, begun)) = answers.next().await {
        started.extend(begun);
        let Some(text) = text else { continue };
        bytes += text.len();
        texts.push(if bytes > bytes_max { without_result(&text, bytes_max) } else { text });
    }
    let text = (!texts.is_empty()).then(|| format!("[{}]", texts.join(",")));
    Answer { text, started }
}

/// The same answer, but for its content.
fn without_result(text: &str, bytes_max: usize) -> String {
    #[derive(serde::Deserialize)]
    struct Answered<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let id = serde_json::from_str::<Answered<'_>>(text).ok().map(|answered| answered.id);
    let message =
        format!("the answers have more than {bytes_max} bytes together; send less at once");
    response(id, &Err(ApiError::new(Code::Limit, message)))
}
