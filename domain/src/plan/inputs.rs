//! The inputs of a task against what its specification asks for.

use std::collections::BTreeMap;

use crate::{Binding, Problem, Source, Type, specification};

/// Binds the inputs of a task that is no step of a pipeline: one that is spawned alone, or a child.
/// Fails with all problems there are; their paths start with `inputs`.
///
/// A value is checked against its type here, so give it whole, and move a large one into a blob
/// afterwards. What a blob or a resource holds is checked when the task runs.
pub fn bind_inputs(
    specification: &specification::Applied,
    given: BTreeMap<String, Source>,
) -> Result<BTreeMap<String, Binding>, Vec<Problem>> {
    let mut problems = missing(specification, &["inputs"], |name| given.contains_key(name));
    let mut bound = BTreeMap::new();
    for (name, source) in given {
        let path = ["inputs", &name];
        let Some(type_) = specification.definition.inputs.get(&name) else {
            problems.push(surplus(specification, &path, &name));
            continue;
        };
        if let Source::Value(value) = &source
            && let Err(error) = type_.check(value)
        {
            problems.push(Problem::new(&path, error.to_string()));
        }
        if let Source::Secret(secret) = &source {
            problems.extend(type_.secret_problem(secret, &path));
        }
        bound.insert(name, Binding { source, type_: type_.clone(), map: None, names: vec![] });
    }
    if problems.is_empty() { Ok(bound) } else { Err(problems) }
}

/// The inputs that have to be given and are not.
pub(super) fn missing(
    specification: &specification::Applied,
    path: &[&str],
    is_given: impl Fn(&str) -> bool,
) -> Vec<Problem> {
    let problem = |(name, type_): (&String, &Type)| {
        let what = format!("input {name:?} ({type_}) of {} is missing", specification.name);
        (!type_.is_optional() && !is_given(name)).then(|| Problem::new(path, what))
    };
    specification.definition.inputs.iter().filter_map(problem).collect()
}

/// An input that nobody asked for.
pub(super) fn surplus(
    specification: &specification::Applied,
    path: &[&str],
    name: &str,
) -> Problem {
    let known = specification.definition.inputs.keys().map(String::as_str);
    Problem::new(path, format!("{} has no input {name:?}", specification.name))
        .did_you_mean(name, known)
}
