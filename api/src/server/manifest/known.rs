//! What documents refer to, and what they would replace.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Name, NamedType, Namespace, Pipeline, Policy, Specification, manifest::Manifest,
};
use kantoku_streams::Loaded;

use super::documents::{Documents, name};
use crate::{ApiError, server::Api};

/// Aggregates by name, as they are now.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) types: BTreeMap<Name, Loaded<NamedType>>,
    pub(super) specifications: BTreeMap<Name, Loaded<Specification>>,
    pub(super) pipelines: BTreeMap<Name, Loaded<Pipeline>>,
    pub(super) policies: BTreeMap<Name, Loaded<Policy>>,
}

impl Known {
    /// Loads all that matters to `documents`.
    pub(super) async fn load(
        api: &Api,
        namespace: &Namespace,
        documents: &Documents,
    ) -> Result<Self, ApiError> {
        let mut types = documents.types_used();
        let mut specifications = documents.specifications_used();
        let (mut pipelines, mut policies) = (BTreeSet::new(), BTreeSet::new());
        for (_, manifest) in &documents.read {
            let names = match manifest {
                Manifest::Type(..) => &mut types,
                Manifest::Specification(..) => &mut specifications,
                Manifest::Pipeline(..) => &mut pipelines,
                Manifest::Policy(..) => &mut policies,
            };
            names.insert(name(manifest).clone());
        }
        Ok(Self {
            types: api.load_named(namespace, types).await?,
            specifications: api.load_named(namespace, specifications).await?,
            pipelines: api.load_named(namespace, pipelines).await?,
            policies: api.load_named(namespace, policies).await?,
        })
    }
}
