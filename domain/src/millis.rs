//! Durations, as people write them.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::by_name::whole;

/// A duration in whole milliseconds, written as `250ms`, `1s`, `5m`, `2h`, `1d`, or a number of
/// milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// As std has it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let advice =
            || format!("{text:?} is not a duration; write a number and ms, s, m, h or d: 1.5s");
        let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(advice)?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.trim().parse().map_err(|_| advice())?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(advice)?;
        let millis = (number * *factor as f64).round();
        if (0.0..=1e15).contains(&millis) { Ok(Self(millis as u64)) } else { Err(advice()) }
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |factor: &u64| self.0 >= *factor && self.0.is_multiple_of(*factor);
        let (unit, factor) =
            UNITS.iter().rev().find(|(_, factor)| exact(factor)).unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Millis;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 1s, or milliseconds")
            }
            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Millis, E> {
                Ok(Millis(millis))
            }
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Millis, E> {
                u64::try_from(millis).map(Millis).map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Millis, E> {
                match whole(number) {
                    Some(number) => self.visit_i64(number),
                    None => Err(E::invalid_value(de::Unexpected::Float(number), &self)),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Millis, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [("250ms", 250), ("1s", 1_000), ("1.5s", 1_500), ("2h", 7_200_000)] {
            assert_eq!(text.parse(), Ok(Millis(millis)));
        }
        assert_eq!(Millis(90_000).to_string(), "90s");
        assert_eq!(Millis(0).to_string(), "0ms");
        assert!("soon".parse::<Millis>().is_err());
        assert!("-1s".parse::<Millis>().is_err());
    }
}
