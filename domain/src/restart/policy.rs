//! What a restart is asked for.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::by_name::whole;

/// What becomes of the outputs of a task that is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputPolicy {
    /// They pass to the successor: whoever waits for them waits on. Only what was never resolved
    /// can be reused.
    #[default]
    Reuse,
    /// The successor has fresh ones, and whoever read the old ones runs again on them.
    Reallocate,
}

/// Which version of its specification the successor has. Written `same`, `latest`, or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VersionPolicy {
    /// The one that the task has.
    #[default]
    Same,
    /// The latest when the restart is decided.
    Latest,
    /// This one, 1 for the first.
    Number(u64),
}

impl fmt::Display for OutputPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for OutputPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reuse" => Ok(Self::Reuse),
            "reallocate" => Ok(Self::Reallocate),
            _ => Err(format!("{text:?} is neither reuse nor reallocate")),
        }
    }
}

impl fmt::Display for VersionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("same"),
            Self::Latest => f.write_str("latest"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for VersionPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "same" => Ok(Self::Same),
            "latest" => Ok(Self::Latest),
            number => number.parse().map(Self::Number).map_err(|_| {
                format!("{text:?} is no version: write same, latest, or the number of a version")
            }),
        }
    }
}

impl Serialize for VersionPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            word => serializer.collect_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for VersionPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = VersionPolicy;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("same, latest, or the number of a version")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<VersionPolicy, E> {
                Ok(VersionPolicy::Number(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<VersionPolicy, E> {
                u64::try_from(number).map(VersionPolicy::Number).map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<VersionPolicy, E> {
                match whole(number) {
                    Some(number) => self.visit_i64(number),
                    None => Err(E::invalid_value(de::Unexpected::Float(number), &self)),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<VersionPolicy, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
