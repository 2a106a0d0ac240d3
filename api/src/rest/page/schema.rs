//! JSON schemas, for people.

use serde_json::Value;

use super::html::{escaped, inline, paragraphs};

/// A row of a table of parameters or fields.
pub(super) fn row(name: &Value, place: &str, schema: &Value, is_required: bool) -> String {
    let name = escaped(name.as_str().unwrap_or_default());
    let required = if is_required { "" } else { ", may be left out" };
    let about = inline(schema["description"].as_str().unwrap_or_default());
    let place = if place.is_empty() { String::new() } else { format!("<td>{place}</td>") };
    let type_ = type_of(schema);
    format!(
        "<tr><td><code>{name}</code></td>{place}<td>{type_}{required}</td><td>{about}</td></tr>\n"
    )
}

/// Rows under their headings; nothing if there are none. `place` heads a column of its own, if any.
pub(super) fn table(place: &str, rows: impl Iterator<Item = String>) -> String {
    let rows: String = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    let place = if place.is_empty() { String::new() } else { format!("<th>{place}</th>") };
    format!("<table>\n<tr><th>name</th>{place}<th>type</th><th></th></tr>\n{rows}</table>\n")
}

/// All that a schema says.
pub(super) fn section(schema: &Value) -> String {
    let mut html = paragraphs(schema["description"].as_str().unwrap_or_default());
    let required = schema["required"].as_array();
    let is_required =
        |name: &str| required.is_some_and(|required| required.iter().any(|it| it == name));
    let fields = schema["properties"].as_object().into_iter().flatten();
    let rows =
        fields.map(|(name, field)| row(&Value::String(name.clone()), "", field, is_required(name)));
    let rows = table("", rows);
    if rows.is_empty() {
        html.extend([format!("<p>{}</p>\n", type_of(schema))]);
    }
    html.push_str(&rows);
    html
}

/// What a value has to be, in few words, with links to documents.
pub(super) fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for (choice, word) in [("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[choice].as_array() {
            return parts.iter().map(type_of).collect::<Vec<_>>().join(word);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values =
            values.iter().map(|value| format!("<code>{}</code>", escaped(&value.to_string())));
        return values.collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escaped(&value.to_string()));
    }
    let name = |type_: &Value| match type_.as_str() {
        Some("array") => format!("list of {}", type_of(&schema["items"])),
        Some("object") => object(schema),
        Some(other) => other.to_owned(),
        None => String::new(),
    };
    match &schema["type"] {
        Value::Array(types) => types.iter().map(name).collect::<Vec<_>>().join(" or "),
        Value::Null => "anything".into(),
        one => name(one),
    }
}

fn object(schema: &Value) -> String {
    if let Some(fields) = schema["properties"].as_object() {
        let fields = fields.iter().map(|(name, field)| format!("{name}: {}", type_of(field)));
        return format!("{{{}}}", fields.collect::<Vec<_>>().join(", "));
    }
    match &schema["additionalProperties"] {
        values @ Value::Object(_) => format!("object of {}", type_of(values)),
        _ => "object".into(),
    }
}
