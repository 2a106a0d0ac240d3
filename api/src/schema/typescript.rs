//! The contract as types of TypeScript, for clients that run in browsers: `api/typescript`.
//!
//! Integers are `number`s there: positions and sizes are exact below 2⁵³.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Described, Description, Dialect};

const MEMORY: &str = "a text takes whatever is written";

const HEAD: &str = "\
// Made from the types of the server, and compared with them by its tests: not to be edited.
// KTK_WRITE_DOCS=1 makes it anew (docs/api/README.md).
";

/// The whole file.
pub(super) fn document() -> String {
    let description = Description::of(Dialect::Draft2020);
    let mut text = String::from(HEAD);
    for (name, schema) in &description.schemas {
        text.push('\n');
        push_doc(&mut text, schema.get("description"), "");
        writeln!(text, "export type {name} = {};", type_of(schema, "")).expect(MEMORY);
    }
    let (subscriptions, methods): (Vec<_>, Vec<_>) =
        description.methods.iter().partition(|method| method.notices.is_some());
    text.push_str("\n/** Every method that answers once: what it takes, and what it answers. */\n");
    text.push_str("export interface Methods {\n");
    for method in &methods {
        push_method(&mut text, &description, method, "answer", &method.answer);
    }
    text.push_str("}\n\n/** Every method that answers until it is told to stop. */\n");
    text.push_str("export interface Subscriptions {\n");
    let noticed = subscriptions.iter().filter_map(|it| it.notices.as_ref().map(|n| (it, n)));
    for (method, notices) in noticed {
        push_method(&mut text, &description, method, "item", &notices.item);
    }
    text.push_str(
        "}\n\n/** Methods that are about no namespace, or about one for each of their parts. */\n",
    );
    text.push_str("export const WITHOUT_NAMESPACE: ReadonlySet<string> = new Set([\n");
    for method in &description.methods {
        let params = description.resolve(&method.params).get("properties");
        if params.and_then(|params| params.get("namespace")).is_none() {
            writeln!(text, "  {:?},", method.name).expect(MEMORY);
        }
    }
    text.push_str("]);\n");
    text
}

fn push_method(
    text: &mut String,
    description: &Description,
    method: &Described,
    gives: &str,
    given: &Value,
) {
    writeln!(text, "  /** {} */", in_comment(&method.summary)).expect(MEMORY);
    let params = type_of(description.resolve(&method.params), "    ");
    let given = type_of(given, "    ");
    let name = method.name;
    writeln!(text, "  {name:?}: {{\n    params: {params};\n    {gives}: {given};\n  }};")
        .expect(MEMORY);
}

/// The type of what a schema describes. Lines behind the first are indented by `indent`.
fn type_of(schema: &Value, indent: &str) -> String {
    let Some(object) = schema.as_object() else {
        return if schema == &Value::Bool(false) { "never" } else { "unknown" }.into();
    };
    let mut parts = Vec::new();
    if let Some(name) = object.get("$ref").and_then(Value::as_str) {
        parts.push(name.rsplit('/').next().unwrap_or(name).to_owned());
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(of) = object.get(key).and_then(Value::as_array) {
            parts.push(union(of.iter().map(|schema| type_of(schema, indent)), indent));
        }
    }
    let all = object.get("allOf").and_then(Value::as_array);
    parts.extend(all.into_iter().flatten().map(|schema| type_of(schema, indent)));
    if let Some(value) = object.get("const") {
        parts.push(value.to_string());
    } else if let Some(values) = object.get("enum").and_then(Value::as_array) {
        parts.push(union(values.iter().map(Value::to_string), indent));
    } else {
        match object.get("type") {
            Some(Value::String(name)) => parts.push(named(name, object, indent)),
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                parts.push(union(names.map(|name| named(name, object, indent)), indent));
            }
            _ if object.contains_key("properties") => parts.push(fields(object, indent)),
            _ => {}
        }
    }
    match parts.as_slice() {
        [] => "unknown".into(),
        [one] => one.clone(),
        many => {
            let whole =
                |part: &String| if part.contains('|') { format!("({part})") } else { part.clone() };
            many.iter().map(whole).collect::<Vec<_>>().join(" & ")
        }
    }
}

/// The type that JSON Schema calls `name`.
fn named(name: &str, object: &Map<String, Value>, indent: &str) -> String {
    match name {
        "integer" | "number" => "number".into(),
        "array" => {
            if let Some(items) = object.get("prefixItems").and_then(Value::as_array) {
                let items: Vec<_> = items.iter().map(|item| type_of(item, indent)).collect();
                format!("[{}]", items.join(", "))
            } else {
                let items =
                    object.get("items").map_or_else(|| "unknown".into(), |it| type_of(it, indent));
                format!("Array<{items}>")
            }
        }
        "object" => fields(object, indent),
        other => other.to_owned(),
    }
}

fn fields(object: &Map<String, Value>, indent: &str) -> String {
    let none = Map::new();
    let properties = object.get("properties").and_then(Value::as_object).unwrap_or(&none);
    if properties.is_empty() {
        return match object.get("additionalProperties") {
            Some(Value::Bool(false)) => "Record<string, never>".into(),
            Some(schema) => format!("Record<string, {}>", type_of(schema, indent)),
            None => "Record<string, unknown>".into(),
        };
    }
    let required = object.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|it| it == name));
    let inner = format!("{indent}  ");
    let mut text = String::from("{\n");
    for (name, schema) in properties {
        push_doc(&mut text, schema.get("description"), &inner);
        let mark = if is_required(name) { "" } else { "?" };
        writeln!(text, "{inner}{}{mark}: {};", key(name), type_of(schema, &inner)).expect(MEMORY);
    }
    text.push_str(indent);
    text.push('}');
    text
}

/// The name of a field, quoted unless it is a name of the language.
fn key(name: &str) -> String {
    let mut chars = name.chars();
    let is_plain = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|next| next.is_ascii_alphanumeric() || next == '_');
    if is_plain { name.to_owned() } else { format!("{name:?}") }
}

fn union(parts: impl Iterator<Item = String>, indent: &str) -> String {
    let mut different: Vec<String> = Vec::new();
    for part in parts {
        if !different.contains(&part) {
            different.push(part);
        }
    }
    if different.iter().map(String::len).sum::<usize>() < 90 {
        return different.join(" | ");
    }
    different.iter().fold(String::new(), |text, part| format!("{text}\n{indent}  | {part}"))
}

fn push_doc(text: &mut String, description: Option<&Value>, indent: &str) {
    if let Some(description) = description.and_then(Value::as_str) {
        writeln!(text, "{indent}/** {} */", in_comment(description)).expect(MEMORY);
    }
}

/// On one line, and without an end of the comment.
fn in_comment(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "*\u{200b}/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::assert_committed;

    #[test]
    fn the_committed_types_are_those_of_the_contract() {
        assert_committed("api/typescript/src/contract.ts", &document());
    }

    #[test]
    fn names_are_names_of_the_language() {
        let description = Description::of(Dialect::Draft2020);
        let odd: Vec<_> = description.schemas.keys().filter(|name| key(name) != **name).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }

    #[test]
    fn each_schema_is_the_type_that_it_stands_for() {
        let cases = [
            (json!(true), "unknown"),
            (json!({}), "unknown"),
            (json!({"$ref": "#/components/schemas/Id"}), "Id"),
            (json!({"type": ["integer", "null"]}), "number | null"),
            (json!({"type": ["integer", "number"]}), "number"),
            (json!({"const": "noop", "type": "string"}), "\"noop\""),
            (json!({"enum": ["a", 1]}), "\"a\" | 1"),
            (json!({"type": "array", "items": {"type": "string"}}), "Array<string>"),
            (
                json!({"type": "array", "prefixItems": [{"type": "string"}, {}]}),
                "[string, unknown]",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
                "Record<string, boolean>",
            ),
            (
                json!({"type": "object", "properties": {"a": {}, "b-c": {"type": "null"}}, "required": ["a"]}),
                "{\n  a: unknown;\n  \"b-c\"?: null;\n}",
            ),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "null"}], "type": "object", "properties": {"a": {}}}),
                "(string | null) & {\n  a?: unknown;\n}",
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(type_of(&schema, ""), expected, "{schema}");
        }
    }
}
