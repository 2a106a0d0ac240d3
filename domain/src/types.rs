//! The types of inputs and outputs, and whether a value is of one.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::{Millis, Name, Problem, SecretName, Timestamp};

/// A type, written as `string`, `{array: string}`, `{struct: {name: string, age: {optional:
/// number}}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Any JSON number.
    Number,
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// Named fields; others are allowed and kept.
    Struct(BTreeMap<String, Type>),
    /// Any number of one type.
    Array(Box<Type>),
    /// Any keys to one type.
    Map(Box<Type>),
    /// Bytes, as base64 text (RFC 4648, padded).
    Binary,
    /// `250ms`, `1s`, `5m`, or a number of milliseconds.
    Duration,
    /// RFC 3339 text.
    Timestamp,
    /// A named type. Replaced by its definition when a specification is applied.
    Ref(Name),
    /// The type, or nothing: a field or an input that may be missing or null.
    Optional(Box<Type>),
    /// Anything.
    #[default]
    Unknown,
}

/// Where a value is not what its type says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: expected {expected}, got {found}")]
pub struct TypeError {
    /// `JSONPath` of the place, `$` for the value itself.
    pub path: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Type {
    /// How deep a type may nest.
    pub const DEPTH_MAX: usize = 32;

    /// Whether `value` is of this type; if not, the first place that is not.
    pub fn check(&self, value: &Value) -> Result<(), TypeError> {
        self.check_at(value, &Path::Root)
    }

    fn check_at(&self, value: &Value, path: &Path<'_>) -> Result<(), TypeError> {
        let ok = match (self, value) {
            (Self::Unknown, _)
            | (Self::Number, Value::Number(_))
            | (Self::String, Value::String(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Optional(_), Value::Null) => true,
            (Self::Optional(inner), _) => return inner.check_at(value, path),
            (Self::Struct(fields), Value::Object(map)) => {
                for (name, type_) in fields {
                    let field = map.get(name).unwrap_or(&Value::Null);
                    type_.check_at(field, &Path::Key(path, name))?;
                }
                true
            }
            (Self::Array(item), Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    item.check_at(value, &Path::Index(path, index))?;
                }
                true
            }
            (Self::Map(item), Value::Object(map)) => {
                for (key, value) in map {
                    item.check_at(value, &Path::Key(path, key))?;
                }
                true
            }
            (Self::Binary, Value::String(text)) => is_base64(text),
            (Self::Duration, Value::String(text)) => text.parse::<Millis>().is_ok(),
            (Self::Duration, Value::Number(millis)) => millis.is_u64(),
            (Self::Timestamp, Value::String(text)) => text.parse::<Timestamp>().is_ok(),
            _ => false,
        };
        if ok {
            return Ok(());
        }
        Err(TypeError { path: path.to_string(), expected: self.to_string(), found: found(value) })
    }

    /// Whether every value of `self` may stand where `target` is asked for. `unknown` on either
    /// side says yes: the value itself is checked when it is there.
    pub fn fits(&self, target: &Self) -> bool {
        match (self, target) {
            // Binary and timestamps travel as text.
            (Self::Unknown, _)
            | (_, Self::Unknown)
            | (Self::Binary | Self::Timestamp, Self::String) => true,
            (Self::Optional(from), Self::Optional(to)) => from.fits(to),
            (_, Self::Optional(to)) => self.fits(to),
            (Self::Array(from), Self::Array(to)) | (Self::Map(from), Self::Map(to)) => {
                from.fits(to)
            }
            (Self::Struct(from), Self::Struct(to)) => to.iter().all(|(name, to)| {
                from.get(name).map_or(matches!(to, Self::Optional(_)), |from| from.fits(to))
            }),
            (Self::Struct(from), Self::Map(to)) => from.values().all(|from| from.fits(to)),
            (from, to) => from == to,
        }
    }

    /// The problem with giving an input of this type the secret `name`, which is a text.
    pub(crate) fn secret_problem(&self, name: &SecretName, path: &[&str]) -> Option<Problem> {
        // Whether it is the text of such a value shows when it is resolved.
        let may_be = |type_: &Self| {
            matches!(type_, Self::Binary | Self::Duration | Self::Timestamp)
                || Self::String.fits(type_)
        };
        let inner = match self {
            Self::Optional(inner) => inner,
            type_ => type_,
        };
        let problem = || {
            let what = format!("secret {name} is a string, and the input is {self}");
            Problem::new(path, what).suggest(Some("declare the input as string".into()))
        };
        (!may_be(inner)).then(problem)
    }

    /// Whether an input of this type may be left out.
    pub const fn is_optional(&self) -> bool {
        matches!(self, Self::Optional(_) | Self::Unknown)
    }

    /// The names of the types that this one refers to.
    pub fn references(&self) -> Vec<&Name> {
        match self {
            Self::Ref(name) => vec![name],
            Self::Array(inner) | Self::Map(inner) | Self::Optional(inner) => inner.references(),
            Self::Struct(fields) => fields.values().flat_map(Self::references).collect(),
            _ => vec![],
        }
    }

    /// This type with every reference replaced by what `lookup` knows (definitions there hold no
    /// references any more). The names that it does not know are the error.
    pub fn resolve(&self, lookup: &impl Fn(&Name) -> Option<Self>) -> Result<Self, Name> {
        let boxed = |inner: &Self| inner.resolve(lookup).map(Box::new);
        Ok(match self {
            Self::Ref(name) => lookup(name).ok_or_else(|| name.clone())?,
            Self::Array(inner) => Self::Array(boxed(inner)?),
            Self::Map(inner) => Self::Map(boxed(inner)?),
            Self::Optional(inner) => Self::Optional(boxed(inner)?),
            Self::Struct(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|(name, type_)| Ok((name.clone(), type_.resolve(lookup)?)))
                    .collect::<Result<_, Name>>()?,
            ),
            plain => plain.clone(),
        })
    }

    /// How deep this type nests; 1 for a plain one.
    pub fn depth(&self) -> usize {
        1 + match self {
            Self::Array(inner) | Self::Map(inner) | Self::Optional(inner) => inner.depth(),
            Self::Struct(fields) => fields.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Boolean => f.write_str("boolean"),
            Self::Binary => f.write_str("binary"),
            Self::Duration => f.write_str("duration"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Unknown => f.write_str("unknown"),
            Self::Ref(name) => write!(f, "ref {name}"),
            Self::Array(inner) => write!(f, "array of {inner}"),
            Self::Map(inner) => write!(f, "map of {inner}"),
            Self::Optional(inner) => write!(f, "optional {inner}"),
            Self::Struct(fields) => {
                f.write_str("struct {")?;
                for (index, (name, type_)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {type_}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// What `value` is, for an error: its kind, and itself when it is short.
fn found(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "nothing".into(),
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let text = value.to_string();
    if text.len() <= 40 { format!("{kind} {text}") } else { kind.into() }
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// Where the check is, as a list on the stack: nothing is allocated unless it fails.
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn type_of(json: Value) -> Type {
        serde_json::from_value(json).expect("a type")
    }

    #[test]
    fn a_wrong_value_is_located() {
        let people = type_of(
            json!({"array": {"struct": {"name": "string", "age": {"optional": "number"}}}}),
        );
        assert_eq!(
            people.check(&json!([{"name": "a"}, {"name": "b", "age": 3, "more": 1}])),
            Ok(())
        );
        let error = people.check(&json!([{"name": "a"}, {"name": 7}])).expect_err("7 is no name");
        assert_eq!(error.to_string(), "$[1].name: expected string, got number 7");
        let error = people.check(&json!([{}])).expect_err("no name");
        assert_eq!(error.to_string(), "$[0].name: expected string, got nothing");
    }

    #[test]
    fn special_texts_are_checked() {
        assert!(Type::Binary.check(&json!("aGk=")).is_ok());
        assert!(Type::Binary.check(&json!("a===")).is_err());
        assert!(Type::Duration.check(&json!("5m")).is_ok());
        assert!(Type::Duration.check(&json!("soon")).is_err());
        assert!(Type::Timestamp.check(&json!("2026-11-24T00:00:00Z")).is_ok());
        assert!(Type::Timestamp.check(&json!("yesterday")).is_err());
    }

    #[test]
    fn edges_fit_or_do_not() {
        let words = type_of(json!({"array": "string"}));
        assert!(words.fits(&words));
        assert!(words.fits(&Type::Unknown));
        assert!(Type::Unknown.fits(&words));
        assert!(!Type::String.fits(&words));
        let wide = type_of(json!({"struct": {"a": "number", "b": "string"}}));
        let narrow = type_of(json!({"struct": {"a": "number", "c": {"optional": "string"}}}));
        assert!(wide.fits(&narrow));
        assert!(!narrow.fits(&wide));
    }
}
