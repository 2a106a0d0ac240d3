//! The request of JSON-RPC that stands for one of REST.

use std::{collections::BTreeSet, fmt};

use axum::{extract::RawPathParams, http::HeaderMap};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    bound::{Bound, HEADERS},
    problem::Problem,
};
use crate::{ApiError, Code};

/// The parameters of a call: the inside of an object of JSON.
#[derive(Clone, Default)]
pub(super) struct Params(String);

impl Params {
    fn put(&mut self, name: &str, value: &impl Serialize) {
        let json = "names, values and texts are JSON";
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&serde_json::to_string(name).expect(json));
        self.0.push(':');
        self.0.push_str(&serde_json::to_string(value).expect(json));
    }

    /// The request that calls `method` with them.
    pub(super) fn request(&self, method: &str) -> Vec<u8> {
        let params = &self.0;
        let request = r#"{"jsonrpc":"2.0","id":1,"method":""#;
        format!(r#"{request}{method}","params":{{{params}}}}}"#).into_bytes()
    }
}

impl Bound {
    /// What the path says, and the header that says whose: enough to name a document.
    pub(super) fn name(
        &self,
        path: &RawPathParams,
        headers: &HeaderMap,
    ) -> Result<Params, Problem> {
        let mut params = Params::default();
        for (written, text) in path {
            let found = self.path.iter().find(|(name, _)| *name == written);
            let (_, param) = found.expect("the path is that of the route");
            params.put(&param.name, &param.read(text)?);
        }
        if let Some((name, header)) = self.headers.iter().find(|(name, _)| *name == "namespace")
            && let Some(text) = one(headers, header)?
        {
            params.put(name, &text);
        }
        Ok(params)
    }

    /// Adds what other headers say.
    pub(super) fn read_headers(
        &self,
        headers: &HeaderMap,
        params: &mut Params,
    ) -> Result<(), Problem> {
        let (name, header) = HEADERS[1];
        let Some(text) = one(headers, header)? else { return Ok(()) };
        if !self.headers.iter().any(|(known, _)| *known == name) {
            let message = format!("{header} means nothing here: this can be sent again as it is");
            return Err(Problem::parameter(header, message));
        }
        params.put(name, &text);
        Ok(())
    }

    /// Adds what the query says.
    pub(super) fn read_query(&self, query: &str, params: &mut Params) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let others = if self.route.verb.has_body() { &[][..] } else { &self.others };
            let Some(param) = others.iter().find(|param| param.name == name) else {
                return Err(self.unknown(&name, others.iter().map(|param| param.name.as_str())));
            };
            if !seen.insert(name.clone()) {
                let message = format!("parameter {name:?} is given twice");
                return Err(Problem::parameter(&name, message));
            }
            params.put(&name, &param.read(&text)?);
        }
        Ok(())
    }

    /// Adds what the body says; what it may not say is refused later, unless it belongs elsewhere.
    pub(super) fn read_body(&self, body: &[u8], params: &mut Params) -> Result<(), Problem> {
        if body.is_empty() {
            return Ok(());
        }
        let no_object = |error: serde_json::Error| {
            let message = format!("the body is no object of JSON: {error}");
            let code = if error.is_data() { Code::InvalidParams } else { Code::Parse };
            ApiError::new(code, message)
        };
        let Fields(fields) = serde_json::from_slice(body).map_err(no_object)?;
        for (name, value) in fields {
            if self.place_of(&name).is_some() {
                return Err(self.unknown(&name, std::iter::empty()));
            }
            params.put(&name, &value);
        }
        Ok(())
    }

    fn unknown<'a>(&self, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
        let shown: String = name.chars().take(80).collect();
        let known: Vec<&str> = known.collect();
        let message = if let Some(place) = self.place_of(name) {
            place
        } else if let Some(meant) = kantoku_domain::nearest(&shown, known.iter().copied()) {
            format!("there is no parameter {shown:?}; did you mean {meant:?}?")
        } else if known.is_empty() {
            format!("there is no parameter {shown:?}; the query has none here")
        } else {
            format!("there is no parameter {shown:?}; there are {}", known.join(", "))
        };
        Problem::parameter(&shown, message)
    }
}

/// The text of a header that may be given once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::parameter(name, format!("the header {name} is given twice")));
    }
    let wrong = |_| Problem::parameter(name, format!("the header {name} is no text in ASCII"));
    value.to_str().map(Some).map_err(wrong)
}

/// The fields of an object, in their order, each as often as it is there.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rest::ROUTES,
        schema::{Description, Dialect},
    };

    fn bound(name: &str) -> Bound {
        let route = ROUTES.iter().find(|route| route.operation_id() == name).expect("a route");
        Bound::new(route, &Description::of(Dialect::Draft2020))
    }

    #[test]
    fn a_request_holds_what_the_query_says() {
        let mut params = Params::default();
        let list = bound("task.list");
        assert!(list.read_query("limit=2&where=a+%3D%3D+%22b%22", &mut params).is_ok());
        assert_eq!(
            String::from_utf8(params.request("task.list")).expect("text"),
            r#"{"jsonrpc":"2.0","id":1,"method":"task.list","params":{"limit":2,"where":"a == \"b\""}}"#
        );
        for wrong in ["limt=2", "limit=2&limit=2", "namespace=a", "limit=a", "filter=a"] {
            assert!(list.read_query(wrong, &mut Params::default()).is_err(), "{wrong}");
        }
        assert!(bound("task.spawn").read_query("limit=2", &mut Params::default()).is_err());
    }

    #[test]
    fn a_body_says_nothing_that_belongs_elsewhere() {
        let cancel = bound("task.cancel");
        let read = |body: &str| {
            let mut params = Params::default();
            cancel.read_body(body.as_bytes(), &mut params).ok().map(|()| params.0)
        };
        assert_eq!(read(""), Some(String::new()));
        assert_eq!(read(r#"{"reason": [1]}"#).as_deref(), Some(r#""reason":[1]"#));
        for wrong in ["[]", "1", "{", r#"{"id": 1}"#, r#"{"namespace": "a"}"#, "{} {}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
