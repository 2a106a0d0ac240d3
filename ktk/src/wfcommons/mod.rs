//! Recorded scientific workflows (`WfCommons`, `WfFormat` 1.4 to 1.6) as pipelines.
//!
//! A task becomes a step of the same id, a file becomes a resource: an output of the step that
//! writes it, and an input of every step that reads it. What the task took is slept, scaled.
//!
//! | recording | manifest |
//! |---|---|
//! | task | a step named by its id, and a specification `wf/<pipeline>/<id>` |
//! | measured runtime | the `duration` of a `sleep` |
//! | file that a task writes | an output of that name, `{path, size}` |
//! | file that another task writes | an input, bound to that output |
//! | file that nobody writes | an input with a literal `{path, size}` |
//! | parent or child without a shared file | `after` |
//! | file that nobody reads | an output of the pipeline |
//!
//! Pure: it neither reads files nor talks to anybody.

mod format;
mod graph;
mod manifests;
mod names;
mod recording;
#[cfg(test)]
mod tests;

use kantoku_domain::{Name, Problem};
use serde_json::Value;

use self::{graph::Graph, recording::Recording};

/// How a recording is converted.
#[derive(Clone, Debug)]
pub struct Options {
    /// The pipeline's name; without it the recording's own, fitted to what a name may hold.
    pub name: Option<Name>,
    /// What measured runtimes are multiplied by. Neither negative nor infinite.
    pub time_scale: f64,
}

impl Options {
    /// A thousandth: what took an hour sleeps for 3.6 seconds.
    pub const TIME_SCALE: f64 = 0.001;
}

impl Default for Options {
    fn default() -> Self {
        Self { name: None, time_scale: Self::TIME_SCALE }
    }
}

/// A recording as manifests.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The pipeline's name.
    pub pipeline: Name,
    /// How many steps it has.
    pub tasks: usize,
    /// The manifests in an order in which they can be applied: a specification per step, then the
    /// pipeline. A recording of very many tasks has more than one apply may hold.
    pub documents: Vec<Value>,
}

/// Converts the recording `json`. Fails with what is wrong with it, a hundred findings at most;
/// their paths start at the recording's root, and indices count from 0.
pub fn convert(json: &str, options: &Options) -> Result<Converted, Vec<Problem>> {
    let mut problems = Problems::default();
    if !(options.time_scale >= 0.0 && options.time_scale.is_finite()) {
        problems.add(&["time_scale"], "the time scale is negative, or no number", "use 0 or more");
    }
    let recording = Recording::read(json, &mut problems);
    let (Some(recording), true) = (recording, problems.is_empty()) else {
        return Err(problems.found);
    };
    let graph = Graph::of(&recording, &mut problems);
    let converted = manifests::write(&recording, &graph, options, &mut problems);
    if problems.is_empty() { Ok(converted) } else { Err(problems.found) }
}

/// What was found, up to a limit: a recording that is wrong throughout is told so shortly.
#[derive(Debug, Default)]
struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    const MAX: usize = 100;

    fn add(&mut self, path: &[&str], message: impl Into<String>, advice: &str) {
        if self.found.len() < Self::MAX {
            self.found.push(Problem::new(path, message).suggest(Some(advice.to_owned())));
        }
    }

    fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}
