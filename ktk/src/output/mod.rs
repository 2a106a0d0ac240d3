//! What goes to stdout, and what it looks like.

mod ids;
mod list;
mod paint;
mod print;
mod table;
mod view;

use clap::ValueEnum;

pub(crate) use ids::ShortIds;
pub(crate) use list::{List, Row, Rows, print_list, print_name, print_one};
pub(crate) use paint::Paint;
pub(crate) use print::{print_document, print_line, print_text};
pub(crate) use table::Table;
pub(crate) use view::{View, labels, now};

/// `-o`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// A table with more columns and nothing shortened
    Wide,
    /// One name a line, such as task/0193a5c2-…
    Name,
    /// One JSON document; of a list its items and the position that they are as of
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
