//! The contract as resources under `/v1`: for those who have HTTP and nothing else.
//!
//! [`ROUTES`] says which verb and path stand for which method. A request becomes one of JSON-RPC
//! (`call`), is carried out where those are, and its answer becomes one of HTTP (`answer`): whatever
//! holds for JSON-RPC, limits above all, holds here.

mod accept;
mod answer;
mod bound;
mod call;
mod openapi;
mod page;
mod problem;
mod route;
mod serve;
mod table;
mod tag;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};

use crate::{
    ApiError, Code,
    schema::{Description, Dialect, OPENRPC},
    server::Edge,
};
use bound::Bound;
use problem::Problem;
use serve::{Place, serve};
pub(crate) use table::ROUTES;

/// The routes, the documents about them, and the pages made from those.
pub(crate) fn router(edge: &Edge) -> Router {
    let mut places: BTreeMap<String, Vec<Bound>> = BTreeMap::new();
    let description = Description::of(Dialect::Draft2020);
    for route in ROUTES {
        places.entry(route.path.into()).or_default().push(Bound::new(route, &description));
    }
    let mut router = Router::new();
    for (path, routes) in places {
        let place = Arc::new(Place { edge: edge.clone(), routes });
        let answer = move |path, request| serve(Arc::clone(&place), path, request);
        router = router.route(&path, any(answer));
    }
    let nowhere = || async {
        let message = "there is nothing under this path; /docs lists what there is";
        Problem::from(ApiError::new(Code::NotFound, message)).into_response()
    };
    router
        .route("/v1", any(nowhere))
        .route("/v1/{*path}", any(nowhere))
        .route("/openrpc.json", get(async || document("application/json", &OPENRPC)))
        .route("/openapi.json", get(async || document("application/json", &openapi::OPENAPI)))
        .route("/docs", get(async || document("text/html; charset=utf-8", &page::PAGE)))
        .route("/docs/style.css", get(async || document("text/css", page::STYLE)))
}

/// What scripts, styles and frames a document may have, should a browser show it: a style of ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A text that is part of this build.
fn document(type_: &'static str, text: &'static str) -> Response {
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(type_)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]);
    (headers, text).into_response()
}
