//! From a pipeline to tasks: first whether it is sound, then the tasks with their ids.

mod inputs;
mod order;
mod step;
mod waits;
mod written;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Binding, BlobRef, Id, Name, Problem, Reference, Source, Type, context, pipeline, specification,
    task,
};
use written::{Written, read_input};

pub use inputs::bind_inputs;

/// The specifications that a pipeline uses, at the versions that it will run with.
pub type Specifications = BTreeMap<Name, specification::Applied>;

/// How many steps a pipeline may have.
pub const STEPS_MAX: usize = 50_000;

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
        step::validate(pipeline, known, name, step, &mut problems);
    }
    for (name, text) in &pipeline.outputs {
        let path = ["spec", "outputs", name];
        match Reference::parse(text) {
            Ok(from) if from.is_param() => problems.push(Problem::new(
                &path,
                "an output of a pipeline is the output of a step, not a parameter",
            )),
            Ok(from) => {
                step::resolve(pipeline, known, &from, &path, &mut problems);
            }
            Err(message) => problems.push(Problem::new(&path, message)),
        }
    }
    if let Some(cycle) = order::find_cycle(pipeline) {
        problems.push(Problem::new(
            &["spec", "tasks", &cycle[0]],
            format!("the steps wait for each other: {}", cycle.join(" → ")),
        ));
    }
    problems
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
            Written::Secret(name) => (Source::Secret(name), None, None),
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
        task.when = waits::trigger(step, &task_id);
        task.depends_on = waits::depends_on(definition, step, &task_id, &output_id);
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
