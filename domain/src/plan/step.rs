//! Whether a step is sound.

use std::collections::BTreeMap;

use super::{
    Specifications, inputs, waits,
    written::{Written, read_input},
};
use crate::{
    Name, Problem, Reference, Type,
    pipeline::{self, Step},
};

/// The path of something in a step of the manifest.
pub(super) fn step_path<'a>(step: &'a str, tail: &[&'a str]) -> Vec<&'a str> {
    [&["spec", "tasks", step], tail].concat()
}

/// Every problem of the step `name`.
pub(super) fn validate(
    pipeline: &pipeline::Definition,
    known: &Specifications,
    name: &str,
    step: &Step,
    problems: &mut Vec<Problem>,
) {
    waits::validate(pipeline, known, name, step, problems);
    if let Some(retry) = &step.retry {
        problems.extend(retry.problems(&step_path(name, &["retry"])));
    }
    if let Some(timeouts) = &step.timeouts {
        problems.extend(timeouts.problems(&step_path(name, &["timeouts"])));
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
            Ok(Written::Secret(name)) => problems.extend(type_.secret_problem(&name, &path)),
            Ok(Written::Edge { from, map }) => {
                let found = resolve(pipeline, known, &from, &path, problems);
                if map.is_none() && !from.is_param() && may_be_absent(step, type_) {
                    problems.push(absent(step, input, type_, &from, &path));
                }
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

/// Whether an edge may bring nothing to an input that needs something.
fn may_be_absent(step: &Step, type_: &Type) -> bool {
    step.when.tolerates_absence() && !type_.is_optional()
}

fn absent(step: &Step, input: &str, type_: &Type, from: &Reference, path: &[&str]) -> Problem {
    let what = format!(
        "when: {} runs the step even if {from} does not arrive, but {input} is {type_}",
        step.when.name()
    );
    Problem::new(path, what).suggest(Some(format!(
        "make the input optional in {}, or turn null into a value with a script: \
         {input}: {{from: {from}, map: \"…\"}}",
        step.specification
    )))
}

/// The type of what `from` points to, or a problem.
pub(super) fn resolve<'a>(
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
