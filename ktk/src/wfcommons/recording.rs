//! A recording, whatever version it was written in.

use std::collections::{BTreeSet, HashMap};

use kantoku_domain::plan::STEPS_MAX;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use super::{
    Problems,
    format::{Command, File, Flat, FlatTask, Header, Link, Split, SplitTask},
};

pub(super) struct Recording {
    pub(super) version: &'static str,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) tasks: Vec<Task>,
    /// Files to bytes.
    pub(super) sizes: HashMap<String, Number>,
    /// What parents and children are looked up by first.
    pub(super) refers_by: Key,
}

#[derive(Default)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) program: Option<String>,
    pub(super) parents: Vec<String>,
    pub(super) children: Vec<String>,
    pub(super) reads: BTreeSet<String>,
    pub(super) writes: BTreeSet<String>,
    pub(super) runtime_seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Id,
    Name,
}

const VERSIONS: [&str; 3] = ["1.4", "1.5", "1.6"];
const ADVICE: &str = "WfFormat 1.4, 1.5 and 1.6 are read; its repository has a tool that migrates older recordings (wfcommons-migrate-instance.py)";

impl Recording {
    /// Reads a recording. `None` when it cannot be read; then `problems` say why.
    pub(super) fn read(json: &str, problems: &mut Problems) -> Option<Self> {
        let header: Header = parse(json, problems)?;
        let text = match &header.version {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => {
                problems.add(&["schemaVersion"], "this is no WfFormat: it has no version", ADVICE);
                return None;
            }
        };
        let Some(version) = VERSIONS.into_iter().find(|known| *known == text) else {
            let message = format!("the version {text:?} of WfFormat is not known");
            problems.add(&["schemaVersion"], message, ADVICE);
            return None;
        };
        let recording = match version {
            "1.4" => Self::flat(parse(json, problems)?),
            _ => Self::split(version, parse(json, problems)?),
        };
        recording.check(problems);
        Some(recording)
    }

    fn flat(file: File<Flat>) -> Self {
        let mut sizes = HashMap::new();
        let tasks = file.workflow.tasks.into_iter().map(|task| flat_task(task, &mut sizes));
        Self {
            version: "1.4",
            tasks: tasks.collect(),
            name: file.name,
            description: file.description,
            sizes,
            refers_by: Key::Name,
        }
    }

    fn split(version: &'static str, file: File<Split>) -> Self {
        let Split { specification, execution } = file.workflow;
        let executed = execution.map(|execution| execution.tasks).unwrap_or_default();
        let mut executed: HashMap<String, _> =
            executed.into_iter().map(|task| (task.id.clone(), task)).collect();
        let tasks = specification.tasks.into_iter().map(|task| {
            let measured = executed.remove(&task.id);
            let runtime = measured.as_ref().and_then(|task| task.runtime_seconds);
            split_task(task, runtime, measured.and_then(|task| task.command))
        });
        let size = |file: super::format::SplitFile| Some((file.id, file.size_bytes?));
        Self {
            version,
            tasks: tasks.collect(),
            name: file.name,
            description: file.description,
            sizes: specification.files.into_iter().filter_map(size).collect(),
            refers_by: Key::Id,
        }
    }

    /// The path of something in a task.
    pub(super) fn path<'a>(&self, index: &'a str, tail: &[&'a str]) -> Vec<&'a str> {
        let mut path = match self.refers_by {
            Key::Name => vec!["workflow", "tasks", index],
            Key::Id => vec!["workflow", "specification", "tasks", index],
        };
        path.extend(tail);
        path
    }

    /// Whether the tasks can be steps.
    fn check(&self, problems: &mut Problems) {
        if self.tasks.is_empty() || self.tasks.len() > STEPS_MAX {
            let mut path = self.path("", &[]);
            path.pop();
            let message =
                format!("a workflow has 1 to {STEPS_MAX} tasks, not {}", self.tasks.len());
            problems.add(&path, message, "import a recording of such a size");
        }
        let mut known = HashMap::new();
        for (index, task) in self.tasks.iter().enumerate() {
            let text = index.to_string();
            let mut wrong = |field: &str, message: String, advice: &str| {
                problems.add(&self.path(&text, &[field]), message, advice);
            };
            if let Some(first) = known.insert(task.id.as_str(), index) {
                let message = format!("the id {:?} belongs to task {first} already", task.id);
                wrong("id", message, "give each task an id of its own, as the format asks");
            }
            if task.id == kantoku_domain::Reference::PARAMS {
                let message = "a step cannot be called \"params\"".to_owned();
                wrong("id", message, "call the task otherwise");
            }
            let files = task.reads.iter().chain(&task.writes);
            for name in files.chain([&task.id]).filter(|name| !is_visible(name)) {
                let message = format!("the name {name:?} of a task or file cannot be shown");
                wrong(
                    "id",
                    message,
                    "use one or more characters, none of them a control character",
                );
            }
            if task.runtime_seconds < 0.0 {
                let message = format!("the measured runtime of {:?} is negative", task.id);
                wrong("runtimeInSeconds", message, "correct it, or leave it out: it counts as 0");
            }
        }
    }
}

fn is_visible(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

fn parse<T: DeserializeOwned>(json: &str, problems: &mut Problems) -> Option<T> {
    serde_json::from_str(json)
        .map_err(|error| {
            let advice = match error.classify() {
                serde_json::error::Category::Data => {
                    "compare that place with the schema at https://github.com/wfcommons/WfFormat"
                }
                _ => "give a whole JSON file, such as one from https://github.com/wfcommons/WfInstances",
            };
            problems.add(&[], format!("the recording cannot be read: {error}"), advice);
        })
        .ok()
}

fn flat_task(task: FlatTask, sizes: &mut HashMap<String, Number>) -> Task {
    let mut read = Task {
        id: task.id.unwrap_or_else(|| task.name.clone()),
        name: Some(task.name),
        program: task.category.or(task.command.and_then(|command| command.program)),
        parents: task.parents,
        children: task.children,
        runtime_seconds: task.runtime_seconds.unwrap_or_default(),
        ..Task::default()
    };
    for file in task.files {
        // Two files of one name in different directories are two files.
        let name = file.path.unwrap_or_default() + file.name.as_str();
        if let Some(size) = file.size_bytes {
            sizes.entry(name.clone()).or_insert(size);
        }
        match file.link {
            Link::Input => read.reads.insert(name),
            Link::Output => read.writes.insert(name),
        };
    }
    read
}

fn split_task(task: SplitTask, runtime: Option<f64>, command: Option<Command>) -> Task {
    Task {
        id: task.id,
        name: task.name,
        program: command.and_then(|command| command.program),
        parents: task.parents,
        children: task.children,
        reads: task.input_files.into_iter().collect(),
        writes: task.output_files.into_iter().collect(),
        runtime_seconds: runtime.unwrap_or_default(),
    }
}
