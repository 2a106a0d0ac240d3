//! From an HTTP request to a connection of its own (RFC 6455, section 4.2).

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What is spoken: JSON-RPC 2.0, one document a message. Who names it as a subprotocol is told so;
/// browsers, which send keys as subprotocols, have to.
pub(super) const PROTOCOL: &str = "kantoku.v1";

/// A request for a WebSocket.
pub(super) struct Upgrade {
    accept: HeaderValue,
    speaks: bool,
    stream: OnUpgrade,
}

impl Upgrade {
    /// What `request` asks for, if it is that.
    pub(super) fn of(request: &mut Request) -> Option<Self> {
        let headers = request.headers();
        let is_asked = holds(headers, &header::CONNECTION, "upgrade")
            && holds(headers, &header::UPGRADE, "websocket")
            && holds(headers, &header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_asked)?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
        let speaks = holds(headers, &header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        let stream = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self { accept, speaks, stream })
    }

    /// Agrees, and hands what follows the answer to `serve`.
    pub(super) fn accept(self, serve: impl FnOnce(Upgraded) + Send + 'static) -> Response {
        let Self { accept, speaks, stream } = self;
        tokio::spawn(async move {
            match stream.await {
                Ok(stream) => serve(stream),
                Err(error) => tracing::debug!(%error, "a connection was lost at its beginning"),
            }
        });
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ];
        let mut response =
            (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response();
        if speaks {
            let protocol = HeaderValue::from_static(PROTOCOL);
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// Whether `word` is among the words of a header, in whatever case.
fn holds(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    words(headers, name).any(|found| found.eq_ignore_ascii_case(word))
}

/// The words of a header, which commas part.
pub(super) fn words<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
