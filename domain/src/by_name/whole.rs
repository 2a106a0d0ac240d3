//! Whole numbers, however they are written: JSON Schema calls `7.0` and `7e0` integers, too.

use std::fmt;

use serde::de::{Error, Visitor};

/// Beyond this, numbers with a point skip whole ones.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The whole number that `number` is, if it is one for sure.
pub(crate) fn whole(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    is_whole.then_some(number as i64)
}

/// A visitor of a whole number.
pub(super) struct Whole<V>(pub(super) V);

/// Hands values through.
macro_rules! visit {
    ($($method:ident $type:ty)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Whole<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visit! {
        visit_i8 i8 visit_i16 i16 visit_i32 i32 visit_i64 i64 visit_i128 i128
        visit_u8 u8 visit_u16 u16 visit_u32 u32 visit_u64 u64 visit_u128 u128
        visit_str &str
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V::Value, E> {
        match whole(number) {
            Some(number) => match u64::try_from(number) {
                Ok(number) => self.0.visit_u64(number),
                Err(_) => self.0.visit_i64(number),
            },
            None => self.0.visit_f64(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use crate::{Millis, by_name, restart::VersionPolicy};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Numbers {
        small: u8,
        below: i32,
        share: f64,
        time: Millis,
        version: VersionPolicy,
    }

    fn read(name: &str, number: f64) -> Result<Numbers, String> {
        let mut value =
            json!({ "small": 1, "below": -1, "share": 0.5, "time": 1000, "version": 2 });
        value[name] = Value::from(number);
        by_name(&value).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn whole_numbers_may_have_a_point() {
        assert_eq!(read("small", 7.0).expect("whole").small, 7);
        assert_eq!(read("below", -7.0).expect("whole").below, -7);
        assert_eq!(read("share", 7.0).expect("a number").share.to_string(), "7");
        assert_eq!(read("time", 7e3).expect("whole").time, Millis(7_000));
        assert_eq!(read("version", 3.0).expect("whole").version, VersionPolicy::Number(3));
    }

    #[test]
    fn what_is_not_whole_or_too_large_is_refused() {
        for (name, number) in [
            ("small", 7.5),
            ("small", 256.0),
            ("small", -1.0),
            ("time", 0.5),
            ("time", -1.0),
            ("version", 1e17),
        ] {
            assert!(read(name, number).is_err(), "{name}: {number}");
        }
    }
}
