//! Errors as `application/problem+json` (RFC 9457).

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{ApiError, Code, ErrorData};

/// When a client that was refused may come again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why there is no other answer.
pub(super) struct Problem {
    status: StatusCode,
    error: ApiError,
    /// What else is said, as `Allow`.
    headers: Box<HeaderMap>,
}

/// As it stands in the body.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    type_: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: i32,
    #[serde(flatten)]
    data: &'a ErrorData,
}

impl Problem {
    /// With another status than that of the error's code.
    pub(super) fn new(status: StatusCode, error: ApiError) -> Self {
        Self { status, error, headers: Box::default() }
    }

    /// A parameter that is not what it should be.
    pub(super) fn parameter(field: &str, message: impl std::fmt::Display) -> Self {
        ApiError::new(Code::InvalidParams, message).field(field).into()
    }

    /// With a header.
    pub(super) fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self::new(error.status(), error)
    }
}

/// What was refused before it was looked at says why in its extensions.
impl From<Box<Response>> for Problem {
    fn from(refused: Box<Response>) -> Self {
        let (mut parts, _) = refused.into_parts();
        let error = parts.extensions.remove::<ApiError>();
        let error = error.unwrap_or_else(|| ApiError::new(Code::Internal, "it was refused"));
        parts.headers.remove(header::CONTENT_LENGTH);
        Self { status: parts.status, error, headers: Box::new(parts.headers) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, mut error, mut headers } = self;
        let trace_id = &mut error.data.trace_id;
        let trace_id = trace_id.get_or_insert_with(|| Uuid::now_v7().simple().to_string()).clone();
        tracing::debug!(trace_id, %error, %status, "a request was refused");
        let code = error.code.number();
        let body = Body {
            type_: format!("/docs#error{code}"),
            title: error.code.about(),
            status: status.as_u16(),
            detail: &error.message,
            code,
            data: &error.data,
        };
        let text = serde_json::to_string(&body).expect("problems have texts as keys");
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        let is_passing = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        if is_passing.contains(&status) && error.data.retryable {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        (status, *headers, text).into_response()
    }
}
