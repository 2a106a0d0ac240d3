//! Parameters by name: what is missing, unknown or of another type is named.

use kantoku_domain::{ByName, nearest};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{ApiError, Code};

/// The parameters of a call; none are the same as an empty object.
pub(super) fn decode<P: DeserializeOwned>(params: Option<&RawValue>) -> Result<P, ApiError> {
    let text = params.map_or("{}", RawValue::get);
    if text.starts_with('[') {
        let message = "parameters are given by name, as in {\"id\": …}, not by position";
        return Err(ApiError::new(Code::InvalidParams, message));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(ByName(&mut deserializer)).map_err(|error| {
        let path = error.path().to_string();
        wrong(if path == "." { "" } else { &path }, &error.inner().to_string())
    })
}

/// The error of parameters that nobody may see: whole if it is about one of `safe`, whose errors quote
/// nothing; else it says no more than that they are wrong.
pub(super) fn unquoted(error: &ApiError, safe: &[&str]) -> ApiError {
    let is_safe = error.data.field.as_deref().is_some_and(|field| safe.contains(&field));
    if is_safe {
        return error.clone();
    }
    ApiError::new(
        Code::InvalidParams,
        "the parameters are not what they should be: one is unknown, or of another type; which and \
         how is not said, as it may hold what nobody may see. rpc.discover lists them",
    )
}

/// Serde tells which field it was in words only.
fn wrong(path: &str, reason: &str) -> ApiError {
    let mut quoted = reason.split('`').skip(1).step_by(2);
    let (field, message) = if let Some(rest) = reason.strip_prefix("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let advice = match (nearest(unknown, known.iter().copied()), rest.contains("no fields")) {
            (Some(meant), _) => format!("did you mean {meant:?}?"),
            (None, true) => "there are none".to_owned(),
            (None, false) => format!("there are {}", known.join(", ")),
        };
        (join(path, unknown), format!("there is no parameter {unknown:?}; {advice}"))
    } else if reason.starts_with("missing field") {
        let missing = quoted.next().unwrap_or_default();
        (join(path, missing), format!("parameter {missing:?} is missing"))
    } else {
        // The place in the text is of no use to who gave an object.
        let reason = reason.split(" at line ").next().unwrap_or(reason);
        (path.to_owned(), format!("parameter {path:?}: {reason}"))
    };
    ApiError::new(Code::InvalidParams, message).field(field)
}

/// The path of a field that serde may or may not have put at the end of its parent's.
fn join(path: &str, field: &str) -> String {
    if path.is_empty() || path == field || path.ends_with(&format!(".{field}")) {
        return if path.is_empty() { field.to_owned() } else { path.to_owned() };
    }
    format!("{path}.{field}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{CancelParams, NoParams, SpawnBatchParams, SpawnParams};

    #[track_caller]
    fn refused<P: DeserializeOwned>(params: &str) -> (Option<String>, String) {
        let raw: &RawValue = serde_json::from_str(params).expect("JSON");
        let Err(error) = decode::<P>(Some(raw)) else { panic!("{params} was taken") };
        assert_eq!(error.code, Code::InvalidParams);
        (error.data.field, error.message)
    }

    #[test]
    fn the_wrong_parameter_is_named_with_a_way_out() {
        let (field, message) = refused::<SpawnParams>(r#"{"specificaton": "a"}"#);
        assert_eq!(field.as_deref(), Some("specificaton"));
        assert_eq!(
            message,
            "there is no parameter \"specificaton\"; did you mean \"specification\"?"
        );
        let (field, message) = refused::<CancelParams>(r#"{"id": "a", "zzzzzzzzzzzz": 1}"#);
        assert_eq!(field.as_deref(), Some("zzzzzzzzzzzz"));
        assert_eq!(
            message,
            "there is no parameter \"zzzzzzzzzzzz\"; there are id, reason, cascade, \
             idempotency_key, namespace"
        );
        let (field, message) = refused::<SpawnParams>("{}");
        assert_eq!(field.as_deref(), Some("specification"));
        assert_eq!(message, "parameter \"specification\" is missing");
        let (field, _) = refused::<NoParams>(r#"{"a": 1}"#);
        assert_eq!(field.as_deref(), Some("a"));
    }

    #[test]
    fn deep_places_are_named() {
        let (field, message) = refused::<SpawnBatchParams>(
            r#"{"tasks": [{"specification": "a"}, {"specification": "a b"}]}"#,
        );
        assert_eq!(field.as_deref(), Some("tasks[1].specification"));
        assert!(message.contains("is not a valid name"), "{message}");
        let (field, message) =
            refused::<SpawnParams>(r#"{"specification": "a", "inputs": {"x": {"valeu": 1}}}"#);
        assert!(field.is_some_and(|field| field.starts_with("inputs.x")), "{message}");
        assert!(message.contains("`value`, `resource`, `secret`"), "{message}");
        let (field, _) =
            refused::<SpawnParams>(r#"{"specification": "a", "retry": {"atempts": 1}}"#);
        assert_eq!(field.as_deref(), Some("retry.atempts"));
    }

    #[test]
    fn lists_are_no_objects() {
        let (field, message) =
            refused::<SpawnParams>(r#"{"specification": "a", "retry": [3, "1s"]}"#);
        assert_eq!(field.as_deref(), Some("retry"));
        let expected =
            "parameter \"retry\": invalid type: a list, expected an object with attempts, ";
        assert!(message.starts_with(expected), "{message}");
        let (field, _) = refused::<SpawnBatchParams>(r#"{"tasks": [["a"]]}"#);
        assert_eq!(field.as_deref(), Some("tasks[0]"));
    }

    #[test]
    fn positions_are_refused_and_nothing_is_an_empty_object() {
        let (_, message) = refused::<CancelParams>(r#"["id"]"#);
        assert!(message.contains("by name"), "{message}");
        assert!(decode::<NoParams>(None).is_ok());
    }
}
