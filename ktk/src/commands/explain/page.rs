//! What is said of a field, as a page and as a document.

use std::fmt::Write as _;

use kantoku_domain::manifest::API_VERSION;
use serde_json::{Value, json};

use super::shape::Field;
use crate::kind::Kind;

const WIDTH: usize = 78;

/// In the manner of `kubectl explain`.
pub(super) fn text(kind: Kind, field: &Field) -> String {
    let mut text = format!("KIND:     {}\n", kind.title());
    if kind.is_declared() {
        line(&mut text, &format!("VERSION:  {API_VERSION}"));
    }
    if field.name != kind.name() {
        line(&mut text, &format!("FIELD:    {} {}", field.name, marks(field)));
    }
    line(&mut text, "\nDESCRIPTION:");
    about(&mut text, field, 4);
    if !field.fields.is_empty() {
        line(&mut text, "\nFIELDS:");
        fields(&mut text, field, 2);
    }
    text
}

/// The same for programs.
pub(super) fn document(kind: Kind, field: &Field) -> Value {
    json!({ "kind": kind.title(), "field": field })
}

fn fields(text: &mut String, of: &Field, indent: usize) {
    for field in &of.fields {
        line(text, &format!("{:indent$}{} {}", "", field.name, marks(field)));
        about(text, field, indent + 4);
        fields(text, field, indent + 4);
    }
}

/// Type, whether it is required, and of which variants it is.
fn marks(field: &Field) -> String {
    let mut marks = format!("<{}>", field.type_);
    if field.required {
        marks.push_str(" -required-");
    }
    if !field.of.is_empty() {
        marks = format!("{marks} ({})", field.of.join(", "));
    }
    marks
}

fn about(text: &mut String, field: &Field, indent: usize) {
    for paragraph in field.description.split("\n\n").filter(|it| !it.is_empty()) {
        wrap(text, paragraph, indent);
    }
    if !field.values.is_empty() {
        let values: Vec<String> = field.values.iter().map(plain).collect();
        wrap(text, &format!("One of: {}", values.join(", ")), indent);
    }
    if let Some(default) = &field.default {
        wrap(text, &format!("Default: {}", plain(default)), indent);
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn wrap(text: &mut String, paragraph: &str, indent: usize) {
    let mut current = String::new();
    for word in paragraph.split_whitespace() {
        if !current.is_empty() && indent + current.len() + 1 + word.len() > WIDTH {
            line(text, &format!("{:indent$}{current}", ""));
            current.clear();
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    line(text, &format!("{:indent$}{current}", ""));
}

fn line(text: &mut String, line: &str) {
    // A `String` takes whatever is written to it.
    writeln!(text, "{line}").ok();
}
