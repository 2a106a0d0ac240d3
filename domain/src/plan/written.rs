//! Inputs of steps, as they are written.

use serde_json::{Map, Value};

use crate::{Reference, SecretName, SecretNameError, binding::SECRET_TAKES_NO_SCRIPT};

/// An input of a step as written.
pub(super) enum Written {
    Literal(Value),
    Secret(SecretName),
    Edge { from: Reference, map: Option<String> },
}

/// What stands beside a reference or a literal, and means something there.
const WORDS: [&str; 4] = ["from", "map", "secret", "value"];

/// `$ref`, `{from, map}`, `{value}`, `{secret}`, or a literal.
pub(super) fn read_input(value: &Value) -> Result<Written, String> {
    match value {
        Value::String(text) if Reference::is_meant(text) => {
            Ok(Written::Edge { from: Reference::parse(text)?, map: None })
        }
        Value::String(text) if text.starts_with("$$") => Ok(Written::Literal(text[1..].into())),
        Value::Object(map) if map.len() == 1 && map.contains_key("value") => {
            Ok(Written::Literal(map["value"].clone()))
        }
        Value::Object(map) if map.contains_key("secret") && keys_are(map, &WORDS) => {
            if map.contains_key("map") {
                return Err(SECRET_TAKES_NO_SCRIPT.into());
            }
            match &map["secret"] {
                _ if map.len() > 1 => {
                    Err("write {secret: NAME} alone, or {value: …} for a literal".into())
                }
                Value::String(name) => Ok(Written::Secret(
                    name.parse().map_err(|error: SecretNameError| error.to_string())?,
                )),
                _ => Err("a secret is named by a text; {value: {secret: …}} is a literal".into()),
            }
        }
        Value::Object(map) if map.contains_key("from") => {
            if let Some(key) = map.keys().find(|key| !matches!(key.as_str(), "from" | "map")) {
                return Err(format!(
                    "{key:?} does not belong beside from; write {{from, map}}, or {{value: …}} for a literal"
                ));
            }
            let text = |key: &str| match map.get(key) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(_) => Err(format!("{key} is not a text")),
            };
            let from = text("from")?.unwrap_or_default();
            Ok(Written::Edge { from: Reference::parse(&from)?, map: text("map")? })
        }
        literal => Ok(Written::Literal(literal.clone())),
    }
}

fn keys_are(map: &Map<String, Value>, words: &[&str]) -> bool {
    map.keys().all(|key| words.contains(&key.as_str()))
}
