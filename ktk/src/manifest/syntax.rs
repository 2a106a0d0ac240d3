//! What the parser's errors mean to people.

use granit_parser::{ErrorKind, ScanError};

use super::{
    Finding, Place,
    yaml::{place_of, too_deep},
};

/// An error of the parser, with the way out that fits what people usually mean.
pub(super) fn explain(error: &ScanError, text: &str) -> Finding {
    let at = place_of(error.marker());
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(at),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => Finding::at(
            indenting_tab(text, at.line).unwrap_or(at),
            "a tab cannot indent anything in YAML",
        )
        .suggest("indent with spaces"),
        kind => {
            let mut finding = Finding::at(at, error.info());
            finding.suggestion = way_out(kind).map(str::to_owned);
            finding
        }
    }
}

/// The first tab that indents something from `line` on. The parser points to the text before it,
/// which could have gone on there.
fn indenting_tab(text: &str, line: usize) -> Option<Place> {
    let mut lines = text.lines().enumerate().skip(line - 1);
    lines.find_map(|(index, line)| {
        let indent = line.chars().take_while(|c| c.is_whitespace());
        let tab = indent.enumerate().find(|(_, c)| *c == '\t')?;
        Some(Place { line: index + 1, column: tab.0 + 1, length: 1 })
    })
}

fn way_out(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => Some(
            "quote a text that has a colon and a space in it, or indent what belongs together alike",
        ),
        ErrorKind::UnexpectedCharacter { .. } => Some("quote a text that begins with it"),
        ErrorKind::UnknownAnchor => Some("quote a text that begins with *"),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            Some("write a colon and a space behind a key")
        }
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
            Some("indent what belongs together alike")
        }
        ErrorKind::UnclosedQuotedScalar => Some("close the quote"),
        _ => None,
    }
}
