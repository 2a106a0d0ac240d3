//! `/rpc`: a POST is one message, an upgrade is a connection.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Caller, ClientAddress, admission,
    dispatch::{Answer, Dispatcher, Peer, busy},
    message, metric,
    room::{Held, Room, take},
    socket, upgrade,
    weight::ARRIVING_BYTES,
};
use crate::{ApiError, Code, rest};

/// When a client that was refused for want of room may come again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// How a client proves who it is (RFC 6750).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"kantoku\"");

/// Where requests come in, of whatever form.
#[derive(Clone)]
pub(crate) struct Edge {
    dispatcher: Dispatcher,
    connections: Arc<Semaphore>,
}

/// The route `/rpc`, and those that stand for its methods.
pub(super) fn router(dispatcher: Dispatcher) -> Router {
    let connections = Arc::new(Semaphore::new(dispatcher.limits.connections_max));
    let edge = Edge { dispatcher, connections };
    let rest = rest::router(&edge);
    Router::new().route("/rpc", post(call).get(connect)).with_state(edge).merge(rest)
}

/// A refusal before any request was looked at.
fn refused(status: StatusCode, reason: &'static str, error: ApiError) -> Response {
    metric::refused(reason);
    let mut response = (status, json(message::response(None, &Err(error.clone())))).into_response();
    // For those who write it in another form.
    response.extensions_mut().insert(error);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn json(text: impl IntoResponse) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// An answer, and the memory that it takes until it is sent.
struct Sent {
    text: String,
    _held: Held,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// A message whose body has arrived.
#[derive(Default)]
pub(crate) struct Arrived {
    pub(crate) message: Vec<u8>,
    held: Held,
    held_bytes: usize,
}

impl From<Vec<u8>> for Arrived {
    /// One that was made here.
    fn from(message: Vec<u8>) -> Self {
        Self { message, ..Self::default() }
    }
}

/// Why a body did not arrive.
enum Missing {
    /// It is too long, or was not sent to its end.
    TooLong,
    /// There was no room for it.
    Room,
}

impl Edge {
    /// Whether the request may come in, and who sends it; holds its place for as long as it takes.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        from: Option<ClientAddress>,
    ) -> Result<(OwnedSemaphorePermit, Caller), Box<Response>> {
        let api = &self.dispatcher.api;
        admission::check(&api.config, headers).map_err(|no| {
            let error = ApiError::new(Code::Forbidden, no.message);
            Box::new(refused(StatusCode::FORBIDDEN, no.reason, error))
        })?;
        if api.stop.is_cancelled() {
            let error = ApiError::new(Code::Unavailable, "the server is about to stop");
            return Err(Box::new(refused(StatusCode::SERVICE_UNAVAILABLE, "busy", error)));
        }
        let caller = self.dispatcher.access.identify(headers, from).map_err(|error| {
            let mut response = refused(StatusCode::UNAUTHORIZED, "key", error);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, BEARER);
            Box::new(response)
        })?;
        let permit = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| {
            let message = format!(
                "the server has {} requests and connections under way, which is its limit; nothing \
                 was done, try again in a second",
                api.config.limits.connections_max
            );
            let error = ApiError::new(Code::Limit, message).reason("busy");
            Box::new(refused(StatusCode::SERVICE_UNAVAILABLE, "busy", error))
        })?;
        Ok((permit, caller))
    }

    /// The body, up to the limit, if there is room for it.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Arrived, Box<Response>> {
        let limits = &self.dispatcher.limits;
        let refuse = |status, reason, error| Err(Box::new(refused(status, reason, error)));
        if !is_json(headers) {
            let message = "send Content-Type: application/json";
            let error = ApiError::new(Code::Invalid, message);
            return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "type", error);
        }
        let bytes_max = limits.request_bytes_max;
        if awaits_leave(headers).is_some_and(|length| length > bytes_max) {
            let error = socket::too_large(bytes_max);
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "size", error);
        }
        match tokio::time::timeout(limits.body_timeout, self.collect(headers, body)).await {
            Ok(Ok(arrived)) => Ok(arrived),
            Ok(Err(Missing::TooLong)) => {
                let error = socket::too_large(bytes_max);
                refuse(StatusCode::PAYLOAD_TOO_LARGE, "size", error)
            }
            Ok(Err(Missing::Room)) => refuse(StatusCode::SERVICE_UNAVAILABLE, "room", busy()),
            Err(_) => {
                let message = format!("the body did not arrive within {:?}", limits.body_timeout);
                let error = ApiError::new(Code::Limit, message);
                refuse(StatusCode::REQUEST_TIMEOUT, "slow", error)
            }
        }
    }

    /// All of `body`. What there is no room for, or is too long, is read too, and dropped: most
    /// clients do not listen to an answer before they have sent everything.
    async fn collect(&self, headers: &HeaderMap, body: Body) -> Result<Arrived, Missing> {
        let Dispatcher { limits, rooms, .. } = &self.dispatcher;
        let length = content_length(headers).unwrap_or_default().min(limits.request_bytes_max);
        let mut arrived =
            Arrived { message: Vec::with_capacity(length), held: Held::default(), held_bytes: 0 };
        let mut missing = None;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Missing::TooLong)?;
            if missing.is_some() {
                continue;
            }
            let bytes = arrived.message.len() + chunk.len();
            if bytes > limits.request_bytes_max {
                missing = Some(Missing::TooLong);
            } else if bytes > ARRIVING_BYTES + arrived.held_bytes {
                let more = chunk.len().max(ARRIVING_BYTES);
                match take(&rooms.arrivals(), more, limits.call_patience).await {
                    Some(held) => {
                        arrived.held.add(held);
                        arrived.held_bytes += more;
                    }
                    None => missing = Some(Missing::Room),
                }
            }
            if missing.is_some() {
                (arrived.message, arrived.held) = (Vec::new(), Held::default());
            } else {
                arrived.message.extend_from_slice(&chunk);
            }
        }
        missing.map_or(Ok(arrived), Err)
    }

    /// Carries out one request, and gives its response.
    pub(crate) async fn ask(&self, request: Arrived, caller: Caller) -> Bytes {
        let Answer { text, held, .. } = self.carry_out(request, caller).await;
        Bytes::from_owner(Sent { text: text.unwrap_or_default(), _held: held })
    }

    /// Carries out a message that has arrived.
    async fn carry_out(&self, arrived: Arrived, caller: Caller) -> Answer {
        let limits = &self.dispatcher.limits;
        let share = Room::new(limits.connection_bytes_max);
        let peer = Peer { caller, subscriptions: None, share };
        let Arrived { message, mut held, held_bytes } = arrived;
        let admitted =
            self.dispatcher.admit(&message, held_bytes, &peer, limits.call_patience).await;
        match admitted {
            Err(refused) => refused,
            Ok(more) => {
                held.add(more);
                let mut answer = self.dispatcher.answer(&message, &peer).await;
                answer.held.add(held);
                answer
            }
        }
    }
}

/// The length of a body that is held back until the server agrees to take it.
fn awaits_leave(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::EXPECT)?;
    content_length(headers)
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
    from: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answered = async {
        let (_permit, caller) = edge.admit(&headers, from.map(|Extension(from)| from))?;
        let arrived = edge.read(&headers, body).await?;
        Ok::<_, Box<Response>>(edge.carry_out(arrived, caller).await)
    };
    match answered.await {
        Ok(Answer { text: Some(text), held, .. }) => {
            json(Bytes::from_owner(Sent { text, _held: held })).into_response()
        }
        Ok(Answer { text: None, .. }) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => *response,
    }
}

/// A connection.
async fn connect(
    State(edge): State<Edge>,
    from: Option<Extension<ClientAddress>>,
    mut request: Request,
) -> Response {
    let Some(upgrade) = upgrade::Upgrade::of(&mut request) else {
        let message = "POST a request of JSON-RPC 2.0, or open a WebSocket";
        let error = ApiError::new(Code::InvalidRequest, message);
        return ([(header::ALLOW, "POST")], refused(StatusCode::METHOD_NOT_ALLOWED, "type", error))
            .into_response();
    };
    let admitted = edge.admit(request.headers(), from.map(|Extension(from)| from));
    let (permit, caller) = match admitted {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let tasks = edge.dispatcher.api.tasks.clone();
    upgrade.accept(move |stream| {
        tasks.spawn(async move {
            socket::serve(stream, edge.dispatcher, caller).await;
            drop(permit);
        });
    })
}
