//! The outputs of what has ended.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    error::CommandError,
    output::{Table, View, print_text},
    session::Session,
};

/// Prints a table of names and values, shortened unless `-o wide`.
pub(super) fn print(
    outputs: &BTreeMap<String, Value>,
    session: &Session,
) -> Result<(), CommandError> {
    let view = View::of(session);
    let mut table = Table::default();
    for (name, value) in outputs {
        table.push(vec![format!("  {name}"), view.long_value(value)]);
    }
    print_text(&table.take_text())
}
