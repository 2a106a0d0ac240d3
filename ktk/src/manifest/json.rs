//! Single values: JSON on a command line, and files that hold one document.

use serde_json::Value;

use super::yaml::parse;

/// A value written as JSON, on a command line. Numbers that would lose digits are refused.
pub(crate) fn read_json(text: &str) -> Result<Value, String> {
    // Strictly JSON, so that a text whose quotes the shell has taken is no text by accident.
    serde_json::from_str::<Value>(text).map_err(|error| {
        format!("this is no JSON: {error}; a text in it needs quotes: '\"text\"'")
    })?;
    let (mut documents, findings) = parse(&format!("{{\"value\": {text}\n}}"));
    if let Some(finding) = findings.first() {
        return Err(finding.message.clone());
    }
    let value =
        documents.pop().and_then(|(mut document, _)| document.get_mut("value").map(Value::take));
    value.ok_or_else(|| "this is no JSON".to_owned())
}

/// The one document of a text.
pub(crate) fn read_document(text: &str) -> Result<Value, String> {
    let (mut documents, findings) = parse(text);
    if let Some(finding) = findings.first() {
        let place = finding.place.map(|place| format!("{}:{}: ", place.line, place.column));
        return Err(format!("{}{}", place.unwrap_or_default(), finding.message));
    }
    match (documents.pop(), documents.is_empty()) {
        (Some((document, _)), true) => Ok(document),
        (None, _) => Err("there is no document".into()),
        (Some(_), false) => Err("there is more than one document".into()),
    }
}
