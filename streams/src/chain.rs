//! A chain of hashes over events: who changes one, leaves one out or adds one changes every link
//! after it.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A link: the hash of the link before it, followed by the line of an event without its newline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain([u8; 32]);

impl Chain {
    /// What stands before the first event: 32 bytes of zero.
    pub const START: Self = Self([0; 32]);

    /// The link of the event whose line is `line`.
    #[must_use]
    pub fn next(self, line: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(line.as_bytes());
        Self(hash.finalize().into())
    }
}

/// As 64 hexadecimal digits.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Chain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no link of a chain: it has 64 hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return Err(wrong());
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl JsonSchema for Chain {
    fn schema_name() -> Cow<'static, str> {
        "Chain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A link of the chain over events, as hexadecimal digits.",
            "type": "string",
            "pattern": "^[0-9a-fA-F]{64}$",
        })
    }
}

impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_hash_of_the_one_before_it_and_the_line() {
        // printf '%064d{"n":1}' 0 with the zeros as bytes, through sha256sum.
        let first = Chain::START.next("{\"n\":1}");
        let expected: [u8; 32] = Sha256::digest([&[0; 32][..], b"{\"n\":1}"].concat()).into();
        assert_eq!(first, Chain(expected));
        assert_ne!(first.next("{\"n\":2}"), Chain::START.next("{\"n\":2}"));
    }

    #[test]
    fn it_is_written_in_hexadecimal_digits_and_read_back() {
        assert_eq!(Chain::START.to_string(), "0".repeat(64));
        let link = Chain::START.next("a");
        assert_eq!(link.to_string().parse(), Ok(link));
        let json = serde_json::to_string(&link).unwrap();
        assert_eq!(serde_json::from_str::<Chain>(&json).unwrap(), link);
        for wrong in ["", "00", &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)] {
            assert!(wrong.parse::<Chain>().is_err(), "{wrong}");
        }
    }
}
