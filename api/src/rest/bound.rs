//! A route and the parameters of its method: where each comes from, and how its text is read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{problem::Problem, route::Route};
use crate::schema::Description;

/// The parameters that stand in headers wherever a method has them.
pub(super) const HEADERS: [(&str, &str); 2] =
    [("namespace", "Kantoku-Namespace"), ("idempotency_key", "Idempotency-Key")];

/// A route, and where its parameters come from.
pub(super) struct Bound {
    pub(super) route: &'static Route,
    /// Those in the path: as they are written there, and as the method calls them.
    pub(super) path: Vec<(&'static str, Param)>,
    /// Those in headers, and the headers.
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// Those in the query, or in the body.
    pub(super) others: Vec<Param>,
}

/// A parameter.
pub(super) struct Param {
    pub(super) name: String,
    kind: Kind,
}

/// How the text of a parameter is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As it is.
    Text,
    /// A number.
    Number,
    /// A number if it is one, else as it is.
    NumberOrText,
    /// `true` or `false`.
    Truth,
    /// Texts, with commas between them.
    List,
    /// JSON.
    Json,
}

impl Bound {
    pub(super) fn new(route: &'static Route, description: &Description) -> Self {
        let method = description.get(route.method).expect("a test says that it exists");
        let properties = method.params.get("properties").and_then(Value::as_object);
        let properties = properties.cloned().unwrap_or_default();
        let param = |name: &str| {
            let schema = properties.get(name).cloned().unwrap_or_default();
            Param { name: name.to_owned(), kind: Kind::of(description, &schema) }
        };
        let path: Vec<(&str, Param)> =
            route.path_params().map(|(written, name)| (written, param(name))).collect();
        let in_path: BTreeSet<&str> = path.iter().map(|(_, param)| param.name.as_str()).collect();
        let is_free = |name: &str| !in_path.contains(name) && properties.contains_key(name);
        let headers: Vec<_> = HEADERS.into_iter().filter(|(name, _)| is_free(name)).collect();
        let in_headers = |name: &str| headers.iter().any(|(param, _)| *param == name);
        let others = properties.keys().filter(|name| is_free(name) && !in_headers(name));
        let others = others.map(|name| param(name)).collect();
        Self { route, path, headers, others }
    }

    /// Says where a parameter that is given in the wrong place belongs.
    pub(super) fn place_of(&self, name: &str) -> Option<String> {
        if let Some((written, _)) = self.path.iter().find(|(_, param)| param.name == name) {
            return Some(format!("{name:?} stands in the path, as {{{written}}}"));
        }
        let header = HEADERS.iter().find(|(param, _)| *param == name);
        header.map(|(_, header)| format!("{name:?} is given as the header {header}"))
    }
}

impl Kind {
    pub(super) fn of(description: &Description, schema: &Value) -> Self {
        let mut types = BTreeSet::new();
        collect(description, schema, &mut types);
        let has = |name: &str| types.contains(name);
        match () {
            () if has("object") || types.is_empty() => Self::Json,
            () if has("array") => Self::List,
            () if has("boolean") => Self::Truth,
            () if !has("integer") && !has("number") => Self::Text,
            () if has("string") => Self::NumberOrText,
            () => Self::Number,
        }
    }
}

/// The types that a schema allows.
fn collect<'a>(description: &'a Description, schema: &'a Value, types: &mut BTreeSet<&'a str>) {
    let schema = description.resolve(schema);
    match schema.get("type") {
        Some(Value::String(one)) => drop(types.insert(one)),
        Some(Value::Array(several)) => types.extend(several.iter().filter_map(Value::as_str)),
        _ => {}
    }
    types.remove("null");
    for choice in ["anyOf", "oneOf", "allOf"] {
        let parts = schema.get(choice).and_then(Value::as_array);
        parts.into_iter().flatten().for_each(|part| collect(description, part, types));
    }
}

impl Param {
    /// What its text means.
    pub(super) fn read(&self, text: &str) -> Result<Value, Problem> {
        let name = &self.name;
        let wrong = |what: &str| {
            let shown: String = text.chars().take(80).collect();
            Problem::parameter(name, format!("parameter {name:?}: {shown:?} is not {what}"))
        };
        match self.kind {
            Kind::Text => Ok(text.into()),
            Kind::Number => number(text).ok_or_else(|| wrong("a number")),
            Kind::NumberOrText => Ok(number(text).unwrap_or_else(|| text.into())),
            Kind::Truth => text.parse().map(Value::Bool).map_err(|_| wrong("true or false")),
            Kind::List => Ok(json!(text.split(',').collect::<Vec<_>>())),
            Kind::Json => serde_json::from_str(text).map_err(|error| {
                let message = format!("parameter {name:?} is no JSON: {error}");
                Problem::parameter(name, message)
            }),
        }
    }
}

fn number(text: &str) -> Option<Value> {
    let number: Value = serde_json::from_str(text).ok()?;
    number.is_number().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rest::ROUTES, schema::Dialect};

    fn bound(name: &str) -> Bound {
        let route = ROUTES.iter().find(|route| route.operation_id() == name).expect("a route");
        Bound::new(route, &Description::of(Dialect::Draft2020))
    }

    #[test]
    fn parameters_are_read_as_their_schemas_have_them() {
        let list = bound("task.list");
        let kinds: Vec<(&str, Kind)> =
            list.others.iter().map(|param| (param.name.as_str(), param.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("all_namespaces", Kind::Truth),
                ("cursor", Kind::Text),
                ("fields", Kind::List),
                ("filter", Kind::Json),
                ("limit", Kind::Number),
                ("min_seq", Kind::Number),
                ("skip", Kind::Number),
                ("sort", Kind::Text),
                ("timeout", Kind::NumberOrText),
                ("where", Kind::Text),
            ]
        );
        assert_eq!(list.headers, [("namespace", "Kantoku-Namespace")]);
        let read = |name: &str, text: &str| {
            let param = list.others.iter().find(|param| param.name == name).expect("a parameter");
            param.read(text).ok()
        };
        assert_eq!(read("limit", "7"), Some(json!(7)));
        assert_eq!(read("limit", "seven"), None);
        assert_eq!(read("timeout", "7s"), Some(json!("7s")));
        assert_eq!(read("fields", "id,status"), Some(json!(["id", "status"])));
        assert_eq!(read("filter", "{\"a\": 1}"), Some(json!({ "a": 1 })));
        assert_eq!(read("all_namespaces", "yes"), None);
    }

    #[test]
    fn what_the_path_names_comes_from_nowhere_else() {
        let events = bound("context.events");
        let path: Vec<_> =
            events.path.iter().map(|(written, param)| (*written, param.name.as_str())).collect();
        assert_eq!(path, [("id", "context_id")]);
        assert!(events.others.iter().any(|param| param.name == "id"));
        assert!(!events.others.iter().any(|param| param.name == "context_id"));
        let namespace = bound("namespace.pause");
        assert_eq!(namespace.headers, [("idempotency_key", "Idempotency-Key")]);
        assert!(namespace.place_of("namespace").is_some_and(|place| place.contains("path")));
    }
}
