//! Numbers compared as the decimals that they are written as: as Postgres compares what it stores.

use std::cmp::Ordering;

use serde_json::Number;

/// A number as a sign, its digits without zeros at either end, and the place of the point: it is
/// `0.DIGITS` times ten to the `exponent`.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn of(number: &Number) -> Self {
        let text = number.to_string();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(zeros, |last| last + 1);
        let digits = digits[zeros..end].to_vec();
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        let power: i64 = power.parse().unwrap_or(0);
        Self { negative, digits, exponent: power + whole.len() as i64 - zeros as i64 }
    }

    /// Without the sign.
    fn size(&self, other: &Self) -> Ordering {
        let nothing = self.digits.is_empty().cmp(&other.digits.is_empty()).reverse();
        nothing
            .then_with(|| self.exponent.cmp(&other.exponent))
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

/// How two numbers stand to each other.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    let (a, b) = (Decimal::of(a), Decimal::of(b));
    match (a.negative, b.negative) {
        (false, false) => a.size(&b),
        (true, true) => b.size(&a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_what_is_written() {
        let ordered = [
            "-1e300",
            "-18446744073709551615",
            "-1.5",
            "-1",
            "-0.1",
            "-1e-300",
            "0",
            "5e-324",
            "0.09",
            "0.1",
            "0.10000000000000002",
            "1",
            "9.99",
            "10",
            "9007199254740991",
            "9007199254740993",
            "18446744073709551615",
            "1e20",
            "1e300",
        ];
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        for (at, a) in ordered.iter().enumerate() {
            for (beside, b) in ordered.iter().enumerate() {
                assert_eq!(compare(&number(a), &number(b)), at.cmp(&beside), "{a} {b}");
            }
        }
        for (a, b) in [("0", "-0.0"), ("1", "1.0"), ("100", "1e2"), ("-0.5", "-5e-1")] {
            assert_eq!(compare(&number(a), &number(b)), Ordering::Equal, "{a} {b}");
        }
    }
}
