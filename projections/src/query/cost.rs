//! What a filter may cost. One that would cost more is refused before it runs, and told why.

use super::{
    error::Invalid,
    tree::{Condition, Scalar, Test},
};

/// How long a text may be, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// How deep conditions may lie in others.
pub const DEPTH_MAX: usize = 16;
/// How many conditions there may be, those that hold others included.
pub const CONDITIONS_MAX: usize = 100;
/// How many values all lists together may have.
pub const LISTED_MAX: usize = 1_000;
/// How long a value may be, in bytes.
pub const VALUE_BYTES_MAX: usize = 1_024;
/// How many keys may lead to a field.
pub const KEYS_MAX: usize = 16;
/// How long a key may be, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// How many patterns there may be.
pub const PATTERNS_MAX: usize = 8;
/// How long a pattern may be, in characters.
pub const PATTERN_LENGTH_MAX: usize = 256;
/// How deep groups of a pattern may lie in others.
pub const PATTERN_DEPTH_MAX: u32 = 10;
/// How many characters a pattern may stand for, with what it repeats.
pub const PATTERN_SIZE_MAX: usize = 1_000;
/// How often a pattern may say that something is repeated. Postgres takes no more.
pub const PATTERN_TIMES_MAX: u32 = 255;
/// How much memory a pattern may take.
pub const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// How many relations to other records there may be.
pub const RELATIONS_MAX: usize = 2;

/// What a filter costs.
#[derive(Default)]
struct Cost {
    conditions: usize,
    listed: usize,
    patterns: usize,
    relations: usize,
}

/// Refuses what costs too much.
pub fn check(condition: &Condition) -> Result<(), Invalid> {
    let mut cost = Cost::default();
    cost.add(condition, 1)?;
    within("conditions", cost.conditions, CONDITIONS_MAX)?;
    within("values in lists", cost.listed, LISTED_MAX)?;
    within("patterns", cost.patterns, PATTERNS_MAX)?;
    within("relations to other records", cost.relations, RELATIONS_MAX)
}

/// Refuses more than `max` of something.
pub(super) fn within(what: &str, found: usize, max: usize) -> Result<(), Invalid> {
    if found <= max {
        return Ok(());
    }
    Err(Invalid::whole(format!("the filter has {found} {what}, and {max} is the limit")))
}

impl Cost {
    fn add(&mut self, condition: &Condition, depth: usize) -> Result<(), Invalid> {
        within("levels of conditions", depth, DEPTH_MAX)?;
        self.conditions += 1;
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().try_for_each(|part| self.add(part, depth + 1))?;
            }
            Condition::Not(inner) => self.add(inner, depth + 1)?,
            Condition::Related(..) => self.relations += 1,
            Condition::Field(field, test) => {
                within("keys in one field", field.path.len(), KEYS_MAX)?;
                let longest = field.path.iter().map(String::len).max().unwrap_or(0);
                within("bytes in one key", longest, KEY_BYTES_MAX)?;
                self.add_test(test)?;
            }
        }
        Ok(())
    }

    fn add_test(&mut self, test: &Test) -> Result<(), Invalid> {
        match test {
            Test::Equals(value) | Test::Ordered(_, value) | Test::Includes(value) => length(value),
            Test::In(values) => {
                self.listed += values.len();
                values.iter().try_for_each(length)
            }
            Test::Matches(_) => {
                self.patterns += 1;
                Ok(())
            }
            Test::Exists => Ok(()),
        }
    }
}

fn length(value: &Scalar) -> Result<(), Invalid> {
    match value {
        Scalar::Text(text) => within("bytes in one value", text.len(), VALUE_BYTES_MAX),
        Scalar::Number(_) | Scalar::Bool(_) | Scalar::Time(_) | Scalar::Id(_) => Ok(()),
    }
}
