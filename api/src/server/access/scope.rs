//! Where the role of a caller has to hold for a call: the namespaces that its parameters name.

use kantoku_domain::{Namespace, access::Reach};
use kantoku_streams::KeyEntry;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ApiError, Code, server::params};

/// The parameters by which any method says whose it is about.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Scope {
    #[serde(default)]
    namespace: Option<Namespace>,
    #[serde(default)]
    all_namespaces: bool,
    /// Each task of a batch may name its own.
    #[serde(default)]
    tasks: Vec<OfTask>,
}

#[derive(Debug, Deserialize)]
struct OfTask {
    #[serde(default)]
    namespace: Option<Namespace>,
}

impl Scope {
    /// What belongs to no namespace, or to all.
    pub(super) fn everything() -> Self {
        Self { all_namespaces: true, ..Self::default() }
    }

    /// What `params` name.
    pub(super) fn of(params: Option<&RawValue>) -> Result<Self, ApiError> {
        params::decode(params)
    }

    /// The namespace, unless there are several.
    pub(super) fn named(self) -> Option<Namespace> {
        (!self.all_namespaces).then(|| self.namespace.unwrap_or_default())
    }

    /// Whether a key holds there.
    pub(super) fn check(self, entry: &KeyEntry) -> Result<(), ApiError> {
        let Reach::Namespaces(held) = &entry.reach else { return Ok(()) };
        let refused =
            |message: String| Err(ApiError::new(Code::Forbidden, message).reason("namespace"));
        if self.all_namespaces {
            return refused(format!(
                "this takes a key for all namespaces, and yours is for {}",
                entry.reach
            ));
        }
        let of_tasks = self.tasks.into_iter().filter_map(|task| task.namespace);
        let mut asked = of_tasks.chain([self.namespace.unwrap_or_default()]);
        let Some(foreign) = asked.find(|asked| !held.contains(asked)) else { return Ok(()) };
        let named = held.first().map_or("", Namespace::as_str);
        refused(format!(
            "this key is for {}, and not for {foreign}; name its own: \"namespace\": {named:?}, or \
             ktk -n {named}",
            entry.reach
        ))
    }
}
