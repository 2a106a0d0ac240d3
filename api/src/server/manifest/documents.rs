//! Documents as they were given, read one by one.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{Name, Problem, Type, manifest::Manifest, specification};
use serde_json::Value;

use crate::contract::DocumentProblem;

/// Documents, read.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// Those that could be read, with their places.
    pub(super) read: Vec<(usize, Manifest)>,
    /// What is wrong with the others.
    pub(super) problems: Vec<DocumentProblem>,
    /// The names that unreadable specifications may have: what refers to them is not wrong.
    pub(super) unreadable: BTreeSet<String>,
}

impl Documents {
    /// Reads each document; a second one of the same kind and name is a problem.
    pub(super) fn read(documents: &[Value]) -> Self {
        let mut all = Self::default();
        let mut seen = BTreeMap::new();
        for (index, document) in documents.iter().enumerate() {
            let manifest = match Manifest::read(document) {
                Ok(manifest) => manifest,
                Err(problem) => {
                    all.problems.push(DocumentProblem { document: index, problem });
                    let name = document.pointer("/metadata/name").and_then(Value::as_str);
                    all.unreadable.extend(name.map(str::to_owned));
                    continue;
                }
            };
            let first = *seen.entry((kind(&manifest), name(&manifest).clone())).or_insert(index);
            if first == index {
                all.read.push((index, manifest));
            } else {
                let message = format!(
                    "document {first} is a {} of this name, too",
                    kind(&manifest).to_lowercase()
                );
                let problem = Problem::new(&["metadata", "name"], message);
                all.problems.push(DocumentProblem { document: index, problem });
            }
        }
        all
    }

    /// The types that documents refer to.
    pub(super) fn types_used(&self) -> BTreeSet<Name> {
        let mut used = BTreeSet::new();
        let mut add = |type_: &Type| used.extend(type_.references().into_iter().cloned());
        for (_, manifest) in &self.read {
            match manifest {
                Manifest::Type(_, _, type_) => add(type_),
                Manifest::Specification(_, definition) => {
                    types_of(definition).for_each(&mut add);
                }
                Manifest::Pipeline(_, definition) => definition.params.values().for_each(&mut add),
                Manifest::Policy(..) => {}
            }
        }
        used
    }

    /// The specifications that pipelines use.
    pub(super) fn specifications_used(&self) -> BTreeSet<Name> {
        let steps = self.read.iter().filter_map(|(_, manifest)| match manifest {
            Manifest::Pipeline(_, definition) => Some(definition.tasks.values()),
            _ => None,
        });
        steps.flatten().map(|step| step.specification.clone()).collect()
    }
}

fn types_of(definition: &specification::Definition) -> impl Iterator<Item = &Type> {
    definition.inputs.values().chain(definition.outputs.values())
}

/// `Specification`, `Type`, `Pipeline` or `Policy`.
pub(super) const fn kind(manifest: &Manifest) -> &'static str {
    match manifest {
        Manifest::Specification(..) => "Specification",
        Manifest::Type(..) => "Type",
        Manifest::Pipeline(..) => "Pipeline",
        Manifest::Policy(..) => "Policy",
    }
}

/// Its name.
pub(super) const fn name(manifest: &Manifest) -> &Name {
    match manifest {
        Manifest::Specification(name, _)
        | Manifest::Type(name, ..)
        | Manifest::Pipeline(name, _)
        | Manifest::Policy(name, _) => name,
    }
}
