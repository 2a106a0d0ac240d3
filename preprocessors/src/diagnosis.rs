//! Rhai's errors → ours.

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use crate::{ScriptError, error::LimitName};

/// A message is kept no longer than this: a script can throw megabytes.
const MESSAGE_CHARS_MAX: usize = 500;

pub(crate) fn compile(error: ParseError) -> ScriptError {
    let ParseError(kind, position) = error;
    parse(&kind, position)
}

pub(crate) fn run(error: EvalAltResult) -> ScriptError {
    // Where it happened says more than who called whom.
    let mut error = error;
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
        error = *inner;
    }
    let position = error.take_position();
    let message = shortened(error.to_string());
    let limit = match error {
        EvalAltResult::ErrorParsing(kind, _) => return parse(&kind, position),
        EvalAltResult::ErrorTooManyOperations(_) => LimitName::Operations,
        EvalAltResult::ErrorTooManyVariables(_) => LimitName::Variables,
        EvalAltResult::ErrorStackOverflow(_) => LimitName::CallDepth,
        EvalAltResult::ErrorDataTooLarge(what, _) => data_limit(&what),
        _ => {
            return ScriptError::Runtime {
                message,
                line: position.line().unwrap_or(0),
                column: position.position().unwrap_or(0),
            };
        }
    };
    ScriptError::limit(limit, placed(message, position))
}

fn parse(kind: &ParseErrorType, position: Position) -> ScriptError {
    let message = shortened(kind.to_string());
    let limit = match kind {
        ParseErrorType::ExprTooDeep => LimitName::ExpressionDepth,
        ParseErrorType::LiteralTooLarge(what, _) => data_limit(what),
        ParseErrorType::BadInput(LexError::StringTooLong(_)) => LimitName::StringBytes,
        _ => {
            return ScriptError::Compile {
                message,
                line: position.line().unwrap_or(0),
                column: position.position().unwrap_or(0),
            };
        }
    };
    ScriptError::limit(limit, placed(message, position))
}

/// Rhai says in words what is too large.
fn data_limit(what: &str) -> LimitName {
    let what = what.to_lowercase();
    if what.contains("string") {
        LimitName::StringBytes
    } else if what.contains("map") {
        LimitName::MapEntries
    } else {
        LimitName::ArrayItems
    }
}

fn placed(message: String, position: Position) -> String {
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("{message} at line {line}, column {column}"),
        (Some(line), None) => format!("{message} at line {line}"),
        (None, _) => message,
    }
}

fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
        message.truncate(end);
        message.push('…');
    }
    message
}
