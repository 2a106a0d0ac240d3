//! The one place where codes become statuses of HTTP, for those who ask over REST.

use axum::http::StatusCode;

use crate::{ApiError, Code};

impl Code {
    /// The status that stands for it.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Parse | Self::InvalidRequest | Self::InvalidParams => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound | Self::MethodNotFound => StatusCode::NOT_FOUND,
            Self::Rejected | Self::Conflict => StatusCode::CONFLICT,
            Self::Archived => StatusCode::GONE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Limit => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnknownOutcome | Self::PositionNotReached => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl ApiError {
    /// The status that stands for it. What is too much for good is so by its size.
    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            Code::Limit if !self.data.retryable => StatusCode::PAYLOAD_TOO_LARGE,
            code => code.status(),
        }
    }
}
