//! Whether a client takes what there is: JSON.

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use crate::{ApiError, Code};

/// Refuses those who want something else.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let values = headers.get_all(header::ACCEPT).iter();
    let mut ranges = values.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    let is_silent = !headers.contains_key(header::ACCEPT);
    if is_silent || ranges.any(takes_json) {
        return Ok(());
    }
    let error = ApiError::new(Code::InvalidRequest, "answers are application/json: accept that");
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, error.reason("not_acceptable").field("Accept")))
}

fn takes_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let type_ = parts.next().unwrap_or_default();
    let is_json = ["*/*", "application/*", "application/json"]
        .iter()
        .any(|it| type_.eq_ignore_ascii_case(it));
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
    is_json && weight.is_none_or(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_json_is_answered() {
        let answered = |accept: &str| {
            let accept = (header::ACCEPT, accept.parse().expect("a header"));
            check(&HeaderMap::from_iter([accept])).is_ok()
        };
        assert!(check(&HeaderMap::new()).is_ok());
        for accept in ["*/*", "text/html, application/json;q=0.1", "Application/*"] {
            assert!(answered(accept), "{accept}");
        }
        for accept in ["text/html", "application/json;q=0", "image/*;q=1"] {
            assert!(!answered(accept), "{accept}");
        }
    }
}
