//! What goes to stdout, and what it looks like.

mod format;
mod ids;
mod list;
mod paint;
mod print;
mod select;
mod table;
mod view;

pub(crate) use format::{Format, Picture};
pub(crate) use ids::ShortIds;
pub(crate) use list::{List, Row, Rows, print_list, print_name, print_one, print_yaml};
pub(crate) use paint::Paint;
pub(crate) use print::{print_document, print_line, print_text};
pub(crate) use select::Selection;
pub(crate) use table::Table;
pub(crate) use view::{View, labels, now};
