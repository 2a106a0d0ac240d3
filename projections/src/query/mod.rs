//! Filters: one language in two spellings, JSON ([`mql`]) and a text for people ([`text`]). Both come
//! to the same typed tree ([`Condition`]), and that to SQL, or to an answer about one document. What
//! these two answer is the same:
//!
//! - A field that is not there is null, and one that is null is not there: `has(f)` is `f != null`.
//! - What is not there is equal to no value, and neither before nor after any: `==`, `in`, `<` and
//!   patterns are false of it, `!=`, `$nin` and `!(…)` are true. A negation is true wherever what it
//!   negates is not.
//! - Nothing is equal to a value of another type, or before or after it: `"1"` is not `1`. Fields with
//!   a type refuse values of another; what people put into open fields is of whatever type it is.
//! - Texts are equal and ordered by their bytes. Numbers are the decimals that they are written as,
//!   of any length: `1` is `1.0`, and `0.1` is nothing else. True and false have no order. Ids are
//!   ordered as their texts.
//! - A list or an object is equal to nothing. `$includes` (`"a" in f`) asks whether a list has an item
//!   that is equal; items have numbers as keys, from 0, or from -1 at the end.
//! - Patterns are found anywhere in a text unless they have `^` or `$`; `\d`, `\w` and `\s` are of
//!   ASCII, and `.` is all but a line feed.
//! - `now` is when the query began, on all pages of it.

pub mod cost;
mod decimal;
mod error;
mod evaluate;
mod fields;
mod lexer;
mod literal;
pub mod mql;
mod pattern;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
pub mod text;
mod tree;

pub use error::{Invalid, Place};
pub use fields::{
    CONTEXTS, Catalogue, EVENTS, Entry, Field, Kind, PIPELINES, POLICIES, RESOURCES,
    SPECIFICATIONS, TASKS, TYPES,
};
pub use pattern::Pattern;
pub use tree::{Condition, Known, Order, Relation, Scalar, Test, When};
