//! What was looked at, and what was found.

use serde::Serialize;
use serde_json::json;

use crate::{
    error::{CommandError, Exit},
    output::{Paint, print_document, print_line},
    session::Session,
};

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What.
    name: &'static str,
    /// Whether it is as it should be.
    ok: bool,
    /// How it is.
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// It is as it should be.
    pub(super) fn fine(&mut self, name: &'static str, message: impl Into<String>) {
        self.checks.push(Check { name, ok: true, message: message.into(), advice: None });
    }

    /// It is not.
    pub(super) fn finding(
        &mut self,
        name: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let advice = Some(advice.into());
        self.checks.push(Check { name, ok: false, message: message.into(), advice });
    }

    /// How many are not as they should be.
    fn findings(&self) -> usize {
        self.checks.iter().filter(|check| !check.ok).count()
    }

    /// Prints all of it; an error when there are findings.
    pub(super) fn print(&self, session: &Session) -> Result<(), CommandError> {
        let findings = self.findings();
        if session.output().is_table() {
            let paint = Paint::stdout();
            self.checks.iter().try_for_each(|check| print_line(&line(check, paint)))?;
        } else {
            let document = json!({ "checks": self.checks, "findings": findings });
            print_document(session.output(), &document)?;
        }
        match findings {
            0 => Ok(()),
            1 => Err(CommandError::new(Exit::Findings, "there is a finding")),
            _ => Err(CommandError::new(Exit::Findings, format!("there are {findings} findings"))),
        }
    }

    #[cfg(test)]
    pub(super) fn found(&self) -> Vec<&str> {
        let found = self.checks.iter().filter(|check| !check.ok);
        found.map(|check| check.message.as_str()).collect()
    }
}

fn line(check: &Check, paint: Paint) -> String {
    let mark = if check.ok { paint.green("✔ ok     ") } else { paint.red("✖ finding") };
    let line = format!("{mark}  {:<10}  {}", check.name, check.message);
    match &check.advice {
        Some(advice) => format!("{line}\n{:23}→ {advice}", ""),
        None => line,
    }
}
