//! From the answer of a method to that of a route.

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    bound::Bound,
    route::{Next, Success},
    tag::Tag,
};
use crate::{ApiError, Code, ErrorData};

/// The fields of an answer.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// What a response of JSON-RPC says: the bytes of its result, which are part of its own, or why
/// there is none.
pub(super) fn result_of(response: &Bytes) -> Result<Bytes, ApiError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        result: Option<&'a RawValue>,
        error: Option<Told>,
    }
    #[derive(Deserialize)]
    struct Told {
        code: i32,
        message: String,
        data: Box<ErrorData>,
    }
    let broken = |error| ApiError::new(Code::Internal, error);
    match serde_json::from_slice(response).map_err(broken)? {
        Envelope { error: Some(Told { code, message, data }), .. } => {
            let code = Code::from_number(code).unwrap_or(Code::Internal);
            Err(ApiError { code, message, data })
        }
        Envelope { result: Some(result), .. } => Ok(response.slice_ref(result.get().as_bytes())),
        Envelope { .. } => Ok(Bytes::from_static(b"null")),
    }
}

/// The response of a route whose method answered with `result`.
pub(super) fn respond(bound: &Bound, uri: &Uri, headers: &HeaderMap, result: Bytes) -> Response {
    let route = bound.route;
    let tag = route.is_document.then(|| Tag::of(&result)).flatten();
    if let Some(tag) = tag.as_ref().filter(|tag| tag.is_known(headers)) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag.header())]).into_response();
    }
    let Success { mut status, if_there, location } = route.success;
    let mut told = HeaderMap::new();
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(tag) = tag {
        told.insert(header::ETAG, tag.header());
    }
    // Answers without any of these are not looked into: they may be long.
    if if_there.is_some() || location.is_some() || route.next.is_some() {
        let fields: Fields<'_> = serde_json::from_slice(&result).unwrap_or_default();
        let is_there = |field: &str| fields.get(field).is_some_and(|it| it.get() != "null");
        if if_there.is_some_and(|field| !is_there(field)) {
            status = StatusCode::OK;
        } else if let Some(location) = location.and_then(|it| filled_in(it, &fields)) {
            told.insert(header::LOCATION, location);
        }
        if let Some(link) = route.next.and_then(|next| link(next, uri, &fields)) {
            told.insert(header::LINK, link);
        }
    }
    (status, told, Body::from(result)).into_response()
}

/// `template` with the values of fields.
fn filled_in(template: &str, fields: &Fields<'_>) -> Option<HeaderValue> {
    let mut parts = template.split('{');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (field, rest) = part.split_once('}')?;
        text.push_str(&plain(fields.get(field)?));
        text.push_str(rest);
    }
    HeaderValue::try_from(text).ok()
}

/// A text without its quotes, anything else as it is.
fn plain(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// Where the next page is: the same request, but for the place.
fn link(Next { field, param }: Next, uri: &Uri, fields: &Fields<'_>) -> Option<HeaderValue> {
    let place = fields.get(field).filter(|place| place.get() != "null")?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.extend_pairs(asked.filter(|(name, _)| name != param));
    query.append_pair(param, &plain(place));
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish());
    HeaderValue::try_from(link).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn a_result_is_taken_out_of_its_response() {
        let of = |text: &'static str| result_of(&Bytes::from_static(text.as_bytes()));
        let result = of(r#"{"jsonrpc":"2.0","id":1,"result":{"a": [1]}}"#);
        assert_eq!(result.ok().as_deref(), Some(br#"{"a": [1]}"#.as_slice()));
        let error = of(
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1002,"message":"no","data":{"reason":"not_found","retryable":false}}}"#,
        );
        assert_eq!(error.err().map(|error| error.code), Some(Code::NotFound));
    }

    #[test]
    fn the_next_page_is_asked_for_like_this_one() {
        let uri: Uri = "/v1/tasks?limit=2&cursor=a&where=x+%3D%3D+1".parse().expect("a URI");
        let next = Next { field: "next_cursor", param: "cursor" };
        let told = link(next, &uri, &fields(r#"{"next_cursor": "b=="}"#)).expect("a link");
        assert_eq!(told, "</v1/tasks?limit=2&where=x+%3D%3D+1&cursor=b%3D%3D>; rel=\"next\"");
        assert_eq!(link(next, &uri, &fields(r#"{"next_cursor": null}"#)), None);
        let location = filled_in("/v1/a/{id}?size={size}", &fields(r#"{"id": "x", "size": 7}"#));
        assert_eq!(location.expect("a location"), "/v1/a/x?size=7");
    }
}
