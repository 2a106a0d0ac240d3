//! Scalars by the core schema of YAML 1.2 (chapter 10.3), as far as JSON can hold them.

use granit_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// What a scalar stands for. Fails on what cannot be kept exactly, with advice.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { Ok(text.into()) };
    };
    // `!` alone says: not plain.
    if tag.handle().is_empty() && tag.suffix() == "!" {
        return Ok(text.into());
    }
    let value = match tag.core_suffix() {
        Some("str") => return Ok(text.into()),
        Some("null" | "bool" | "int" | "float") => plain(text)?,
        _ => return Err(format!("the tag {tag} means nothing here; leave it out")),
    };
    let fits = match tag.core_suffix() {
        Some("null") => value.is_null(),
        Some("bool") => value.is_boolean(),
        Some("int") => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    };
    if fits { Ok(value) } else { Err(format!("{text:?} is not what its tag {tag} says")) }
}

fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(true.into()),
        "false" | "False" | "FALSE" => return Ok(false.into()),
        _ => {}
    }
    if let Some((digits, radix)) = integer(text) {
        return exact(digits, radix, text.starts_with('-')).map(Value::Number).ok_or_else(|| {
            format!("the number {text} is too large to be kept exactly; quote it: \"{text}\"")
        });
    }
    if is_float(text) {
        let number = text.parse().ok().and_then(Number::from_f64);
        return number.map(Value::Number).ok_or_else(|| no_number(text));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(no_number(text));
    }
    Ok(text.into())
}

fn no_number(text: &str) -> String {
    format!("{text} is no number that JSON can hold; quote it if it is a text: \"{text}\"")
}

/// The digits and the radix of what is written like an integer.
fn integer(text: &str) -> Option<(&str, u32)> {
    let (digits, radix) = if let Some(digits) = text.strip_prefix("0o") {
        (digits, 8)
    } else if let Some(digits) = text.strip_prefix("0x") {
        (digits, 16)
    } else {
        (text.strip_prefix(['+', '-']).unwrap_or(text), 10)
    };
    let is_integer = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    is_integer.then_some((digits, radix))
}

/// The number, if it has not too many digits.
fn exact(digits: &str, radix: u32, is_negative: bool) -> Option<Number> {
    if is_negative {
        i64::from_str_radix(&format!("-{digits}"), radix).ok().map(Number::from)
    } else {
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    }
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_exponent
        && are_digits(whole)
        && are_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("off", json!("off")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("0o17", json!(15)),
            ("0xff", json!(255)),
            ("012", json!(12)),
            ("1_000", json!("1_000")),
            ("1:30", json!("1:30")),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("-1.5e3", json!(-1500.0)),
            (".", json!(".")),
            ("1e", json!("1e")),
            ("1.2.3", json!("1.2.3")),
            ("2026-11-24", json!("2026-11-24")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_json_cannot_keep_is_refused_and_not_rounded() {
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "0xfffffffffffffffff",
            "1e999",
            ".inf",
            "-.INF",
            ".nan",
        ] {
            let error = plain(text).expect_err(text);
            assert!(error.contains(&format!("\"{text}\"")), "{error}");
        }
    }

    #[test]
    fn quotes_and_tags_decide() {
        let core = |suffix: &str| Tag::new("tag:yaml.org,2002:", suffix);
        assert_eq!(resolve("12", ScalarStyle::DoubleQuoted, None), Ok(json!("12")));
        assert_eq!(resolve("12", ScalarStyle::Plain, Some(&core("str"))), Ok(json!("12")));
        assert_eq!(resolve("12", ScalarStyle::SingleQuoted, Some(&core("int"))), Ok(json!(12)));
        assert!(resolve("a", ScalarStyle::Plain, Some(&core("int"))).is_err());
        assert!(resolve("a", ScalarStyle::Plain, Some(&Tag::new("!", "secret"))).is_err());
    }
}
