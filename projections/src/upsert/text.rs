//! Documents → text that Postgres stores.

use serde::Serialize;
use serde_json::Value;

/// A document as text. Postgres stores no NUL characters in text or jsonb, and an event must not
/// stop a projection for good: they become U+FFFD here. The event keeps them.
pub(super) fn json<T: Serialize>(row: &T) -> String {
    json_as_is(row).unwrap_or_else(|changed| changed)
}

/// The same; an error where the text says something else than the document.
pub(super) fn json_as_is<T: Serialize>(row: &T) -> Result<String, String> {
    let text = serde_json::to_string(row).expect("documents have only text as keys");
    if !text.contains("\\u0000") {
        return Ok(text);
    }
    let mut value = serde_json::from_str(&text).expect("the text was just made");
    replace_nul(&mut value);
    Err(value.to_string())
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) => *text = storable(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(map) => {
            let entries = std::mem::take(map);
            map.extend(entries.into_iter().map(|(key, mut value)| {
                replace_nul(&mut value);
                (storable(&key), value)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_postgres_refuses_are_replaced() {
        let row = serde_json::json!({"a\0": ["b\0", 1, {"c": "\\u0000"}]});
        assert_eq!(json(&row), r#"{"a�":["b�",1,{"c":"\\u0000"}]}"#);
    }
}
