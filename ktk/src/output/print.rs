//! Writing to stdout.

use std::io::{self, Write as _};

use serde::Serialize;

use super::Format;
use crate::error::{CommandError, Exit};

/// Prints a text that ends with a line end, or nothing.
pub(crate) fn print_text(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| CommandError::stdout(&error))
}

/// Prints a line.
pub(crate) fn print_line(line: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|error| CommandError::stdout(&error))
}

/// Prints one document in a format for programs: `jsonl` on one line, `yaml` as YAML, what is to be
/// taken of it, else JSON.
pub(crate) fn print_document<T: Serialize>(
    format: Format,
    document: &T,
) -> Result<(), CommandError> {
    let failed = |error: String| {
        CommandError::new(Exit::Error, format!("the answer cannot be printed: {error}"))
    };
    match format {
        Format::Jsonl => {
            print_line(&serde_json::to_string(document).map_err(|error| failed(error.to_string()))?)
        }
        Format::Yaml => print_text(
            &serde_saphyr::to_string(document).map_err(|error| failed(error.to_string()))?,
        ),
        Format::Select(selection) => {
            let document = serde_json::to_value(document);
            print_text(&selection.text(&document.map_err(|error| failed(error.to_string()))?))
        }
        _ => print_line(
            &serde_json::to_string_pretty(document).map_err(|error| failed(error.to_string()))?,
        ),
    }
}
