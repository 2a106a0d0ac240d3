//! Secrets: what they are called, and what they are.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The name of a secret within its namespace, e.g. `db-password`: 1 to 100 characters of
/// `A-Z a-z 0-9 _ - .`, starting and ending with a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(Arc<str>);

/// Why a text is no name of a secret. It does not show the text: who mistook the one for the other
/// may have written the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "what names the secret is no name of one (and not shown, should it be the value): use 1 to 100 \
     characters of A-Z a-z 0-9 _ - . with a letter or a digit at both ends, such as db-password"
)]
pub struct SecretNameError;

impl SecretName {
    /// How long a name may be.
    pub const BYTES_MAX: usize = 100;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands wherever the value would have stood: `[secret db-password]`.
    pub fn label(&self) -> String {
        format!("[secret {self}]")
    }
}

impl FromStr for SecretName {
    type Err = SecretNameError;

    fn from_str(text: &str) -> Result<Self, SecretNameError> {
        let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
        let bytes = text.as_bytes();
        let ends = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
        let is_name = bytes.len() <= Self::BYTES_MAX
            && bytes.iter().copied().all(inner)
            && ends(bytes.first())
            && ends(bytes.last());
        if is_name { Ok(Self(text.into())) } else { Err(SecretNameError) }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unshown(text) = Unshown::read(deserializer, &SecretNameError)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for SecretName {
    fn schema_name() -> Cow<'static, str> {
        "SecretName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of a secret within its namespace, e.g. `db-password`.",
            "pattern": "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?$",
        })
    }
}

/// What a secret is: a text of 8 characters to 64 KiB. It is never shown, and its memory is cleared.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

/// Why a text cannot be a secret. It says nothing of what the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretValueError {
    /// It is no text at all.
    #[error("a secret is a text of 8 characters to 65536 bytes")]
    NoText,
    /// What is shorter stands in too many texts by chance to be recognised there.
    #[error(
        "a secret has at least 8 characters: a shorter one could not be kept out of logs and errors"
    )]
    Short,
    /// It is too long.
    #[error("a secret has at most 65536 bytes")]
    Long,
}

impl SecretValue {
    /// How short a secret may be; one that is given has as many characters.
    pub const BYTES_MIN: usize = 8;
    /// How long.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// `text` as a secret; an error if it is too short or too long.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretValueError> {
        let text = Zeroizing::new(text.into());
        match text.len() {
            0..Self::BYTES_MIN => Err(SecretValueError::Short),
            Self::BYTES_MIN..=Self::BYTES_MAX => Ok(Self(text)),
            _ => Err(SecretValueError::Long),
        }
    }

    /// The text itself, for what seals it, and for the task that it is meant for. For nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(not shown)")
    }
}

/// Over the wire, to the server that seals it.
impl Serialize for SecretValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unshown(text) = Unshown::read(deserializer, &SecretValueError::NoText)?;
        // Schemas count characters. Those that were sealed by their bytes can still be opened.
        let is_short = text.chars().count() < Self::BYTES_MIN;
        let value = Self::new(text).map_err(de::Error::custom)?;
        if is_short { Err(de::Error::custom(SecretValueError::Short)) } else { Ok(value) }
    }
}

impl JsonSchema for SecretValue {
    fn schema_name() -> Cow<'static, str> {
        "SecretValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "What the secret is: 8 characters to 65536 bytes. No answer ever holds it.",
            "minLength": Self::BYTES_MIN,
            "maxLength": Self::BYTES_MAX,
            "writeOnly": true,
        })
    }
}

/// A text, read so that no error tells what stood there, if it was none.
struct Unshown(String);

impl Unshown {
    /// Reads a text; `wrong` is the error for anything else.
    fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        wrong: &dyn fmt::Display,
    ) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(UnshownVisitor)?;
        text.map(Self).ok_or_else(|| de::Error::custom(wrong))
    }
}

/// Takes anything: serde's own errors would quote what they did not expect.
struct UnshownVisitor;

impl<'de> Visitor<'de> for UnshownVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn names_follow_their_rule_and_errors_do_not_quote_them() {
        for good in ["db-password", "a", "A.b_c-d..9"] {
            assert_eq!(from_value::<SecretName>(json!(good)).expect(good).as_str(), good);
        }
        for bad in ["", "-a", "a/b", "pass word", "hunter2!"] {
            let error = from_value::<SecretName>(json!(bad)).expect_err(bad).to_string();
            assert!(!error.contains("hunter2") && error.contains("such as"), "{error}");
        }
        assert!("a".repeat(SecretName::BYTES_MAX + 1).parse::<SecretName>().is_err());
    }

    #[test]
    fn values_have_bounds_and_are_not_shown() {
        let read = |value: Value| from_value::<SecretValue>(value);
        let good = read(json!("hunter2hunter2")).expect("long enough");
        assert_eq!(good.expose(), "hunter2hunter2");
        assert!(!format!("{good:?}").contains("hunter2"));
        let long = "hunter2".repeat(SecretValue::BYTES_MAX);
        for wrong in [
            json!("hunter2"),
            json!("hüntér2"),
            json!(long),
            json!(["hunter2hunter2"]),
            json!({"hunter2": "hunter2"}),
            json!(98_765_432_198_765_432_u64),
            json!(-98_765_432_198_765_432_i64),
            json!(98_765_432_198.5),
            json!(null),
            json!(true),
        ] {
            let error = read(wrong).expect_err("wrong").to_string();
            assert!(!error.contains("hunter2") && !error.contains("987"), "{error}");
            assert!(error.starts_with("a secret"), "{error}");
        }
    }
}
