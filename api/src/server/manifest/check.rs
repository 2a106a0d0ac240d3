//! All documents against each other and against what exists. Pure, and all problems at once.

use kantoku_domain::{Name, Problem, Type, manifest::Manifest, pipeline, plan, specification};

use super::{
    documents::Documents,
    known::Known,
    scripts::Scripts,
    types::{Types, Unresolved},
};
use crate::{ApiError, contract::DocumentProblem, server::sound};

/// What a check came to.
pub(super) struct Checked {
    /// The documents, their types replaced, with their places.
    pub(super) sound: Vec<(usize, Manifest)>,
    /// All there are, in the order of the documents.
    pub(super) problems: Vec<DocumentProblem>,
    /// The problems, by index, that are a name which does not exist.
    pub(super) unknown: Vec<(usize, Unknown)>,
}

/// A name that does not exist.
pub(super) enum Unknown {
    Specification(String),
    Type(String),
}

/// Checks everything. Fails only when it could not be checked.
pub(super) fn check(documents: Documents, known: &Known) -> Result<Checked, ApiError> {
    let Documents { mut read, problems, unreadable } = documents;
    let mut found = Found { problems, unknown: vec![] };
    replace_types(&mut read, known, &mut found);
    let mut scripts = Scripts::new();
    let specifications = specifications(&read, known);
    for (index, manifest) in &read {
        match manifest {
            Manifest::Type(_, _, type_) => {
                found.add(*index, sound::type_(type_, &["spec", "type"]));
            }
            Manifest::Specification(_, definition) => {
                found.add(*index, sound::specification(definition));
                found.add(*index, scripts.of_specification(definition)?);
            }
            Manifest::Pipeline(_, definition) => {
                found.add(*index, sound::pipeline(definition));
                for problem in plan::validate(definition, &specifications) {
                    match unknown_specification(definition, &problem, &specifications) {
                        Some(name) if unreadable.contains(name) => {}
                        Some(name) => {
                            let unknown = Unknown::Specification(name.to_owned());
                            found.add_unknown(*index, problem, unknown);
                        }
                        None => found.add(*index, [problem]),
                    }
                }
                found.add(*index, scripts.of_pipeline(definition)?);
            }
            Manifest::Policy(_, definition) => found.add(*index, definition.problems(&["spec"])),
        }
    }
    Ok(found.in_order(read))
}

#[derive(Default)]
struct Found {
    problems: Vec<DocumentProblem>,
    unknown: Vec<(usize, Unknown)>,
}

impl Found {
    fn add(&mut self, document: usize, problems: impl IntoIterator<Item = Problem>) {
        let of = |problem| DocumentProblem { document, problem };
        self.problems.extend(problems.into_iter().map(of));
    }

    fn add_unknown(&mut self, document: usize, problem: Problem, name: Unknown) {
        self.unknown.push((self.problems.len(), name));
        self.add(document, [problem]);
    }

    fn in_order(self, sound: Vec<(usize, Manifest)>) -> Checked {
        let mut order: Vec<usize> = (0..self.problems.len()).collect();
        order.sort_by_key(|index| self.problems[*index].document);
        let unknown = self.unknown.into_iter().filter_map(|(index, name)| {
            Some((order.iter().position(|sorted| *sorted == index)?, name))
        });
        let unknown = unknown.collect();
        let mut problems = self.problems;
        problems.sort_by_key(|problem| problem.document);
        Checked { sound, problems, unknown }
    }
}

/// Replaces references to named types in all documents.
fn replace_types(read: &mut [(usize, Manifest)], known: &Known, found: &mut Found) {
    let declared: Vec<(Name, Type)> = read
        .iter()
        .filter_map(|(_, manifest)| match manifest {
            Manifest::Type(name, _, type_) => Some((name.clone(), type_.clone())),
            _ => None,
        })
        .collect();
    let mut types = Types::new(declared.iter().map(|(name, type_)| (name, type_)), &known.types);
    for (index, manifest) in read {
        match manifest {
            Manifest::Type(name, _, type_) => {
                let resolved = types.resolve_declared(name);
                replace(type_, resolved, *index, &["spec", "type"], &types, found);
            }
            Manifest::Specification(_, definition) => {
                let specification::Definition { inputs, outputs, .. } = &mut **definition;
                for (what, of) in [("inputs", inputs), ("outputs", outputs)] {
                    for (name, type_) in of {
                        let resolved = types.resolve(type_);
                        replace(type_, resolved, *index, &["spec", what, name], &types, found);
                    }
                }
            }
            Manifest::Pipeline(_, definition) => {
                for (name, type_) in &mut definition.params {
                    let resolved = types.resolve(type_);
                    replace(type_, resolved, *index, &["spec", "params", name], &types, found);
                }
            }
            Manifest::Policy(..) => {}
        }
    }
}

/// What cannot be resolved is `unknown` from here on, so that it is complained of once.
fn replace(
    type_: &mut Type,
    resolved: Result<Type, Unresolved>,
    document: usize,
    path: &[&str],
    types: &Types<'_>,
    found: &mut Found,
) {
    *type_ = resolved.unwrap_or_else(|unresolved| {
        let problem = unresolved.problem(path, types);
        match unresolved {
            Unresolved::Missing(name) => {
                found.add_unknown(document, problem, Unknown::Type(name.to_string()));
            }
            Unresolved::Cycle(_) => found.add(document, [problem]),
        }
        Type::Unknown
    });
}

/// The specifications as they would be: those of the documents, and those that exist.
fn specifications(read: &[(usize, Manifest)], known: &Known) -> plan::Specifications {
    let latest = known
        .specifications
        .iter()
        .filter_map(|(name, loaded)| Some((name.clone(), loaded.state.latest()?.clone())));
    let declared = read.iter().filter_map(|(_, manifest)| match manifest {
        Manifest::Specification(name, definition) => {
            // Version and digest do not matter to how steps fit together.
            let applied = specification::Applied {
                name: name.clone(),
                version: 0,
                digest: String::new(),
                source: None,
                definition: (**definition).clone(),
            };
            Some((name.clone(), applied))
        }
        _ => None,
    });
    latest.chain(declared).collect()
}

/// The name, if the problem is that a step uses a specification that does not exist.
fn unknown_specification<'a>(
    definition: &'a pipeline::Definition,
    problem: &Problem,
    specifications: &plan::Specifications,
) -> Option<&'a str> {
    let ["spec", "tasks", step, "use"] =
        problem.path.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let name = &definition.tasks.get(step)?.specification;
    (!specifications.contains_key(name)).then_some(name.as_str())
}
