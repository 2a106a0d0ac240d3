//! One request, from its arrival to its answer.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{RawPathParams, Request, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::{
    accept,
    answer::{respond, result_of},
    bound::Bound,
    call::Params,
    problem::Problem,
    route::Verb,
    tag::Tag,
};
use crate::{
    ApiError, Code,
    server::{Arrived, Caller, ClientAddress, Edge},
};

/// A path, with what can be done there.
pub(super) struct Place {
    pub(super) edge: Edge,
    pub(super) routes: Vec<Bound>,
}

type PathParams = Result<RawPathParams, RawPathParamsRejection>;

/// Answers one request.
pub(super) async fn serve(place: Arc<Place>, path: PathParams, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    place.answer(path, &parts, body).await.unwrap_or_else(Problem::into_response)
}

impl Place {
    async fn answer(
        &self,
        path: PathParams,
        parts: &Parts,
        body: Body,
    ) -> Result<Response, Problem> {
        let Parts { headers, uri, .. } = parts;
        let from = parts.extensions.get::<ClientAddress>().copied();
        let (_permit, caller) = self.edge.admit(headers, from)?;
        let bound = self.route(&parts.method)?;
        accept::check(headers)?;
        let undecodable = |_| Problem::parameter("path", "the path is no UTF-8 once it is decoded");
        let named = bound.name(&path.map_err(undecodable)?, headers)?;
        let mut params = named.clone();
        bound.read_headers(headers, &mut params)?;
        bound.read_query(uri.query().unwrap_or_default(), &mut params)?;
        let mut arrived = self.arrived(bound, headers, body).await?;
        bound.read_body(&arrived.message, &mut params)?;
        self.check_guard(bound, headers, &named, &caller).await?;
        arrived.message = params.request(bound.route.method);
        let result = self.ask(bound, arrived, caller).await?;
        if bound.route.is_document && headers.contains_key(header::IF_MATCH) {
            expect(Tag::of(&result).as_ref(), headers)?;
        }
        Ok(respond(bound, uri, headers, result))
    }

    /// The route of this verb.
    fn route(&self, method: &Method) -> Result<&Bound, Problem> {
        let verb = Verb::of(method);
        self.routes.iter().find(|bound| Some(bound.route.verb) == verb).ok_or_else(|| {
            let allowed: Vec<_> =
                self.routes.iter().map(|bound| bound.route.verb.allowed()).collect();
            let allowed = allowed.join(", ");
            let message = format!("{method} means nothing here; there are {allowed}");
            let error = ApiError::new(Code::InvalidRequest, message).reason("method_not_allowed");
            let allow = HeaderValue::try_from(allowed).expect("names of verbs");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, error).with(header::ALLOW, allow)
        })
    }

    /// The body, if there is one; nothing where none belongs.
    async fn arrived(
        &self,
        bound: &Bound,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Arrived, Problem> {
        if body.is_end_stream() {
            return Ok(Arrived::default());
        }
        if !bound.route.verb.has_body() {
            let message = "a request like this has no body; parameters stand in the query";
            return Err(ApiError::new(Code::InvalidRequest, message).into());
        }
        Ok(self.edge.read(headers, body).await?)
    }

    /// Has a method answer; errors name parameters as they are called here.
    async fn ask(&self, bound: &Bound, asked: Arrived, caller: Caller) -> Result<Bytes, Problem> {
        result_of(&self.edge.ask(asked, caller).await).map_err(|mut error| {
            let field = error.data.field.as_deref();
            let header = bound.headers.iter().find(|(name, _)| Some(*name) == field);
            if let Some((_, header)) = header {
                error.data.field = Some((*header).to_owned());
            }
            error.into()
        })
    }

    /// Looks whether the document that is to be changed is the one that `If-Match` tells of.
    async fn check_guard(
        &self,
        bound: &Bound,
        headers: &HeaderMap,
        named: &Params,
        caller: &Caller,
    ) -> Result<(), Problem> {
        if !headers.contains_key(header::IF_MATCH) || bound.route.is_document {
            return Ok(());
        }
        let Some(guard) = bound.route.guard else {
            return Err(unconditional(&header::IF_MATCH));
        };
        let asked = Arrived::from(named.request(guard));
        let document = self.ask(bound, asked, caller.clone()).await?;
        expect(Tag::of(&document).as_ref(), headers)
    }
}

fn expect(tag: Option<&Tag>, headers: &HeaderMap) -> Result<(), Problem> {
    if tag.is_some_and(|tag| tag.is_expected(headers)) {
        return Ok(());
    }
    let message = "the document is another by now; get it again, and decide again";
    let mut error = ApiError::new(Code::Rejected, message);
    error = error.reason("precondition_failed").field("If-Match");
    error.data.current = tag.map(|tag| tag.as_str().to_owned());
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, error))
}

fn unconditional(name: &HeaderName) -> Problem {
    let message = "there is no one document here that the condition could be about; leave it out";
    Problem::parameter(name.as_str(), message)
}
