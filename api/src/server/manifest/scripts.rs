//! Scripts, compiled and not run.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use kantoku_domain::{
    Executable, Problem,
    pipeline::{Definition, Step},
    specification,
};
use kantoku_preprocessors::{ScriptError, check};
use serde_json::Value;

use crate::{ApiError, Code};

/// How long all scripts of one call may take to compile together. An honest one takes a few
/// milliseconds.
const BUDGET: Duration = Duration::from_secs(20);

/// Compiles scripts, each once.
pub(super) struct Scripts {
    deadline: Instant,
    checked: HashMap<String, Option<String>>,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { deadline: Instant::now() + BUDGET, checked: HashMap::new() }
    }

    /// The script of a specification.
    pub(super) fn of_specification(
        &mut self,
        definition: &specification::Definition,
    ) -> Result<Option<Problem>, ApiError> {
        match &definition.executable {
            Executable::Rhai { script } => self.check(script, &["spec", "executable", "script"]),
            _ => Ok(None),
        }
    }

    /// The scripts on the edges of a pipeline.
    pub(super) fn of_pipeline(
        &mut self,
        definition: &Definition,
    ) -> Result<Vec<Problem>, ApiError> {
        let mut problems = Vec::new();
        for (name, step) in &definition.tasks {
            for (input, script) in maps(step) {
                let path = ["spec", "tasks", name, "with", input, "map"];
                problems.extend(self.check(script, &path)?);
            }
        }
        Ok(problems)
    }

    fn check(&mut self, script: &str, path: &[&str]) -> Result<Option<Problem>, ApiError> {
        let wrong = match self.checked.get(script) {
            Some(wrong) => wrong.clone(),
            None if Instant::now() > self.deadline => {
                let message = format!("the scripts take longer than {BUDGET:?} to compile");
                return Err(ApiError::new(Code::Limit, message));
            }
            None => {
                let wrong = match check(script) {
                    Ok(()) => None,
                    Err(error @ ScriptError::Unavailable { .. }) => {
                        return Err(ApiError::new(Code::Unavailable, error));
                    }
                    Err(error) => Some(error.to_string()),
                };
                self.checked.insert(script.to_owned(), wrong.clone());
                wrong
            }
        };
        Ok(wrong.map(|message| Problem::new(path, message)))
    }
}

/// The scripts that fit values to the inputs of a step.
fn maps(step: &Step) -> impl Iterator<Item = (&str, &str)> {
    step.with.iter().filter_map(|(input, written)| {
        let edge = written.as_object().filter(|edge| edge.contains_key("from"))?;
        Some((input.as_str(), edge.get("map").and_then(Value::as_str)?))
    })
}
