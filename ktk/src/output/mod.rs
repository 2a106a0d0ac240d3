//! What goes to stdout, and what it looks like.

mod paint;
mod print;

use clap::ValueEnum;

pub(crate) use paint::Paint;
pub(crate) use print::{print_document, print_line, print_text};

/// `-o`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// One name a line, such as task/0193a5c2-…
    Name,
    /// One JSON document; a list as {"items": […], "as_of_seq": …}
    Json,
    /// One JSON document a line, one per item
    Jsonl,
    /// YAML; definitions as manifests that can be applied
    Yaml,
}

impl Format {
    /// Whether it is for people.
    pub(crate) const fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}
