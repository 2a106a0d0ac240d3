//! A specification: what a task does, with typed inputs and outputs. Versions by digest.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::{
    Aggregate, Binding, Decision, Envelope, Event, Kind, Millis, Name, Problem, Reason, Rejection,
    RetryPolicy, Timeouts, Type,
    aggregate::cqrs_es_adapter,
    digest,
    pause::{self, Paused},
    task::{SpecificationRef, Template},
};

/// How the work is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Executable {
    /// A program: inputs as a JSON object on stdin, the result document on stdout. It ends with its
    /// first process: what that leaves in its process group is killed. What it writes to stderr goes
    /// to its log.
    Process {
        /// The program and its arguments.
        command: Vec<String>,
        /// Added to the environment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// Where it runs; default: a directory of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
    },
    /// A POST of the inputs; the answer is the result document.
    Http {
        /// Where to.
        url: String,
        /// Added to the request.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// A Rhai script that sees the inputs as variables and gives the result document.
    Rhai {
        /// The source.
        script: String,
    },
    /// Nothing: outputs are the inputs of the same names, else null.
    Noop,
    /// Waits, then gives fixed outputs.
    Sleep {
        /// How long.
        duration: Millis,
        /// What comes of it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
}

/// What a specification says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it reads.
    #[serde(default)]
    pub inputs: BTreeMap<String, Type>,
    /// What it writes.
    #[serde(default)]
    pub outputs: BTreeMap<String, Type>,
    /// How.
    #[serde(deserialize_with = "object")]
    pub executable: Executable,
    /// The set of required labels that executors are found by.
    #[serde(default = "default_queue")]
    pub queue: String,
    /// How often it is tried.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// How long it may take.
    #[serde(default)]
    pub timeouts: Timeouts,
}

impl Definition {
    /// Every problem that can be seen without knowing other definitions. Paths start with `path`.
    pub fn problems(&self, path: &[&str]) -> Vec<Problem> {
        let mut problems = self.retry.problems(&[path, &["retry"]].concat());
        problems.extend(self.timeouts.problems(&[path, &["timeouts"]].concat()));
        problems
    }
}

/// Reads an object, and no list: an enum with its tag within is read from one, too.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Executable, D::Error> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Executable;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with type, as in {type: noop}")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Executable, A::Error> {
            Executable::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object)
}

fn default_queue() -> String {
    "default".into()
}

/// The specification has a new version. References to named types have been replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub name: Name,
    /// Which version this is, 1 for the first.
    pub version: u64,
    /// Its content.
    pub digest: String,
    /// Who maintains it, if a program does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it says.
    pub definition: Definition,
}

impl Applied {
    /// How tasks refer to this version.
    pub fn reference(&self) -> SpecificationRef {
        SpecificationRef {
            name: self.name.clone(),
            version: self.version,
            digest: self.digest.clone(),
        }
    }

    /// A task of this version that reads `inputs`, as [`plan::bind_inputs`](crate::plan::bind_inputs)
    /// gives them; everything else as the specification has it.
    pub fn template(&self, inputs: BTreeMap<String, Binding>) -> Template {
        Template {
            specification: self.reference(),
            inputs,
            outputs: self.definition.outputs.clone(),
            queue: self.definition.queue.clone(),
            labels: BTreeMap::new(),
            retry: self.definition.retry.clone(),
            timeouts: self.definition.timeouts.clone(),
        }
    }
}

/// What can be asked of a specification.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make `definition` the latest version, if it is not.
    Apply {
        /// The name that the aggregate's id is derived from.
        name: Name,
        /// Who maintains it.
        source: Option<String>,
        /// What it says, types resolved.
        definition: Box<Definition>,
    },
    /// Let all its tasks wait.
    Pause {
        /// Why.
        reason: String,
    },
    /// Let them go on.
    Resume,
}

/// A specification, folded from its subject: all its versions, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Specification {
    /// Version `n` at index `n - 1`.
    pub versions: Vec<Applied>,
    /// Whether its tasks are to wait.
    #[serde(default)]
    pub paused: Option<Paused>,
}

impl Specification {
    /// The version that new tasks get.
    pub fn latest(&self) -> Option<&Applied> {
        self.versions.last()
    }

    fn apply(&self, name: &Name, source: Option<&str>, definition: &Definition) -> Option<Event> {
        let digest = digest(definition);
        if self.latest().is_some_and(|latest| latest.digest == digest) {
            return None;
        }
        Some(Event::SpecificationApplied(Applied {
            name: name.clone(),
            version: self.versions.len() as u64 + 1,
            digest,
            source: source.map(str::to_owned),
            definition: definition.clone(),
        }))
    }
}

impl Aggregate for Specification {
    const KIND: Kind = Kind::Specification;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::SpecificationApplied(applied) => self.versions.push(applied.clone()),
            Event::SpecificationPaused(paused) => self.paused = Some(paused.clone()),
            Event::SpecificationResumed(_) => self.paused = None,
            _ => {}
        }
    }

    fn decide(&self, command: &Command, envelope: &Envelope) -> Decision {
        let paused = self.paused.as_ref();
        match command {
            Command::Apply { name, source, definition } => {
                Ok(self.apply(name, source.as_deref(), definition))
            }
            _ if self.versions.is_empty() => {
                Err(Rejection::new(Reason::NotFound, "there is no such specification"))
            }
            Command::Pause { reason } => {
                Ok(pause::pause(paused, reason, envelope).map(Event::SpecificationPaused))
            }
            Command::Resume => Ok(pause::resume(paused, envelope).map(Event::SpecificationResumed)),
        }
    }
}

cqrs_es_adapter!(Specification);
