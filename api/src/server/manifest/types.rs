//! References to named types, replaced by what they stand for.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{Name, NamedType, Problem, Type};
use kantoku_streams::Loaded;

/// What named types stand for: those of the documents, and those that exist.
pub(super) struct Types<'a> {
    declared: BTreeMap<&'a Name, &'a Type>,
    known: &'a BTreeMap<Name, Loaded<NamedType>>,
    /// Declared types, their references replaced. What cannot be is `unknown`, so that it is
    /// complained of once.
    resolved: BTreeMap<Name, Type>,
}

/// Why a reference cannot be replaced.
pub(super) enum Unresolved {
    /// There is no such type.
    Missing(Name),
    /// The types stand for each other.
    Cycle(Vec<Name>),
}

impl<'a> Types<'a> {
    pub(super) fn new(
        declared: impl IntoIterator<Item = (&'a Name, &'a Type)>,
        known: &'a BTreeMap<Name, Loaded<NamedType>>,
    ) -> Self {
        Self { declared: declared.into_iter().collect(), known, resolved: BTreeMap::new() }
    }

    /// `type_` without references.
    pub(super) fn resolve(&mut self, type_: &Type) -> Result<Type, Unresolved> {
        self.resolve_in(type_, &mut Vec::new())
    }

    /// The same for the declared type `name`.
    pub(super) fn resolve_declared(&mut self, name: &Name) -> Result<Type, Unresolved> {
        self.stand_for(name, &mut Vec::new())
    }

    fn resolve_in(&mut self, type_: &Type, trail: &mut Vec<Name>) -> Result<Type, Unresolved> {
        let names: BTreeSet<Name> = type_.references().into_iter().cloned().collect();
        let mut stands = BTreeMap::new();
        for name in names {
            let type_ = self.stand_for(&name, trail)?;
            stands.insert(name, type_);
        }
        type_.resolve(&|name| stands.get(name).cloned()).map_err(Unresolved::Missing)
    }

    fn stand_for(&mut self, name: &Name, trail: &mut Vec<Name>) -> Result<Type, Unresolved> {
        if let Some(type_) = self.resolved.get(name) {
            return Ok(type_.clone());
        }
        let Some(type_) = self.declared.get(name).copied() else {
            let latest = self.known.get(name).and_then(|known| known.state.latest.as_ref());
            let found = latest.map(|latest| latest.definition.clone());
            return found.ok_or_else(|| Unresolved::Missing(name.clone()));
        };
        if let Some(from) = trail.iter().position(|seen| seen == name) {
            let mut cycle = trail[from..].to_vec();
            cycle.push(name.clone());
            return Err(Unresolved::Cycle(cycle));
        }
        trail.push(name.clone());
        let resolved = self.resolve_in(type_, trail);
        trail.pop();
        // Remembered even when it failed: who refers to it is not to blame.
        self.resolved.insert(name.clone(), resolved.as_ref().map_or(Type::Unknown, Clone::clone));
        resolved
    }

    /// The names that could be meant.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let known = self.known.iter().filter(|(_, known)| known.state.latest.is_some());
        self.declared.keys().map(|name| name.as_str()).chain(known.map(|(name, _)| name.as_str()))
    }
}

impl Unresolved {
    /// The problem, found at `path`.
    pub(super) fn problem(&self, path: &[&str], types: &Types<'_>) -> Problem {
        match self {
            Self::Missing(name) => {
                Problem::new(path, format!("there is no type {:?}", name.as_str()))
                    .did_you_mean(name.as_str(), types.names())
            }
            Self::Cycle(cycle) => {
                let names: Vec<&str> = cycle.iter().map(Name::as_str).collect();
                Problem::new(path, format!("the types stand for each other: {}", names.join(" → ")))
            }
        }
    }
}
