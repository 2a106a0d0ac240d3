//! Names that people give.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: &'static str,
}

/// The name of a specification, a type or a pipeline, e.g. `text/words`: 1 to 253 characters of
/// `A-Z a-z 0-9 _ - . /`, starting and ending with a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// A namespace: 1 to 63 characters of `a-z 0-9 -`, as it is one token of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Arc<str>);

const NAME_RULE: &str = "use 1 to 253 characters of A-Z a-z 0-9 _ - . / with a letter or a digit at both ends, such as text/words";
const NAMESPACE_RULE: &str =
    "use 1 to 63 characters of a-z 0-9 - with a letter or a digit at both ends";

fn is_well_formed(text: &str, length_max: usize, inner: impl Fn(char) -> bool) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= length_max
        && text.chars().all(inner)
        && ends(text.chars().next())
        && ends(text.chars().last())
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        if is_well_formed(text, 253, inner) {
            Ok(Self(text.into()))
        } else {
            Err(NameError { what: "name", text: text.chars().take(80).collect(), rule: NAME_RULE })
        }
    }
}

impl FromStr for Namespace {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if is_well_formed(text, 63, inner) {
            Ok(Self(text.into()))
        } else {
            let text = text.chars().take(80).collect();
            Err(NameError { what: "namespace", text, rule: NAMESPACE_RULE })
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

macro_rules! text_like {
    ($($type:ty),*) => {$(
        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}
text_like!(Name, Namespace);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_namespaces_follow_their_rules() {
        for good in ["text/words", "a", "A.b_c-d/e9"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "/x", "x/", "a b", "ä", "x>y"] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert!("team-7".parse::<Namespace>().is_ok());
        for bad in ["", "Team", "a.b", "*", "-a"] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
    }
}
