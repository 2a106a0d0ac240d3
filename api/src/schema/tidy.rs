//! What the types say, as readers of documents need it.

use schemars::Schema;
use serde_json::{Value, json};

use super::merge::referred;

/// Writes the description for people, and the limits of numbers that a format only names.
pub(super) fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = prose(text);
    }
    let (min, max) = match object.get("format").and_then(Value::as_str) {
        Some("uint64") => (json!(0), json!(u64::MAX)),
        Some("uint32") => (json!(0), json!(u32::MAX)),
        Some("uint") => (json!(0), json!(usize::MAX)),
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        _ => return,
    };
    object.entry("minimum").or_insert(min);
    object.entry("maximum").or_insert(max);
}

/// A doc comment without the links of rustdoc, each paragraph on one line.
pub(super) fn prose(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim);
    let mut joined = lines.fold(String::new(), |mut joined, line| {
        if line.is_empty() {
            joined.push_str("\n\n");
        } else {
            if !joined.is_empty() && !joined.ends_with('\n') {
                joined.push(' ');
            }
            joined.push_str(line);
        }
        joined
    });
    while let Some(start) = joined.find("[`") {
        let Some(end) = joined[start..].find("`]").map(|end| start + end) else { break };
        let after = &joined[end + 2..];
        let target = after.strip_prefix('(').and_then(|rest| rest.find(')')).map_or(0, |at| at + 2);
        let name = joined[start + 1..=end].to_owned();
        joined.replace_range(start..end + 2 + target, &name);
    }
    joined
}

/// Whether a method answers with parts of documents if it is told to.
pub(super) fn selects_fields(params: &Value) -> bool {
    params.pointer("/properties/fields").is_some()
}

/// A page of documents, or of parts of them.
pub(super) fn of_parts(answer: Value) -> Value {
    let name = answer.get("$ref").and_then(Value::as_str).and_then(referred);
    if !name.is_some_and(|name| name.starts_with("PageOf")) {
        return answer;
    }
    let parts = json!({
        "description": "What comes of `fields`: these of each document.",
        "type": "object",
        "properties": {
            "items": { "type": "array", "items": { "type": "object" } },
            "next_cursor": { "type": ["string", "null"] },
            "as_of_seq": { "type": "integer", "format": "uint64", "minimum": 0 },
        },
        "required": ["items", "next_cursor", "as_of_seq"],
    });
    json!({ "anyOf": [answer, parts] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_has_no_links_of_rustdoc_and_keeps_paragraphs() {
        assert_eq!(
            prose(" At most [`MAX`](a::MAX), or\n [`Other`].\n\n Next `[x]`.\n"),
            "At most `MAX`, or `Other`.\n\nNext `[x]`."
        );
        assert_eq!(prose(" left [`open"), "left [`open");
    }
}
