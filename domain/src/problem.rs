//! What is wrong with a definition: all of it at once, each with its place and a way out.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where, as keys from the document's root: `["spec", "tasks", "words", "with", "page"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Problem {
    /// A finding at `path`.
    pub fn new<P: AsRef<str>>(path: &[P], message: impl Into<String>) -> Self {
        let path = path.iter().map(|key| key.as_ref().to_owned()).collect();
        Self { path, message: message.into(), suggestion: None }
    }

    /// Adds a way out.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// Adds "did you mean …" when one of `known` resembles `wrong`.
    #[must_use]
    pub fn did_you_mean<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggest(nearest(wrong, known).map(|name| format!("did you mean {name:?}?")))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// The name in `known` that `wrong` was probably meant to be: the least edit distance, if that is
/// at most a third of the length (two for short names); of several, the one with fewest letters that
/// `wrong` lacks, as letters are mixed up sooner than mistaken.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, name)| (*distance, lacking(wrong, name), *name))
        .map(|(_, name)| name)
}

/// How many letters of `name` are not in `wrong`.
fn lacking(wrong: &str, name: &str) -> usize {
    let mut left: Vec<char> = wrong.chars().collect();
    let is_lacking = |letter: &char| match left.iter().position(|it| it == letter) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    name.chars().filter(is_lacking).count()
}

/// Levenshtein distance by the two-row method of Wagner and Fischer (1974), in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_strangers_are_not() {
        let known = ["text/words", "text/top", "text/fetch"];
        assert_eq!(nearest("text/word", known), Some("text/words"));
        assert_eq!(nearest("txt/top", known), Some("text/top"));
        assert_eq!(nearest("image/resize", known), None);
        assert_eq!(nearest("whit", ["when", "with"]), Some("with"), "letters that are mixed up");
    }
}
