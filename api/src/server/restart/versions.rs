//! The versions of specifications that successors have.

use std::collections::BTreeSet;

use kantoku_domain::{
    Name, Specification,
    plan::Specifications,
    restart::{Plan, VersionPolicy},
    specification::Applied,
};

use super::{super::context::Tasks, Restart};
use crate::{ApiError, Code};

impl Restart<'_> {
    /// The specifications of all tasks, at the version that is asked for.
    pub(super) async fn specifications(
        &self,
        tasks: &Tasks,
        version: VersionPolicy,
    ) -> Result<Specifications, ApiError> {
        let pick = |specification: Specification| {
            let mut versions = specification.versions.into_iter();
            match version {
                VersionPolicy::Same => None,
                VersionPolicy::Latest => versions.next_back(),
                VersionPolicy::Number(number) => versions.find(|it| it.version == number),
            }
        };
        if version == VersionPolicy::Same {
            return Ok(Specifications::new());
        }
        let nodes = tasks.graph.nodes.values();
        let names: BTreeSet<Name> =
            nodes.map(|node| node.spawned.specification.name.clone()).collect();
        let loaded = self.api.load_named::<Specification>(self.ordered.namespace, names).await?;
        let picked = loaded.into_iter().filter_map(|(name, it)| Some((name, pick(it.state)?)));
        Ok(picked.collect())
    }

    /// The versions of specifications that the plan names.
    pub(super) async fn named_by(&self, plan: &Plan) -> Result<Specifications, ApiError> {
        let named = || plan.steps().filter_map(|step| step.specification.as_ref());
        let names: BTreeSet<Name> = named().map(|it| it.name.clone()).collect();
        let loaded = self.api.load_named::<Specification>(self.ordered.namespace, names).await?;
        let mut found = Specifications::new();
        for reference in named() {
            let versions = &loaded[&reference.name].state.versions;
            let Some(applied) = versions.iter().find(|it| it.reference() == *reference) else {
                let (name, version) = (&reference.name, reference.version);
                let message =
                    format!("the plan names version {version} of {name}, which is not so");
                return Err(ApiError::new(Code::Invalid, message).field("plan"));
            };
            found.entry(reference.name.clone()).or_insert_with(|| Applied::clone(applied));
        }
        Ok(found)
    }
}
