//! The `OpenRPC` document: <https://spec.open-rpc.org>.

use serde_json::{Map, Value, json};

use super::{ABOUT, Described, Description, Dialect, VERSION};
use crate::Code;

/// Version 1.3 of the specification, which has schemas of draft 7.
pub(super) fn document() -> Value {
    let description = Description::of(Dialect::Draft07);
    let methods = description.methods.iter().flat_map(|method| {
        let ending = method.notices.as_ref().map(|notices| ending(notices.unsubscribe));
        std::iter::once(described(&description, method)).chain(ending)
    });
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Kantoku",
            "version": VERSION,
            "description": format!("{ABOUT} Parameters are given by name; one that is not declared \
                is refused. POST a request or a batch to `/rpc`, or open a WebSocket there, which \
                subscriptions need."),
            "license": { "name": "Apache-2.0" },
        },
        "methods": methods.collect::<Vec<_>>(),
        "components": { "schemas": description.schemas, "errors": errors() },
    })
}

fn described(description: &Description, method: &Described) -> Value {
    let mut told = json!({
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": params(description, &method.params),
        "result": { "name": "answer", "schema": method.answer },
        "errors": references(),
    });
    if let Some(notices) = &method.notices {
        told["result"]["name"] = "subscription".into();
        // The specification has no word for notifications.
        told["x-notification"] = json!({
            "method": method.name,
            "params": { "subscription": { "type": "integer" }, "result": notices.item },
        });
        told["x-unsubscribe"] = notices.unsubscribe.into();
    }
    told
}

/// The method that ends a subscription.
fn ending(name: &str) -> Value {
    json!({
        "name": name,
        "summary": "Ends a subscription. The answer says whether there was one.",
        "paramStructure": "by-name",
        "params": [{
            "name": "subscription",
            "description": "What the call that began it was answered with.",
            "required": true,
            "schema": { "type": "integer", "format": "uint64", "minimum": 0 },
        }],
        "result": { "name": "ended", "schema": { "type": "boolean" } },
        "errors": references(),
    })
}

fn params(description: &Description, schema: &Value) -> Vec<Value> {
    let schema = description.resolve(schema);
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &String| required.is_some_and(|required| required.iter().any(|it| it == name));
    let mut params: Vec<Value> = properties
        .iter()
        .map(|(name, schema)| {
            let mut param = json!({ "name": name, "schema": schema });
            if let Some(text) = schema.get("description") {
                param["description"] = text.clone();
            }
            if is_required(name) {
                param["required"] = true.into();
            }
            param
        })
        .collect();
    // The specification wants those first that have to be given.
    params.sort_by_key(|param| param.get("required").is_none());
    params
}

/// The codes of the application, by their reasons.
fn errors() -> Map<String, Value> {
    let told = |code: Code| {
        let error = json!({
            "code": code.number(),
            "message": code.about(),
            "data": { "reason": code.reason(), "retryable": code.is_retryable() },
        });
        (code.reason().to_owned(), error)
    };
    Code::of_application().map(told).collect()
}

fn references() -> Vec<Value> {
    let reference =
        |code: Code| json!({ "$ref": format!("#/components/errors/{}", code.reason()) });
    Code::of_application().map(reference).collect()
}
