//! What a route is.

use axum::http::{Method, StatusCode};

/// A route: a verb and a path that stand for a method of the contract.
///
/// What the method takes comes from where its kind of parameter belongs: what the path names from
/// there, `namespace` and `idempotency_key` from headers, the rest from the query or, where there
/// is a body, from the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// What is done.
    pub(super) verb: Verb,
    /// With what. The parts in braces are parameters.
    pub(super) path: &'static str,
    /// The method that it stands for.
    pub(super) method: &'static str,
    /// The parameter that `{id}` in the path stands for.
    pub(super) id_as: &'static str,
    /// What the route is called where its method has several.
    pub(super) name: Option<&'static str>,
    /// What is answered when it went well.
    pub(super) success: Success,
    /// Where the next page is.
    pub(super) next: Option<Next>,
    /// Whether the answer is one document, which has an `ETag`.
    pub(super) is_document: bool,
    /// The method that gives the document that `If-Match` is about, for what changes one.
    pub(super) guard: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// What is answered when it went well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Success {
    /// The status.
    pub(super) status: StatusCode,
    /// The field of the answer that is there if something was done; if it is not, the status is 200.
    pub(super) if_there: Option<&'static str>,
    /// Where to look for what was made; the parts in braces are fields of the answer.
    pub(super) location: Option<&'static str>,
}

/// How to ask for the next page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// With the value of this field of the answer, unless that is null.
    pub(super) field: &'static str,
    /// As this parameter.
    pub(super) param: &'static str,
}

impl Verb {
    /// Of a request. One for the head of an answer is one for the answer.
    pub(super) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    /// As it stands in the header `Allow`.
    pub(super) const fn allowed(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// As `OpenAPI` writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }

    /// Whether parameters come in a body.
    pub(super) const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }
}

const fn route(verb: Verb, path: &'static str, method: &'static str) -> Route {
    let success = Success { status: StatusCode::OK, if_there: None, location: None };
    Route {
        verb,
        path,
        method,
        id_as: "id",
        name: None,
        success,
        next: None,
        is_document: false,
        guard: None,
    }
}

pub(super) const fn get(path: &'static str, method: &'static str) -> Route {
    route(Verb::Get, path, method)
}

pub(super) const fn post(path: &'static str, method: &'static str) -> Route {
    route(Verb::Post, path, method)
}

pub(super) const fn put(path: &'static str, method: &'static str) -> Route {
    route(Verb::Put, path, method)
}

pub(super) const fn delete(path: &'static str, method: &'static str) -> Route {
    route(Verb::Delete, path, method)
}

impl Route {
    /// The answer is a page: `next_cursor` asks for the next one as `cursor`.
    pub(super) const fn paged(self) -> Self {
        self.paged_by("next_cursor", "cursor")
    }

    /// The same, where these are called otherwise.
    pub(super) const fn paged_by(mut self, field: &'static str, param: &'static str) -> Self {
        self.next = Some(Next { field, param });
        self
    }

    /// The answer is one document.
    pub(super) const fn document(mut self) -> Self {
        self.is_document = true;
        self
    }

    /// It changes the document that `method` gives.
    pub(super) const fn guarded_by(mut self, method: &'static str) -> Self {
        self.guard = Some(method);
        self
    }

    /// `{id}` in the path is this parameter.
    pub(super) const fn id_as(mut self, param: &'static str) -> Self {
        self.id_as = param;
        self
    }

    /// Another route has the name of the method.
    pub(super) const fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// 201, and where to look for it, if the answer has `field`.
    pub(super) const fn makes(self, field: &'static str, location: &'static str) -> Self {
        self.succeeds(StatusCode::CREATED, Some(field), Some(location))
    }

    /// 201.
    pub(super) const fn creates(self) -> Self {
        self.succeeds(StatusCode::CREATED, None, None)
    }

    /// 202, as it takes effect later, and where to look.
    pub(super) const fn starts(self, location: &'static str) -> Self {
        self.succeeds(StatusCode::ACCEPTED, None, Some(location))
    }

    /// 202, as it takes effect later, and where to look, if the answer has `field`.
    pub(super) const fn starts_if(self, field: &'static str, location: &'static str) -> Self {
        self.succeeds(StatusCode::ACCEPTED, Some(field), Some(location))
    }

    /// 202, as it takes effect later, if the answer has `field`.
    pub(super) const fn accepts(self, field: &'static str) -> Self {
        self.succeeds(StatusCode::ACCEPTED, Some(field), None)
    }

    const fn succeeds(
        mut self,
        status: StatusCode,
        if_there: Option<&'static str>,
        location: Option<&'static str>,
    ) -> Self {
        self.success = Success { status, if_there, location };
        self
    }

    /// What it is called, uniquely.
    pub(super) fn operation_id(&self) -> &'static str {
        self.name.unwrap_or(self.method)
    }

    /// The parameters in the path: how they are written there, and what they are called in calls.
    pub(super) fn path_params(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let names =
            self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        names.map(|name| (name, if name == "id" { self.id_as } else { name }))
    }
}
