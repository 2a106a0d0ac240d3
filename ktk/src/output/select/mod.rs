//! Some of a JSON document, in `kubectl`'s words: `-o jsonpath=` and `-o custom-columns=`.
//!
//! [`path`] reads one path and finds its values, [`template`] puts texts and loops around paths,
//! [`columns`] makes a table of them.

mod columns;
mod path;
mod template;

use serde_json::Value;

use self::{columns::Columns, template::Template};

/// What to take of a document.
#[derive(Debug)]
pub(crate) enum Selection {
    /// A text with paths in it.
    Template(Template),
    /// A table with a path for each column.
    Columns(Columns),
}

impl Selection {
    /// What `-o jsonpath=` says.
    pub(super) fn template(text: &str) -> Result<Self, String> {
        text.parse().map(Self::Template)
    }

    /// What `-o custom-columns=` says.
    pub(super) fn columns(text: &str) -> Result<Self, String> {
        text.parse().map(Self::Columns)
    }

    /// What is to be printed of a document; of the next one, if there were others before.
    pub(super) fn text(&self, document: &Value) -> String {
        match self {
            Self::Template(template) => template.text(document),
            Self::Columns(columns) => columns.text(document),
        }
    }
}

/// The message about what is wrong at a byte of `text`.
fn wrong(text: &str, at: usize, what: &str) -> String {
    let character = text[..at].chars().count() + 1;
    format!("{what}, at character {character} of {text:?}")
}
