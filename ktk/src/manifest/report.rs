//! Findings as people read them: `FILE:LINE:COLUMN: message; suggestion`, the line, and a mark.

use console::measure_text_width;
use serde_json::{Value, json};

use super::{Place, Source};
use crate::output::Paint;

/// How many characters of a line are shown on each side of the mark.
const AROUND_MAX: usize = 60;

/// Something that is wrong in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Index of the source.
    pub(crate) source: usize,
    /// Where, if that is known.
    pub(crate) place: Option<Place>,
    /// Where, as keys from the document's root.
    pub(crate) path: Vec<String>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) suggestion: Option<String>,
}

impl Finding {
    /// A finding in the first source.
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self {
            source: 0,
            place: Some(place),
            path: Vec::new(),
            message: message.into(),
            suggestion: None,
        }
    }

    #[must_use]
    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// Shows findings. Each source is cut into lines once.
pub(crate) struct Report<'a> {
    sources: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a [Source]) -> Self {
        let lines = |source: &'a Source| (source.name.as_str(), source.text.lines().collect());
        Self { sources: sources.iter().map(lines).collect() }
    }

    /// For people, without a line end at the end.
    pub(crate) fn text(&self, finding: &Finding, paint: Paint) -> String {
        let (name, lines) = self.source(finding);
        let mut text = name.to_owned();
        if let Some(place) = finding.place {
            text = format!("{text}:{}:{}", place.line, place.column);
        }
        text = format!("{}: {}", paint.bold(&text), finding.message);
        if let Some(suggestion) = &finding.suggestion {
            text = format!("{text}; {suggestion}");
        }
        let shown = finding.place.and_then(|place| Some((place, lines.get(place.line - 1)?)));
        match shown {
            Some((place, line)) => format!("{text}\n{}", excerpt(line, place, paint)),
            None => text,
        }
    }

    /// For programs.
    pub(crate) fn document(&self, finding: &Finding) -> Value {
        let (name, _) = self.source(finding);
        json!({
            "file": name,
            "line": finding.place.map(|place| place.line),
            "column": finding.place.map(|place| place.column),
            "path": finding.path,
            "message": finding.message,
            "suggestion": finding.suggestion,
        })
    }

    fn source(&self, finding: &Finding) -> (&'a str, &[&'a str]) {
        self.sources.get(finding.source).map_or(("", &[]), |(name, lines)| (*name, lines))
    }
}

/// The line, and under it a mark.
fn excerpt(line: &str, place: Place, paint: Paint) -> String {
    let characters: Vec<char> = line.chars().map(visible).collect();
    let start = (place.column - 1).min(characters.len());
    let first = start.saturating_sub(AROUND_MAX);
    let last = characters.len().min(start + AROUND_MAX);
    let text = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();

    let (cut_before, cut_behind) = (first > 0, last < characters.len());
    let shown = format!(
        "{}{}{}",
        if cut_before { "…" } else { "" },
        text(first..last),
        if cut_behind { "…" } else { "" }
    );
    let indent = measure_text_width(&text(first..start)) + usize::from(cut_before);
    let end = last.min(start.saturating_add(place.length));
    let width = measure_text_width(&text(start..end)).max(1);
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    format!(
        "{} {}\n{} {}{}",
        paint.dim(&format!("{number} |")),
        shown.trim_end(),
        paint.dim(&format!("{margin} |")),
        " ".repeat(indent),
        paint.red(&"^".repeat(width)),
    )
}

/// What takes one column and commands no terminal.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, column: usize, length: usize) -> String {
        excerpt(line, Place { line: 7, column, length }, Paint::OFF)
    }

    #[test]
    fn the_mark_is_under_what_is_meant() {
        assert_eq!(shown("use: text/word", 6, 9), "7 | use: text/word\n  |      ^^^^^^^^^");
        assert_eq!(shown("", 1, 1), "7 | \n  | ^");
        assert_eq!(shown("日本: x", 5, 1), "7 | 日本: x\n  |       ^");
        assert_eq!(shown("\tx", 2, 1), "7 |  x\n  |  ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let text = shown(&line, 501, 4);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].len() < 200, "{text}");
        let mark = lines[1].find('^').unwrap();
        let above: String = lines[0].chars().skip(mark).take(4).collect();
        assert_eq!(above, "HERE", "{text}");
    }

    #[test]
    fn a_line_cannot_command_the_terminal() {
        assert!(!shown("a\x1b[2Jb", 1, 1).contains('\x1b'));
    }
}
