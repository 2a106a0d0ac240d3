//! Whether a document is as a filter says: what the SQL of the same filter says of its row.

use std::cmp::Ordering;

use kantoku_domain::Timestamp;
use serde_json::Value;

use super::{
    decimal,
    fields::Field,
    tree::{Condition, Known, Scalar, Test},
};

impl Condition {
    /// Whether `document` is so. A relation holds of the ids that `known` has for it.
    pub fn matches(&self, document: &Value, known: &Known) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(document, known)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(document, known)),
            Self::Not(inner) => !inner.matches(document, known),
            Self::Field(field, test) => is_so(field, test, document, known.now),
            Self::Related(relation, id) => {
                let own = document.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
                let related = known.related.get(&(*relation, *id));
                related.zip(own).is_some_and(|(related, own)| related.contains(&own))
            }
        }
    }
}

fn is_so(field: &Field, test: &Test, document: &Value, now: Timestamp) -> bool {
    let found = find(document, &field.path).filter(|found| !found.is_null());
    let presence = Value::Bool(found.is_some());
    let found = match (test, found) {
        (Test::Exists, found) => return found.is_some(),
        _ if field.is_presence => &presence,
        (_, Some(found)) => found,
        (_, None) => return false,
    };
    match test {
        Test::Exists => true,
        Test::Equals(value) => equals(found, value, now),
        Test::In(values) => values.iter().any(|value| equals(found, value, now)),
        Test::Ordered(order, value) => {
            compare(found, value, now).is_some_and(|compared| order.holds(compared))
        }
        Test::Matches(pattern) => found.as_str().is_some_and(|text| pattern.is_in(text)),
        Test::Includes(value) => {
            found.as_array().is_some_and(|items| items.iter().any(|it| equals(it, value, now)))
        }
    }
}

fn equals(found: &Value, value: &Scalar, now: Timestamp) -> bool {
    match (found, value) {
        (Value::Bool(found), Scalar::Bool(value)) => found == value,
        _ => compare(found, value, now).is_some_and(Ordering::is_eq),
    }
}

/// `None` unless both are of one type that has an order.
fn compare(found: &Value, value: &Scalar, now: Timestamp) -> Option<Ordering> {
    match (found, value) {
        (Value::Number(found), Scalar::Number(value)) => Some(decimal::compare(found, value)),
        (Value::String(found), Scalar::Text(value)) => Some(found.as_str().cmp(value)),
        (Value::String(found), Scalar::Id(value)) => Some(found.as_str().cmp(&value.to_string())),
        (Value::String(found), Scalar::Time(value)) => {
            Some(time_key(found).cmp(time_key(&value.at(now).to_string())))
        }
        _ => None,
    }
}

/// Of times as documents have them, in UTC and with as few digits as there have to be, these parts
/// are ordered as the times are.
pub(super) fn time_key(text: &str) -> &str {
    text.trim_end_matches('Z')
}

/// What lies at `path`, as Postgres finds it with `#>`: of a list, the item of that number, from the
/// end if that is negative.
pub(super) fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, key| match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => {
            let key = key.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
            let index: i32 = key.parse().ok()?;
            let from_end = || items.len().checked_sub(index.unsigned_abs() as usize);
            items.get(if index < 0 { from_end()? } else { index as usize })
        }
        _ => None,
    })
}
