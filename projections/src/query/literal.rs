//! Values as they are written → values of the type of a field.

use kantoku_domain::{Millis, Timestamp};
use serde_json::Number;

use super::{
    fields::{Field, Kind},
    pattern::Pattern,
    tree::{Condition, Order, Scalar, Test, When},
};

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Time(When),
}

/// How far from now a time may be: some hundred years.
const OFFSET_MICROS_MAX: i64 = 100 * 366 * 86_400 * 1_000_000;

impl Literal {
    /// As a value of `field`. Null is none.
    fn of(self, field: &Field) -> Result<Scalar, String> {
        match (field.kind, self) {
            (Kind::Text | Kind::Any, Self::Text(text)) => storable(text).map(Scalar::Text),
            (Kind::Number | Kind::Any, Self::Number(number)) => Ok(Scalar::Number(number)),
            (Kind::Bool | Kind::Any, Self::Bool(is)) => Ok(Scalar::Bool(is)),
            (Kind::Time, Self::Text(text)) => when(&text).map(Scalar::Time),
            (Kind::Time, Self::Time(when)) => Ok(Scalar::Time(when)),
            (Kind::Id, Self::Text(text)) => match text.parse() {
                Ok(id) => Ok(Scalar::Id(id)),
                Err(_) => Err(format!("{text:?} is no id: write all of it")),
            },
            (Kind::Any, Self::Time(_)) => Err("what was put there has no times, but texts: \
                                              compare it with \"2026-01-01T00:00:00Z\""
                .into()),
            (kind, found) => Err(format!("it is {}, {}", kind.name(), found.mismatch(kind))),
        }
    }

    fn mismatch(&self, kind: Kind) -> String {
        let found = match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Time(_) => "a time",
        };
        format!("and is compared with {found}; write {}", kind.example())
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Time => "a time",
            Self::Id => "an id",
            Self::Any => "a text, a number, true, false or null",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Number => "a number such as 3",
            Self::Bool => "true or false",
            Self::Time => "\"2026-01-01T00:00:00Z\", or \"now-1h\"",
            Self::Id => "an id in quotes",
            Self::Any => "a text, a number, true, false or null",
        }
    }
}

/// `field` is the value; or is not there, if that is null.
pub(super) fn equals(field: Field, value: Literal) -> Result<Condition, String> {
    if value == Literal::Null {
        return Ok(Condition::Field(field, Test::Exists).negated());
    }
    let value = value.of(&field)?;
    Ok(Condition::Field(field, Test::Equals(value)))
}

/// `field` is one of the values.
pub(super) fn is_in(field: Field, values: Vec<Literal>) -> Result<Condition, String> {
    let nothing = values.contains(&Literal::Null);
    let values = values.into_iter().filter(|value| *value != Literal::Null);
    let values = values.map(|value| value.of(&field)).collect::<Result<Vec<_>, _>>()?;
    let listed = Condition::Field(field.clone(), Test::In(values));
    if !nothing {
        return Ok(listed);
    }
    Ok(Condition::any([Condition::Field(field, Test::Exists).negated(), listed]))
}

/// `field` stands so to the value.
pub(super) fn ordered(field: Field, order: Order, value: Literal) -> Result<Condition, String> {
    if matches!(value, Literal::Bool(_)) || field.kind == Kind::Bool {
        return Err("true and false have no order; write $eq or ==".into());
    }
    let value = value.of(&field)?;
    Ok(Condition::Field(field, Test::Ordered(order, value)))
}

/// `field` is a list that has the value.
pub(super) fn includes(field: Field, value: Literal) -> Result<Condition, String> {
    if field.kind != Kind::Any {
        return Err(format!("it is {}, and no list", field.kind.name()));
    }
    let value = value.of(&field)?;
    Ok(Condition::Field(field, Test::Includes(value)))
}

/// `field` is a text that `pattern` is found in.
pub(super) fn matches(field: Field, pattern: Result<Pattern, String>) -> Result<Condition, String> {
    match field.kind {
        Kind::Text | Kind::Any => Ok(Condition::Field(field, Test::Matches(pattern?))),
        kind => Err(format!("it is {}, and patterns are looked for in texts", kind.name())),
    }
}

/// A text that Postgres stores.
fn storable(text: String) -> Result<String, String> {
    if text.contains('\0') {
        return Err("it is compared with a text with a NUL character, which none has".into());
    }
    Ok(text)
}

/// A time as people write it: `now`, `now-1h`, `-15m`, or a date and a time.
fn when(text: &str) -> Result<When, String> {
    let advice =
        || format!("{text:?} is no time: write \"2026-01-01T00:00:00Z\", \"now-1h\", or \"-15m\"");
    let offset = text.strip_prefix("now").unwrap_or(text).trim_start();
    if offset.is_empty() && !text.is_empty() {
        return Ok(When::Now(0));
    }
    for (sign, is_past) in [('-', true), ('+', false)] {
        if let Some(length) = offset.strip_prefix(sign) {
            return from_now(length.trim(), is_past).map_err(|_| advice());
        }
    }
    text.parse::<Timestamp>().map(When::At).map_err(|_| advice())
}

/// So long after now, or before.
pub(super) fn from_now(length: &str, is_past: bool) -> Result<When, String> {
    let length: Millis = length.parse()?;
    let micros = i64::try_from(length.0).unwrap_or(i64::MAX).saturating_mul(1_000);
    if micros > OFFSET_MICROS_MAX {
        return Err("more than a hundred years are too long".into());
    }
    Ok(When::Now(if is_past { -micros } else { micros }))
}

/// A time that stands in a text.
pub(super) fn timestamp(text: &str) -> Result<When, String> {
    let advice = |_| format!("{text:?} is no time: write \"2026-01-01T00:00:00Z\"");
    text.parse::<Timestamp>().map(When::At).map_err(advice)
}
