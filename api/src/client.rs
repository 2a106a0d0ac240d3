//! The typed client.

use std::time::Duration;

use axum::http::Uri;
use jsonrpsee::{
    core::{
        client::{ClientT as _, Error as RpcError, SubscriptionClientT as _},
        traits::ToRpcParams,
    },
    ws_client::{HeaderMap, HeaderValue, WsClient, WsClientBuilder},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use thiserror::Error;

use crate::{
    ApiError, Code, ErrorData,
    contract::{ANSWER_BYTES_MAX, Method, REQUEST_BYTES_MAX, Subscription},
    tls::Trust,
};

/// What stands around the parameters of a request, and more.
const FRAME_BYTES: usize = 1024;

/// Items of one subscription that wait to be read; with more, the connection's reader gives the
/// subscription up, so that it does not hold up the others.
const ITEMS_MAX: usize = 16_384;

/// Where HTTPS is unless said otherwise.
const HTTPS_PORT: u16 = 443;

/// Parameters by name.
struct Named(Box<RawValue>);

impl ToRpcParams for Named {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(Some(self.0))
    }
}

/// Calls the methods of one server, over one WebSocket connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    rpc: std::sync::Arc<WsClient>,
    url: String,
}

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The server refused, or failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// There is no server, or it did not answer in time.
    #[error(
        "cannot reach the API at {url}: {reason}; is it running? `ktk dev up` starts a private one, KTK_API_URL says where it is"
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server speaks another language.
    #[error(
        "the API at {url} gave an answer that cannot be read: {reason}; are client and server of one version?"
    )]
    Malformed {
        /// Who answered.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the request for a connection says beside its address.
fn headers(authorization: Option<&str>, url: &str) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    if let Some(text) = authorization {
        let mut value = HeaderValue::from_str(text).map_err(|_| ClientError::Unreachable {
            url: url.to_owned(),
            reason: "the key cannot be sent: it holds what a header cannot".to_owned(),
        })?;
        value.set_sensitive(true);
        headers.insert("authorization", value);
    }
    Ok(headers)
}

/// What a handshake that was refused for want of a key comes to; its type is not told by the crate.
const REJECTED: &str = "rejected with status code: 401";

/// Why there is no connection: who has no key is there and told so.
fn refused(error: &RpcError, url: &str) -> ClientError {
    let reason = error.to_string();
    if reason.contains(REJECTED) {
        let message = format!(
            "the API at {url} asks for a key, and has none, or one that does not hold; KTK_API_KEY, \
             or the profile, says which is sent"
        );
        return ApiError::new(Code::Unauthenticated, message).into();
    }
    ClientError::Unreachable { url: url.to_owned(), reason }
}

/// Where the methods are at `url`.
fn socket_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => format!("ws://{rest}/rpc"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => format!("wss://{rest}/rpc"),
        _ => format!("{url}/rpc"),
    }
}

/// Host and port of `socket_url`, if what is sent there is encrypted.
fn secure_place(socket_url: &str) -> Option<(String, u16)> {
    let uri: Uri = socket_url.parse().ok()?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("wss"))?;
    Some((host.to_owned(), uri.port_u16().unwrap_or(HTTPS_PORT)))
}

impl Client {
    /// Connects to the API at `url` (`http://host:port` or `https://host:port`), giving up after
    /// `timeout`, which is also how long a call may take.
    ///
    /// # Errors
    /// If it is not reached, or whoever is there cannot show that it is the one.
    pub async fn connect(url: &str, timeout: Duration) -> Result<Self, ClientError> {
        Self::connect_as(None, None, url, timeout).await
    }

    /// Connects as the one whom the header `Authorization` names. Over TLS, whom `trust` believes is
    /// believed; without it, whom this machine trusts.
    ///
    /// # Errors
    /// Those of [`Self::connect`]; and if the key does not hold.
    pub async fn connect_as(
        authorization: Option<&str>,
        trust: Option<&Trust>,
        url: &str,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let socket_url = socket_url(url);
        let builder = WsClientBuilder::new()
            .set_headers(headers(authorization, url)?)
            .connection_timeout(timeout)
            .request_timeout(timeout)
            .max_request_size(REQUEST_BYTES_MAX as u32)
            .max_response_size(ANSWER_BYTES_MAX as u32)
            .max_buffer_capacity_per_subscription(ITEMS_MAX);
        let rpc = match secure_place(&socket_url) {
            None => builder.build(socket_url).await,
            Some((host, port)) => {
                let unreachable = |reason| ClientError::Unreachable { url: url.to_owned(), reason };
                let of_system = || Trust::system().map_err(|error| unreachable(error.to_string()));
                let trust = trust.cloned().map_or_else(of_system, Ok)?;
                let connecting = tokio::time::timeout(timeout, trust.connect(&host, port)).await;
                let stream = connecting
                    .unwrap_or_else(|_| Err(format!("no answer within {timeout:?}")))
                    .map_err(unreachable)?;
                builder.build_with_stream(socket_url, stream).await
            }
        };
        let rpc = rpc.map_err(|error| refused(&error, url))?;
        Ok(Self { rpc: std::sync::Arc::new(rpc), url: url.to_owned() })
    }

    /// Calls a method.
    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Answer, ClientError> {
        let params = self.named(params)?;
        self.rpc.request(M::NAME, params).await.map_err(|error| self.error(error))
    }

    /// Starts a subscription; it ends when what is returned is dropped. It is to be read all the
    /// time: one that falls far behind is given up, and another one has to go on from the position
    /// of the last item.
    pub async fn subscribe<S: Subscription>(
        &self,
        params: &S::Params,
    ) -> Result<jsonrpsee::core::client::Subscription<S::Item>, ClientError> {
        let params = self.named(params)?;
        self.rpc.subscribe(S::NAME, params, S::UNSUBSCRIBE).await.map_err(|error| self.error(error))
    }

    /// Too large ones would take the connection down, and all calls on it.
    fn named(&self, params: &impl Serialize) -> Result<Named, ClientError> {
        let params = to_raw_value(params).map_err(|error| ClientError::Malformed {
            url: self.url.clone(),
            reason: error.to_string(),
        })?;
        let bytes = params.get().len();
        if bytes > REQUEST_BYTES_MAX - FRAME_BYTES {
            let message = format!(
                "the parameters have {bytes} bytes, and a request may have {REQUEST_BYTES_MAX}; \
                 send less at once"
            );
            return Err(ApiError::new(Code::Limit, message).into());
        }
        Ok(Named(params))
    }

    fn error(&self, error: RpcError) -> ClientError {
        let url = self.url.clone();
        match error {
            RpcError::Call(object) => {
                let data = object.data().and_then(|data| serde_json::from_str(data.get()).ok());
                let code = Code::from_number(object.code()).unwrap_or(Code::Internal);
                let mut error = ApiError::new(code, object.message());
                if let Some(data) = data {
                    error.data = Box::<ErrorData>::new(data);
                }
                ClientError::Api(error)
            }
            RpcError::ParseError(error) => {
                ClientError::Malformed { url, reason: error.to_string() }
            }
            other => ClientError::Unreachable { url, reason: other.to_string() },
        }
    }
}
