//! Columns of text without lines around them, as `kubectl` and `ps` print them.

use console::measure_text_width;

/// What stands between two columns.
const GAP: usize = 3;

/// Rows of cells. Cells may hold colour codes and wide characters, but no line ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a header.
    pub(crate) fn with_header<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self::default();
        table.push(header.into_iter().map(Into::into).collect());
        table
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        if self.widths.len() < row.len() {
            self.widths.resize(row.len(), 0);
        }
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(measure_text_width(cell));
        }
        self.rows.push(row);
    }

    /// All rows so far as lines; the table goes on with the same widths.
    pub(crate) fn take_text(&mut self) -> String {
        let mut text = String::new();
        for row in self.rows.drain(..) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&self.widths) {
                let missing = width - measure_text_width(cell);
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', missing + GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::with_header(["NAME", "STATE", "AGE"]);
        table.push(vec!["日本".into(), "\x1b[31mfailed\x1b[0m".into(), "1s".into()]);
        table.push(vec!["a".into(), String::new(), "2s".into()]);
        assert_eq!(
            table.take_text(),
            "NAME   STATE    AGE\n日本   \x1b[31mfailed\x1b[0m   1s\na               2s\n"
        );
        table.push(vec!["b".into(), "ok".into(), "3s".into()]);
        assert_eq!(table.take_text(), "b      ok       3s\n", "the widths stay");
    }
}
