//! From a pipeline to tasks: first whether it is sound, then the tasks with their ids.

mod inputs;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    Binding, BlobRef, Dependency, Id, Name, Problem, Reference, Source, Type, context,
    pipeline::{self, Step},
    specification, task,
};

pub use inputs::bind_inputs;

/// The specifications that a pipeline uses, at the versions that it will run with.
pub type Specifications = BTreeMap<Name, specification::Applied>;

/// How many steps a pipeline may have.
pub const STEPS_MAX: usize = 50_000;

/// An input of a step as written.
enum Written {
    Literal(Value),
    Edge { from: Reference, map: Option<String> },
}

/// Every problem of `pipeline`: unknown names, missing or surplus inputs, types of edges, cycles.
/// Paths start at the manifest's root. `known` are the specifications that exist by now.
pub fn validate(pipeline: &pipeline::Definition, known: &Specifications) -> Vec<Problem> {
    let mut problems = Vec::new();
    if pipeline.tasks.is_empty() || pipeline.tasks.len() > STEPS_MAX {
        problems.push(Problem::new(
            &["spec", "tasks"],
            format!("a pipeline has 1 to {STEPS_MAX} tasks, not {}", pipeline.tasks.len()),
        ));
    }
    if pipeline.tasks.contains_key(Reference::PARAMS) {
        problems.push(Problem::new(
            &["spec", "tasks", Reference::PARAMS],
            "a step cannot be called params: $params.… are the pipeline's parameters",
        ));
    }
    for (name, step) in &pipeline.tasks {
        validate_step(pipeline, known, name, step, &mut problems);
    }
    for (name, text) in &pipeline.outputs {
        let path = ["spec", "outputs", name];
        match Reference::parse(text) {
            Ok(from) if from.is_param() => problems.push(Problem::new(
                &path,
                "an output of a pipeline is the output of a step, not a parameter",
            )),
            Ok(from) => {
                resolve(pipeline, known, &from, &path, &mut problems);
            }
            Err(message) => problems.push(Problem::new(&path, message)),
        }
    }
    if let Some(cycle) = find_cycle(pipeline) {
        problems.push(Problem::new(
            &["spec", "tasks", &cycle[0]],
            format!("the steps wait for each other: {}", cycle.join(" → ")),
        ));
    }
    problems
}

/// The path of something in a step of the manifest.
fn step_path<'a>(step: &'a str, tail: &[&'a str]) -> Vec<&'a str> {
    [&["spec", "tasks", step], tail].concat()
}

fn validate_step(
    pipeline: &pipeline::Definition,
    known: &Specifications,
    name: &str,
    step: &Step,
    problems: &mut Vec<Problem>,
) {
    for after in &step.after {
        if !pipeline.tasks.contains_key(after) {
            problems.push(
                Problem::new(&step_path(name, &["after"]), format!("there is no step {after:?}"))
                    .did_you_mean(after, pipeline.tasks.keys().map(String::as_str)),
            );
        }
    }
    let Some(specification) = known.get(&step.specification) else {
        let wrong = step.specification.as_str();
        problems.push(
            Problem::new(
                &step_path(name, &["use"]),
                format!("there is no specification {wrong:?}"),
            )
            .did_you_mean(wrong, known.keys().map(Name::as_str)),
        );
        return;
    };
    let is_given = |input: &str| step.with.contains_key(input);
    problems.extend(inputs::missing(specification, &step_path(name, &["with"]), is_given));
    for (input, value) in &step.with {
        let path = step_path(name, &["with", input]);
        let Some(type_) = specification.definition.inputs.get(input) else {
            problems.push(inputs::surplus(specification, &path, input));
            continue;
        };
        match read_input(value) {
            Err(message) => problems.push(Problem::new(&path, message)),
            Ok(Written::Literal(value)) => {
                if let Err(error) = type_.check(&value) {
                    problems.push(Problem::new(&path, error.to_string()));
                }
            }
            Ok(Written::Edge { from, map }) => {
                let found = resolve(pipeline, known, &from, &path, problems);
                // A script may make anything of the value: what it makes is checked in the run.
                if let (Some(found), None) = (found, map)
                    && !found.fits(type_)
                {
                    problems.push(
                        Problem::new(&path, format!("{from} is {found}, but {input} is {type_}"))
                            .suggest(Some(format!(
                                "fit it with a script: {input}: {{from: {from}, map: \"…\"}}"
                            ))),
                    );
                }
            }
        }
    }
}

/// The type of what `from` points to, or a problem.
fn resolve<'a>(
    pipeline: &'a pipeline::Definition,
    known: &'a Specifications,
    from: &Reference,
    path: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<&'a Type> {
    let names: BTreeMap<&str, &Type>;
    let what = if from.is_param() {
        names = pipeline.params.iter().map(|(name, type_)| (name.as_str(), type_)).collect();
        "the pipeline has no parameter"
    } else {
        let Some(step) = pipeline.tasks.get(&from.owner) else {
            problems.push(
                Problem::new(path, format!("there is no step {:?}", from.owner))
                    .did_you_mean(&from.owner, pipeline.tasks.keys().map(String::as_str)),
            );
            return None;
        };
        // An unknown specification is reported where it is used.
        let outputs = &known.get(&step.specification)?.definition.outputs;
        names = outputs.iter().map(|(name, type_)| (name.as_str(), type_)).collect();
        "the step has no output"
    };
    let found = names.get(from.name.as_str()).copied();
    if found.is_none() {
        problems.push(
            Problem::new(path, format!("{from}: {what} {:?}", from.name))
                .did_you_mean(&from.name, names.keys().copied()),
        );
    }
    found
}

/// `$ref`, `{from, map}`, `{value}`, or a literal.
fn read_input(value: &Value) -> Result<Written, String> {
    match value {
        Value::String(text) if Reference::is_meant(text) => {
            Ok(Written::Edge { from: Reference::parse(text)?, map: None })
        }
        Value::String(text) if text.starts_with("$$") => Ok(Written::Literal(text[1..].into())),
        Value::Object(map) if map.len() == 1 && map.contains_key("value") => {
            Ok(Written::Literal(map["value"].clone()))
        }
        Value::Object(map) if map.contains_key("from") => {
            if let Some(key) = map.keys().find(|key| !matches!(key.as_str(), "from" | "map")) {
                return Err(format!(
                    "{key:?} does not belong beside from; write {{from, map}}, or {{value: …}} for a literal"
                ));
            }
            let text = |key: &str| match map.get(key) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(_) => Err(format!("{key} is not a text")),
            };
            let from = text("from")?.unwrap_or_default();
            Ok(Written::Edge { from: Reference::parse(&from)?, map: text("map")? })
        }
        literal => Ok(Written::Literal(literal.clone())),
    }
}

/// The steps that `step` waits for. Names that do not exist are left out.
fn predecessors<'a>(pipeline: &'a pipeline::Definition, step: &'a Step) -> BTreeSet<&'a str> {
    let edge = |value| match read_input(value) {
        Ok(Written::Edge { from, .. }) if !from.is_param() => Some(from.owner),
        _ => None,
    };
    step.with
        .values()
        .filter_map(edge)
        .chain(step.after.iter().cloned())
        .filter_map(|name| pipeline.tasks.get_key_value(&name))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// A cycle, its first step repeated at the end. Depth-first search with an explicit stack.
fn find_cycle(pipeline: &pipeline::Definition) -> Option<Vec<String>> {
    let mut waits: BTreeMap<&str, Vec<&str>> = pipeline
        .tasks
        .iter()
        .map(|(name, step)| (name.as_str(), predecessors(pipeline, step).into_iter().collect()))
        .collect();
    let mut done = BTreeSet::new();
    for start in pipeline.tasks.keys() {
        let mut trail = vec![start.as_str()];
        while let Some(&step) = trail.last() {
            match waits.get_mut(step).and_then(Vec::pop) {
                Some(next) if done.contains(next) => {}
                Some(next) => {
                    if let Some(from) = trail.iter().position(|name| *name == next) {
                        let mut cycle: Vec<_> =
                            trail[from..].iter().rev().map(ToString::to_string).collect();
                        cycle.push(cycle[0].clone());
                        return Some(cycle);
                    }
                    trail.push(next);
                }
                None => {
                    done.insert(step);
                    trail.pop();
                }
            }
        }
    }
    None
}

/// Parameters checked against what the pipeline asks for.
pub fn check_params(
    pipeline: &pipeline::Definition,
    params: &BTreeMap<String, Value>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, type_) in &pipeline.params {
        match params.get(name) {
            None if type_.is_optional() => {}
            None => problems.push(Problem::new(
                &["params", name],
                format!("parameter {name:?} ({type_}) is missing"),
            )),
            Some(value) => {
                if let Err(error) = type_.check(value) {
                    problems.push(Problem::new(&["params", name], error.to_string()));
                }
            }
        }
    }
    for name in params.keys().filter(|name| !pipeline.params.contains_key(*name)) {
        problems.push(
            Problem::new(&["params", name], format!("the pipeline has no parameter {name:?}"))
                .did_you_mean(name, pipeline.params.keys().map(String::as_str)),
        );
    }
    problems
}

/// Plans a run of `pipeline` in `context_id`: all tasks, with ids derived from the context's.
/// `large` are the parameters that travel as blobs. Fails with all problems there are.
pub fn plan(
    pipeline: &pipeline::Applied,
    known: &Specifications,
    params: &BTreeMap<String, Value>,
    large: &BTreeMap<String, BlobRef>,
    context_id: Id,
) -> Result<context::Opened, Vec<Problem>> {
    let definition = &pipeline.definition;
    let mut problems = validate(definition, known);
    problems.extend(check_params(definition, params));
    if !problems.is_empty() {
        return Err(problems);
    }
    let partition = context_id.partition();
    let task_id = |step: &str| context_id.derive(&format!("step:{step}"), partition);
    let output_id = |from: &Reference| task_id(&from.owner).derive(&from.name, partition);

    let bind = |value: &Value, type_: &Type| -> Option<Binding> {
        // Validated above: what cannot be read was reported there.
        let (source, map, name) = match read_input(value).ok()? {
            Written::Literal(value) => (Source::Value(value), None, None),
            Written::Edge { from, map } if from.is_param() => {
                let source = match large.get(&from.name) {
                    Some(blob) => Source::Blob(blob.clone()),
                    None => Source::Value(params.get(&from.name).cloned().unwrap_or_default()),
                };
                (source, map, Some(from.name))
            }
            Written::Edge { from, map } => {
                (Source::Resource(output_id(&from)), map, Some(from.name))
            }
        };
        let names = if map.is_some() { name.into_iter().collect() } else { vec![] };
        Some(Binding { source, type_: type_.clone(), map, names })
    };
    let planned = definition.tasks.iter().map(|(name, step)| {
        let specification = &known[&step.specification];
        let inputs = step.with.iter().filter_map(|(input, value)| {
            let type_ = specification.definition.inputs.get(input)?;
            Some((input.clone(), bind(value, type_)?))
        });
        let mut template = specification.template(inputs.collect());
        template.labels.clone_from(&step.labels);
        if let Some(retry) = &step.retry {
            template.retry.clone_from(retry);
        }
        if let Some(timeouts) = &step.timeouts {
            template.timeouts.clone_from(timeouts);
        }
        let id = task_id(name);
        let mut task = template.spawned(id, Some(name.clone()), context_id, None);
        task.priority = step.priority;
        let after: Vec<_> = step.after.iter().map(|s| Dependency::Task(task_id(s))).collect();
        task.depends_on = (!after.is_empty()).then_some(Dependency::All(after));
        task::Planned { id, task }
    });
    let outputs = definition
        .outputs
        .iter()
        .filter_map(|(name, text)| Some((name.clone(), output_id(&Reference::parse(text).ok()?))));
    Ok(context::Opened {
        pipeline: context::PipelineRef {
            name: pipeline.name.clone(),
            version: pipeline.version,
            digest: pipeline.digest.clone(),
        },
        params: params
            .iter()
            .filter(|(name, _)| !large.contains_key(*name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect(),
        plan: planned.collect(),
        outputs: outputs.collect(),
        labels: BTreeMap::new(),
    })
}
