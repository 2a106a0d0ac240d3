//! The kinds of things that commands take, by any of their names.

use std::{fmt, str::FromStr};

use kantoku_domain::{manifest, nearest};

/// A kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Task,
    Context,
    Resource,
    Specification,
    Type,
    Pipeline,
    Policy,
    Namespace,
    Event,
    Service,
    DeadLetter,
    Operation,
    Seal,
    Secret,
}

impl Kind {
    /// Each with its name, its short name and its plural.
    const NAMES: [(Self, [&str; 3]); 14] = [
        (Self::Task, ["task", "t", "tasks"]),
        (Self::Context, ["context", "cx", "contexts"]),
        (Self::Resource, ["resource", "r", "resources"]),
        (Self::Specification, ["specification", "spec", "specifications"]),
        (Self::Type, ["type", "ty", "types"]),
        (Self::Pipeline, ["pipeline", "pl", "pipelines"]),
        (Self::Policy, ["policy", "pol", "policies"]),
        (Self::Namespace, ["namespace", "ns", "namespaces"]),
        (Self::Event, ["event", "ev", "events"]),
        (Self::Service, ["service", "svc", "services"]),
        (Self::DeadLetter, ["deadletter", "dl", "deadletters"]),
        (Self::Operation, ["operation", "op", "operations"]),
        (Self::Seal, ["seal", "sl", "seals"]),
        // Without a short name.
        (Self::Secret, ["secret", "secret", "secrets"]),
    ];

    /// For help texts.
    pub(crate) const HELP: &str = "Kinds, with their short names: tasks (t), contexts (cx), \
resources (r), specifications (spec), types (ty), pipelines (pl), policies (pol), namespaces (ns), \
events (ev), services (svc), deadletters (dl), operations (op), seals (sl), secrets";

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().map(|(kind, _)| kind)
    }

    /// Its name in the singular.
    pub(crate) fn name(self) -> &'static str {
        self.names()[0]
    }

    /// Its name in the plural.
    pub(crate) fn plural(self) -> &'static str {
        self.names()[2]
    }

    /// Its name as manifests write it.
    pub(crate) fn title(self) -> String {
        let (first, rest) = self.name().split_at(1);
        first.to_ascii_uppercase() + rest
    }

    /// Whether manifests declare it. All others are records of what happened.
    pub(crate) fn is_declared(self) -> bool {
        manifest::KINDS.contains(&self.title().as_str())
    }

    fn names(self) -> [&'static str; 3] {
        let found = Self::NAMES.into_iter().find(|(kind, _)| *kind == self);
        found.map_or([""; 3], |(_, names)| names)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.to_ascii_lowercase();
        let found = Self::NAMES.into_iter().find(|(_, names)| names.contains(&wanted.as_str()));
        found.map(|(kind, _)| kind).ok_or_else(|| {
            let known = Self::NAMES.iter().map(|(_, names)| names[0]);
            match nearest(&wanted, known.clone()) {
                Some(name) => format!("there is no kind {text:?}; did you mean {name:?}?"),
                None => format!(
                    "there is no kind {text:?}; the kinds are {}",
                    known.collect::<Vec<_>>().join(", ")
                ),
            }
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_its_kind_and_no_other() {
        for (kind, names) in Kind::NAMES {
            for name in names {
                assert_eq!(name.parse(), Ok(kind), "{name}");
            }
        }
        assert_eq!("Tasks".parse(), Ok(Kind::Task));
        let error = "taks".parse::<Kind>().unwrap_err();
        assert!(error.contains("did you mean \"task\""), "{error}");
    }

    #[test]
    fn every_kind_that_manifests_declare_is_known() {
        let declared = Kind::all().filter(|kind| kind.is_declared());
        let titles: Vec<String> = declared.map(Kind::title).collect();
        assert_eq!(titles.len(), manifest::KINDS.len(), "{titles:?}");
    }
}
