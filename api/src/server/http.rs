//! `/rpc`: a POST is one message, an upgrade is a connection.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Caller, admission,
    dispatch::{Dispatcher, Peer},
    message, metric, socket,
};
use crate::{ApiError, Code};

/// Text frames of a WebSocket are read in pieces of this size.
const READ_BUFFER_BYTES: usize = 16 * 1024;

#[derive(Clone)]
struct Edge {
    dispatcher: Dispatcher,
    connections: Arc<Semaphore>,
}

/// The route `/rpc`.
pub(super) fn router(dispatcher: Dispatcher) -> Router {
    let connections = Arc::new(Semaphore::new(dispatcher.api.config.limits.connections_max));
    let edge = Edge { dispatcher, connections };
    Router::new().route("/rpc", post(call).get(connect)).with_state(edge)
}

/// A refusal before any request was looked at.
fn refused(status: StatusCode, reason: &'static str, error: ApiError) -> Response {
    metric::refused(reason);
    (status, json(message::response(None, &Err(error)))).into_response()
}

fn json(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

impl Edge {
    /// Whether the request may come in; holds its place for as long as it takes.
    fn admit(&self, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Box<Response>> {
        let api = &self.dispatcher.api;
        admission::check(&api.config, headers).map_err(|no| {
            let error = ApiError::new(Code::Forbidden, no.message);
            Box::new(refused(StatusCode::FORBIDDEN, no.reason, error))
        })?;
        if api.stop.is_cancelled() {
            let error = ApiError::new(Code::Unavailable, "the server is about to stop");
            return Err(Box::new(refused(StatusCode::SERVICE_UNAVAILABLE, "busy", error)));
        }
        Arc::clone(&self.connections).try_acquire_owned().map_err(|_| {
            let message = format!(
                "the server has {} requests under way already; try again later",
                api.config.limits.connections_max
            );
            let error = ApiError::new(Code::Limit, message);
            Box::new(refused(StatusCode::SERVICE_UNAVAILABLE, "busy", error))
        })
    }

    /// The body, up to the limit. What is beyond it is read too, and dropped: most clients do not
    /// listen to an answer before they have sent everything.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Box<Response>> {
        let limits = &self.dispatcher.api.config.limits;
        let refuse = |status, reason, code, message: String| {
            Err(Box::new(refused(status, reason, ApiError::new(code, message))))
        };
        if !is_json(headers) {
            let message = "send Content-Type: application/json".to_owned();
            return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "type", Code::Invalid, message);
        }
        let bytes_max = limits.request_bytes_max;
        let whole = collect(body, bytes_max, awaits_leave(headers));
        match tokio::time::timeout(limits.body_timeout, whole).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => {
                let message = socket::too_large(bytes_max);
                refuse(StatusCode::PAYLOAD_TOO_LARGE, "size", Code::Limit, message)
            }
            Err(_) => {
                let message = format!("the body did not arrive within {:?}", limits.body_timeout);
                refuse(StatusCode::REQUEST_TIMEOUT, "slow", Code::Limit, message)
            }
        }
    }
}

/// The length of a body that is held back until the server agrees to take it.
fn awaits_leave(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::EXPECT)?;
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// All of `body`; `None` when it is longer than `bytes_max`, or was not sent to its end.
async fn collect(body: Body, bytes_max: usize, held_back: Option<usize>) -> Option<Vec<u8>> {
    if held_back.is_some_and(|length| length > bytes_max) {
        return None;
    }
    let mut bytes = Vec::new();
    let mut fits = true;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        fits &= bytes.len() + chunk.len() <= bytes_max;
        if fits {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = Vec::new();
        }
    }
    fits.then_some(bytes)
}

/// Pages of others cannot send this type without asking first, which the server would not answer.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let type_ = text.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    ["application/json", "application/json-rpc"].iter().any(|json| type_.eq_ignore_ascii_case(json))
}

/// One message.
async fn call(
    State(edge): State<Edge>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answered = async {
        let _permit = edge.admit(&headers)?;
        let message = edge.read(&headers, body).await?;
        let peer = Peer { caller: named(caller), subscriptions: None };
        let answer = edge.dispatcher.answer(&message, &peer).await;
        Ok::<_, Box<Response>>(answer.text)
    };
    match answered.await {
        Ok(Some(text)) => json(text).into_response(),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => *response,
    }
}

/// A connection.
async fn connect(
    State(edge): State<Edge>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let message = "POST a request of JSON-RPC 2.0, or open a WebSocket";
        let error = ApiError::new(Code::InvalidRequest, message);
        return ([(header::ALLOW, "POST")], refused(StatusCode::METHOD_NOT_ALLOWED, "type", error))
            .into_response();
    };
    let permit = match edge.admit(&headers) {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    let api = Arc::clone(&edge.dispatcher.api);
    let bytes_max = api.config.limits.request_bytes_max;
    let caller = named(caller);
    upgrade
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max)
        .read_buffer_size(READ_BUFFER_BYTES)
        .on_upgrade(async move |socket| {
            let serve = socket::serve(socket, edge.dispatcher, caller);
            api.tasks.track_future(serve).await;
            drop(permit);
        })
}

fn named(caller: Option<Extension<Caller>>) -> Caller {
    caller.map(|Extension(caller)| caller).unwrap_or_default()
}
