//! The cases of a script, as they are written.

use std::fmt;

use kantoku_domain::by_name;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    error::{CommandError, Exit},
    manifest::{Manifests, Source},
    output::Paint,
};

/// How many cases a file may hold.
const CASES_MAX: usize = 10_000;

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    cases: Vec<Case>,
}

/// A case: what a script is given, and what has to come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// For people.
    #[serde(default)]
    name: String,
    /// Its variables.
    #[serde(default)]
    pub(super) input: Map<String, Value>,
    /// The value that it has to have.
    #[serde(default, deserialize_with = "present")]
    expected: Option<Value>,
    /// A part of the message with which it has to fail.
    #[serde(default)]
    error: Option<String>,
}

/// What has to come of a case.
pub(super) enum Wanted<'a> {
    /// This value.
    Value(&'a Value),
    /// A problem whose message has this in it.
    Error(&'a str),
}

/// Tells null from nothing.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Case {
    /// Its name, with its number from 1.
    pub(super) fn title(&self, index: usize) -> impl fmt::Display {
        let number = index + 1;
        if self.name.is_empty() { format!("case {number}") } else { self.name.clone() }
    }

    /// What has to come of it; `None` if that is not said, or twice.
    pub(super) fn wanted(&self) -> Option<Wanted<'_>> {
        match (&self.expected, &self.error) {
            (Some(value), None) => Some(Wanted::Value(value)),
            (None, Some(error)) => Some(Wanted::Error(error)),
            _ => None,
        }
    }
}

/// Reads the cases of one document of YAML or JSON.
pub(super) fn read(source: Source) -> Result<Vec<Case>, CommandError> {
    let name = source.name.clone();
    let refused = |why: String| CommandError::new(Exit::Refused, format!("{name}: {why}"));
    let (manifests, findings) = Manifests::parse(vec![source])?;
    if let Some(finding) = findings.first() {
        let text = manifests.report().text(finding, Paint::stderr());
        return Err(CommandError::new(Exit::Refused, text));
    }
    let values = manifests.values();
    let [document] = values.as_slice() else {
        return Err(refused("write one document: cases: [{name, input, expected}, …]".to_owned()));
    };
    let Cases { cases } =
        by_name(document).map_err(|error: serde_json::Error| refused(error.to_string()))?;
    if cases.is_empty() || cases.len() > CASES_MAX {
        return Err(refused(format!("there are 1 to {CASES_MAX} cases, not {}", cases.len())));
    }
    if let Some((index, case)) = cases.iter().enumerate().find(|(_, it)| it.wanted().is_none()) {
        let why = "say what has to come of it: expected, or error, and not both";
        return Err(refused(format!("{}: {why}", case.title(index))));
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Case>, String> {
        let source = Source { name: "cases.yaml".into(), text: text.into(), is_chance: false };
        read(source).map_err(|error| error.to_string())
    }

    #[test]
    fn cases_say_what_has_to_come_of_them() {
        let cases = read_text("cases: [{input: {a: 1}, expected: null}, {name: bad, error: no}]");
        let cases = cases.expect("cases");
        assert!(matches!(cases[0].wanted(), Some(Wanted::Value(Value::Null))));
        assert!(matches!(cases[1].wanted(), Some(Wanted::Error("no"))));
        let titles: Vec<_> =
            cases.iter().enumerate().map(|(n, case)| case.title(n).to_string()).collect();
        assert_eq!(titles, ["case 1", "bad"]);
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for (text, why) in [
            ("{input: {}}", "unknown field `input`, expected `cases`"),
            ("cases: []", "1 to 10000 cases, not 0"),
            ("cases: [{input: {}}]", "case 1: say what has to come of it"),
            ("cases: [{name: a, expected: 1, error: b}]", "a: say what has to come of it"),
            ("cases: [{expect: 1}]", "unknown field `expect`"),
            ("cases: [[a]]", "invalid type: a list"),
            ("cases: []\n---\ncases: []", "write one document"),
        ] {
            let error = read_text(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
