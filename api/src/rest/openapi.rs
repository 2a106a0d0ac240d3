//! The `OpenAPI` document: <https://spec.openapis.org/oas/v3.1.0>.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{
    ROUTES,
    bound::{Bound, Kind},
    route::Route,
};
use crate::{
    Code,
    schema::{ABOUT, Described, Description, Dialect, VERSION, written},
};

/// The document, as it is served.
pub(super) static OPENAPI: LazyLock<String> = LazyLock::new(|| written(&document()));

/// Version 3.1, whose schemas are those of JSON Schema 2020-12.
pub(super) fn document() -> Value {
    let mut description = Description::of(Dialect::Draft2020);
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.verb.name()] = operation(&description, route);
    }
    description.schemas.insert("Problem".into(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kantoku",
            "version": VERSION,
            "description": format!("{ABOUT} The same methods are there as JSON-RPC 2.0 at `/rpc`, \
                described by `/openrpc.json`, and with them subscriptions."),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "security": [{ "key": [] }, {}],
        "components": {
            "schemas": description.schemas,
            "responses": { "Problem": problems() },
            "securitySchemes": { "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "A key, which `key.create` tells once. A private stand asks for none.",
            } },
        },
    })
}

/// The first part of a path.
fn tag(route: &Route) -> &'static str {
    route.path.split('/').nth(2).unwrap_or_default()
}

fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = ROUTES.iter().map(tag).collect();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn operation(description: &Description, route: &'static Route) -> Value {
    let bound = Bound::new(route, description);
    let method = description.get(route.method).expect("a test says that it exists");
    let mut told = json!({
        "operationId": route.operation_id(),
        "summary": method.summary,
        "description": format!("Stands for the method `{}`.", route.method),
        "tags": [tag(route)],
        "parameters": parameters(description, &bound, method),
        "responses": responses(route, method),
    });
    if route.verb.has_body() {
        told["requestBody"] = body(&bound, method);
    }
    told
}

fn parameters(description: &Description, bound: &Bound, method: &Described) -> Vec<Value> {
    let schema = |name: &str| {
        let schema = method.params["properties"][name].clone();
        without_null(schema)
    };
    let parameter = |place: &str, written: &str, name: &str, required: bool| {
        let schema = schema(name);
        let mut told = json!({ "name": written, "in": place });
        if let Some(text) = schema.get("description") {
            told["description"] = text.clone();
        }
        if required {
            told["required"] = true.into();
        }
        match Kind::of(description, &schema) {
            Kind::Json => told["content"] = json!({ "application/json": { "schema": schema } }),
            Kind::List => {
                (told["style"], told["explode"]) = ("form".into(), false.into());
                told["schema"] = schema;
            }
            _ => told["schema"] = schema,
        }
        told
    };
    let path =
        bound.path.iter().map(|(written, param)| parameter("path", written, &param.name, true));
    let headers =
        bound.headers.iter().map(|(name, header)| parameter("header", header, name, false));
    let others = bound.others.iter().filter(|_| !bound.route.verb.has_body());
    let query = others.map(|param| {
        parameter("query", &param.name, &param.name, is_required(method, &param.name))
    });
    path.chain(headers).chain(query).chain(conditions(bound.route)).collect()
}

/// The headers that make a request conditional.
fn conditions(route: &Route) -> impl Iterator<Item = Value> {
    let condition = |name: &str, about: &str| {
        json!({ "name": name, "in": "header", "description": about,
            "schema": { "type": "string" } })
    };
    let none_match = route.is_document.then(|| {
        condition("If-None-Match", "Tags of the document that are known: 304 if it is one of them.")
    });
    let is_matched = route.is_document || route.guard.is_some();
    let matches = is_matched.then(|| {
        condition(
            "If-Match",
            "The tag that the document is expected to have: 412 if it has another.",
        )
    });
    none_match.into_iter().chain(matches)
}

fn is_required(method: &Described, name: &str) -> bool {
    let required = method.params.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|it| it == name))
}

/// A parameter that is not given is left out, never null.
fn without_null(mut schema: Value) -> Value {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|type_| type_ != "null");
        if let [one] = types.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(Value::Array(parts)) = schema.get_mut("anyOf") {
        parts.retain(|part| part["type"] != "null");
        if let [one] = parts.as_slice()
            && let (Value::Object(one), Value::Object(schema)) = (one.clone(), &mut schema)
        {
            schema.remove("anyOf");
            schema.extend(one);
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.as_object_mut().map(|schema| schema.remove("default"));
    }
    schema
}

/// The parameters that are left for the body.
fn body(bound: &Bound, method: &Described) -> Value {
    let all = &method.params["properties"];
    let names: Vec<&str> = bound.others.iter().map(|param| param.name.as_str()).collect();
    let properties: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), all[*name].clone())).collect();
    let required: Vec<&str> = names.into_iter().filter(|name| is_required(method, name)).collect();
    let is_required = !required.is_empty();
    let mut schema = json!({ "type": "object", "properties": properties });
    if is_required {
        schema["required"] = json!(required);
    }
    if let Some(others) = method.params.get("additionalProperties") {
        schema["additionalProperties"] = others.clone();
    }
    json!({ "required": is_required, "content": { "application/json": { "schema": schema } } })
}

fn responses(route: &Route, method: &Described) -> Value {
    let mut told = Map::new();
    let content = json!({ "application/json": { "schema": method.answer } });
    let status = route.success.status;
    let about = status.canonical_reason().unwrap_or_default();
    told.insert(
        status.as_str().into(),
        json!({ "description": about, "headers": headers(route), "content": content }),
    );
    if route.success.if_there.is_some() {
        let about = "Nothing had to be done, or was to be.";
        told.insert("200".into(), json!({ "description": about, "content": content }));
    }
    if route.is_document {
        told.insert(
            "304".into(),
            json!({ "description": "The document is the one that is known." }),
        );
    }
    told.insert("default".into(), json!({ "$ref": "#/components/responses/Problem" }));
    told.into()
}

fn headers(route: &Route) -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    let mut told = Map::new();
    if route.is_document {
        told.insert("ETag".into(), text("What the document is like."));
    }
    if route.success.location.is_some() {
        told.insert("Location".into(), text("Where to look for what was made."));
    }
    if route.next.is_some() {
        told.insert("Link".into(), text("Where the next page is, with rel=\"next\"."));
    }
    told.into()
}

/// The body of an error.
fn problem() -> Value {
    json!({
        "description": "Why there is no other answer (RFC 9457).",
        "type": "object",
        "properties": {
            "type": { "description": "Where the kind is explained.", "type": "string",
                "format": "uri-reference" },
            "title": { "description": "The kind, for people.", "type": "string" },
            "status": { "description": "That of the response.", "type": "integer" },
            "detail": { "description": "What, where, and what to do.", "type": "string" },
            "code": { "description": "The code that JSON-RPC has for it.", "type": "integer" },
        },
        "required": ["type", "title", "status", "detail", "code"],
        "allOf": [{ "$ref": "#/components/schemas/ErrorData" }],
    })
}

/// The response that has it.
fn problems() -> Value {
    let kinds = Code::all()
        .map(|code| format!("{} {}: {}", code.status().as_u16(), code.number(), code.about()));
    json!({
        "description": format!("There is no other answer. By status and code: {}", kinds.collect::<Vec<_>>().join(" ")),
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        crate::schema::assert_committed("docs/api/openapi.json", &OPENAPI);
    }

    #[test]
    fn what_may_be_null_in_a_call_is_left_out_of_a_query() {
        let reference = json!({ "$ref": "#/components/schemas/A" });
        let nothing = json!({ "type": "null" });
        let schema = without_null(json!({ "anyOf": [reference, nothing], "description": "a" }));
        assert_eq!(schema, json!({ "$ref": "#/components/schemas/A", "description": "a" }));
        let schema = without_null(json!({ "type": ["string", "null"], "default": null }));
        assert_eq!(schema, json!({ "type": "string" }));
    }
}
