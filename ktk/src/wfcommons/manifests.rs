//! The manifests.

use kantoku_domain::{Millis, Name, Reference, manifest::API_VERSION};
use serde_json::{Map, Value, json};

use super::{Converted, Options, Problems, graph::Graph, names, recording::Recording};

/// Some 30,000 years, as much as a duration may have.
const SLEEP_MS_MAX: f64 = 1e15;

pub(super) fn write(
    recording: &Recording,
    graph: &Graph,
    options: &Options,
    problems: &mut Problems,
) -> Converted {
    let pipeline =
        options.name.clone().unwrap_or_else(|| names::pipeline(recording.name.as_deref()));
    let mut documents = Vec::with_capacity(recording.tasks.len() + 1);
    let mut steps = Map::new();
    for (index, task) in recording.tasks.iter().enumerate() {
        let name = names::specification(&pipeline, &task.id);
        let sleep_ms = (task.runtime_seconds * options.time_scale * 1_000.0).round();
        if sleep_ms > SLEEP_MS_MAX {
            let path = index.to_string();
            problems.add(
                &recording.path(&path, &["runtimeInSeconds"]),
                format!("the scaled runtime of {:?} is too long", task.id),
                "use a smaller time scale",
            );
        }
        let duration = Millis(sleep_ms as u64);
        documents.push(document("Specification", &name, specification(recording, index, duration)));
        steps.insert(task.id.clone(), step(recording, graph, index, &name));
    }
    let spec = json!({
        "description": description(recording),
        "tasks": steps,
        "outputs": results(recording, graph),
    });
    documents.push(document("Pipeline", &pipeline, spec));
    Converted { pipeline, tasks: recording.tasks.len(), documents }
}

#[allow(clippy::needless_pass_by_value, reason = "the value moves into the document")]
fn document(kind: &str, name: &Name, spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn description(recording: &Recording) -> String {
    let said = recording.description.as_deref().unwrap_or("A recorded workflow");
    format!("{said} (WfFormat {})", recording.version)
}

/// What stands for a file.
fn file(recording: &Recording, name: &str) -> Value {
    match recording.sizes.get(name) {
        Some(size) => json!({"path": name, "size": size}),
        None => json!({"path": name}),
    }
}

fn specification(recording: &Recording, index: usize, duration: Millis) -> Value {
    let task = &recording.tasks[index];
    let type_ = json!({"struct": {"path": "string", "size": {"optional": "number"}}});
    let typed = |files: &mut dyn Iterator<Item = &String>| -> Map<String, Value> {
        files.map(|file| (file.clone(), type_.clone())).collect()
    };
    let written = task.writes.iter().map(|name| (name.clone(), file(recording, name)));
    json!({
        "description": format!("{}, as recorded", task.program.as_ref().unwrap_or(&task.id)),
        "inputs": typed(&mut task.reads.iter()),
        "outputs": typed(&mut task.writes.iter()),
        "executable": {
            "type": "sleep", "duration": duration, "outputs": written.collect::<Map<_, _>>(),
        },
    })
}

fn step(recording: &Recording, graph: &Graph, index: usize, specification: &Name) -> Value {
    let id = |index: usize| recording.tasks[index].id.clone();
    let with = graph.sources[index].iter().map(|(name, source)| {
        let value = match source {
            Some(writer) => reference(id(*writer), name),
            None => json!({"value": file(recording, name)}),
        };
        (name.clone(), value)
    });
    let mut step = json!({"use": specification, "with": with.collect::<Map<_, _>>()});
    if !graph.after[index].is_empty() {
        step["after"] = graph.after[index].iter().map(|index| id(*index)).collect();
    }
    if let Some(program) = &recording.tasks[index].program {
        step["labels"] = json!({"program": program});
    }
    step
}

/// The files that one task writes and nobody reads.
fn results(recording: &Recording, graph: &Graph) -> Map<String, Value> {
    let mut results = Map::new();
    for (name, writers) in &graph.writers {
        if let [writer] = writers[..] {
            results.insert(name.clone(), reference(recording.tasks[writer].id.clone(), name));
        }
    }
    for task in &recording.tasks {
        for read in &task.reads {
            results.remove(read);
        }
    }
    results
}

fn reference(owner: String, name: &str) -> Value {
    Reference { owner, name: name.to_owned() }.to_string().into()
}
