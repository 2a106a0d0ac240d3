//! What a step waits for besides its inputs: `after`, `when` and `depends_on`, in which tasks are
//! named by their steps and resources as `$step.output`.

use std::collections::BTreeMap;

use super::{
    Specifications,
    step::{resolve, step_path},
    written::{Written, read_input},
};
use crate::{
    Dependency, Id, Problem, Reference, TriggerRule,
    dependency::{Expression, Trigger, Upstream},
    pipeline::{Definition, Step},
};

/// What a name in `depends_on` stands for.
enum Named {
    Step(String),
    Output(Reference),
    /// A task or a resource outside of the pipeline.
    Outside(Id),
}

/// What `name` stands for in `leaf`; the error says how it is written.
fn named(pipeline: &Definition, leaf: &Expression<String>, name: &str) -> Result<Named, String> {
    let is_resource = matches!(leaf, Expression::Resource(_));
    if is_resource && Reference::is_meant(name) {
        return Reference::parse(name).map(Named::Output);
    }
    if !is_resource && pipeline.tasks.contains_key(name) {
        return Ok(Named::Step(name.to_owned()));
    }
    name.parse().map(Named::Outside).map_err(|_| {
        if is_resource {
            format!("{name:?} is no resource: write $step.output, or an id")
        } else {
            format!("there is no step {name:?}")
        }
    })
}

/// The steps that `step` names in `depends_on`. Names that do not exist are left out.
pub(super) fn named_steps(pipeline: &Definition, step: &Step) -> Vec<String> {
    let leaves = step.depends_on.iter().flat_map(Expression::leaves);
    leaves
        .filter_map(|leaf| match named(pipeline, leaf, leaf.named()?).ok()? {
            Named::Step(step) => Some(step),
            Named::Output(from) => Some(from.owner),
            Named::Outside(_) => None,
        })
        .collect()
}

/// Every problem of what the step `name` waits for.
pub(super) fn validate(
    pipeline: &Definition,
    known: &Specifications,
    name: &str,
    step: &Step,
    problems: &mut Vec<Problem>,
) {
    let steps = || pipeline.tasks.keys().map(String::as_str);
    for after in step.after.iter().filter(|after| !pipeline.tasks.contains_key(*after)) {
        let path = step_path(name, &["after"]);
        let problem = Problem::new(&path, format!("there is no step {after:?}"));
        problems.push(problem.did_you_mean(after, steps()));
    }
    if step.when != TriggerRule::default() && upstream(step).is_empty() {
        let what =
            format!("when: {} is about the steps before, and there are none", step.when.name());
        problems.push(
            Problem::new(&step_path(name, &["when"]), what)
                .suggest(Some("name some in after, or read their outputs".into())),
        );
    }
    let Some(dependency) = &step.depends_on else { return };
    let path = step_path(name, &["depends_on"]);
    problems.extend(dependency.problems(&path));
    dependency.walk(&path, &mut |leaf, path, _| {
        let Some(text) = leaf.named() else { return true };
        match named(pipeline, leaf, text) {
            Ok(Named::Output(from)) if from.is_param() => problems.push(Problem::new(
                path,
                "a parameter is there from the start: there is nothing to wait for",
            )),
            Ok(Named::Output(from)) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                resolve(pipeline, known, &from, &path, problems);
            }
            Ok(_) => {}
            Err(message) => problems.push(Problem::new(path, message).did_you_mean(text, steps())),
        }
        true
    });
}

/// The steps whose outputs `step` reads, with the inputs that they go to, and those that only come
/// before.
fn upstream(step: &Step) -> BTreeMap<String, Vec<String>> {
    let mut upstream: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (input, value) in &step.with {
        if let Ok(Written::Edge { from, .. }) = read_input(value)
            && !from.is_param()
        {
            upstream.entry(from.owner).or_default().push(input.clone());
        }
    }
    for after in &step.after {
        upstream.entry(after.clone()).or_default();
    }
    upstream
}

/// The rule of a step, unless it is the usual one.
pub(super) fn trigger(step: &Step, task_id: &impl Fn(&str) -> Id) -> Option<Trigger> {
    let upstream = upstream(step).into_iter();
    let upstream = upstream.map(|(step, inputs)| Upstream { task: task_id(&step), inputs });
    (step.when != TriggerRule::AllOk)
        .then(|| Trigger { rule: step.when, upstream: upstream.collect() })
}

/// What has to hold besides, with ids in place of names. The step is sound.
pub(super) fn depends_on(
    pipeline: &Definition,
    step: &Step,
    task_id: &impl Fn(&str) -> Id,
    output_id: &impl Fn(&Reference) -> Id,
) -> Option<Dependency> {
    let id = |leaf: &Expression<String>, name: &String| match named(pipeline, leaf, name)? {
        Named::Step(step) => Ok(task_id(&step)),
        Named::Output(from) => Ok(output_id(&from)),
        Named::Outside(id) => Ok::<_, String>(id),
    };
    let written = step.depends_on.as_ref().and_then(|it| it.rename(&mut { id }).ok());
    let after = (step.when == TriggerRule::AllOk).then_some(&step.after).into_iter().flatten();
    let mut parts: Vec<_> = after.map(|step| Dependency::Task(task_id(step))).collect();
    if parts.is_empty() {
        return written;
    }
    parts.extend(written);
    Some(Dependency::All(parts))
}
