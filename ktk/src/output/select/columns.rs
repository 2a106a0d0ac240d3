//! A table with a path for each column: `ID:.id,NODE:.node`.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::{
    path::{Path, shown},
    wrong,
};
use crate::{output::Table, render::printable};

/// What stands where a path leads nowhere, as `kubectl` has it.
const NOTHING: &str = "<none>";

/// A table with a path for each column. It grows with every document, so that those of a stream stand
/// under one header.
#[derive(Debug)]
pub(crate) struct Columns {
    paths: Vec<Path>,
    table: Mutex<Table>,
}

impl Columns {
    /// The rows of a document: of a list one per item.
    pub(super) fn text(&self, document: &Value) -> String {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = std::slice::from_ref(document);
        for item in document.get("items").and_then(Value::as_array).map_or(alone, Vec::as_slice) {
            let cells = self.paths.iter().map(|path| {
                let values: Vec<String> = path.find(item, item).into_iter().map(shown).collect();
                if values.is_empty() {
                    NOTHING.to_owned()
                } else {
                    printable(&values.join(",").replace('\n', " ")).into_owned()
                }
            });
            table.push(cells.collect());
        }
        table.take_text()
    }
}

impl FromStr for Columns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut header, mut paths) = (Vec::new(), Vec::new());
        let mut begin = 0;
        for end in ends(text) {
            let column = &text[begin..end];
            let Some((name, path)) = column.split_once(':').filter(|(name, _)| !name.is_empty())
            else {
                return Err(wrong(text, begin, "write HEADER:PATH, e.g. NODE:.node"));
            };
            let at = begin + name.len() + 1;
            // `kubectl` takes `{.id}` as well.
            let in_braces = path.starts_with('{') && path.ends_with('}');
            let margin = usize::from(in_braces);
            paths.push(Path::read(text, at + margin, end - margin)?);
            header.push(name.to_owned());
            begin = end + 1;
        }
        Ok(Self { paths, table: Mutex::new(Table::with_header(header)) })
    }
}

/// Where columns end: at commas that stand in no bracket.
fn ends(text: &str) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut ends = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => ends.push(at),
            _ => {}
        }
    }
    ends.push(text.len());
    ends
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_has_a_row_per_item_under_one_header() {
        let columns: Columns = "ID:.id,FIRST:{.needs[0]},ALL:.needs[0,1]".parse().unwrap();
        let list = json!({"items": [{"id": "long-one", "needs": ["x", "y"]}, {"id": "b\nc"}]});
        assert_eq!(
            columns.text(&list),
            "ID         FIRST    ALL\nlong-one   x        x,y\nb c        <none>   <none>\n"
        );
        assert_eq!(columns.text(&json!({"id": "d"})), "d          <none>   <none>\n");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (text, what) in [
            ("ID", "write HEADER:PATH"),
            ("ID:.id,:.b", "e.g. NODE:.node, at character 8 "),
            ("ID:.id,B:.b[", "this [ is not closed, at character 12 "),
        ] {
            let error = text.parse::<Columns>().unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
