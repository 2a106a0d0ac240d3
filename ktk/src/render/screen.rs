//! A picture that is redrawn in place.

use std::io::{self, Write as _};

use console::Term;

/// Lines at the cursor that are replaced by the next ones. What stood above stays.
pub(crate) struct Screen {
    term: Term,
    lines: usize,
}

impl Screen {
    /// On stdout; `None` when that is no terminal.
    pub(crate) fn on_stdout() -> Option<Self> {
        let term = Term::buffered_stdout();
        term.is_term().then_some(Self { term, lines: 0 })
    }

    /// Columns and lines that a picture may have. The last line is the cursor's.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.term.size();
        (usize::from(columns), usize::from(rows).saturating_sub(1).max(1))
    }

    /// Replaces what was drawn last. The terminal shows it at once when it has arrived whole.
    pub(crate) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        const BEGIN: &str = "\x1b[?2026h";
        const END: &str = "\x1b[?2026l";
        const CLEAR_DOWN: &str = "\x1b[J";
        let up = match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r"),
        };
        let mut picture = [BEGIN, &up, CLEAR_DOWN].concat();
        for line in lines {
            picture.push_str(line);
            picture.push('\n');
        }
        picture.push_str(END);
        self.term.write_all(picture.as_bytes())?;
        self.lines = lines.len();
        self.term.flush()
    }
}

/// Columns of stdout, or of a wide page where it is no terminal.
pub(crate) fn stdout_width() -> usize {
    const PAGE_WIDTH: usize = 120;
    match Term::stdout().size_checked() {
        Some((_, columns)) if columns > 0 => usize::from(columns),
        _ => PAGE_WIDTH,
    }
}
