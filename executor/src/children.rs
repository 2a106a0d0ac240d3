//! The children that a result asks for, and the outputs that it passes to them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use kantoku_domain::{
    Name, Namespace, Source,
    plan::bind_inputs,
    specification::Applied,
    task::{Child, Failure},
};
use kantoku_streams::Ledger;

use crate::{failure, inputs::datum_of, result::SpawnRequest, specifications::Specifications};

/// The children of one attempt: each specification is looked up once.
pub(crate) struct Children<'a> {
    ledger: &'a Ledger,
    specifications: &'a Specifications,
    namespace: &'a Namespace,
    latest: HashMap<Name, Arc<Applied>>,
}

impl<'a> Children<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger,
        specifications: &'a Specifications,
        namespace: &'a Namespace,
    ) -> Self {
        Self { ledger, specifications, namespace, latest: HashMap::new() }
    }

    /// The child that `request` asks for, its inputs checked and bound.
    pub(crate) async fn child(&mut self, request: SpawnRequest) -> Result<Child, Failure> {
        let SpawnRequest { key, specification, inputs } = request;
        let applied = self.latest(&specification).await?;
        let given = inputs.into_iter().map(|(name, value)| (name, Source::Value(value))).collect();
        let mut bound =
            bind_inputs(&applied, given).map_err(|problems| failure::child(&key, &problems))?;
        for binding in bound.values_mut() {
            if let Source::Value(value) = &mut binding.source {
                binding.source = datum_of(self.ledger, value.take()).await?.into();
            }
        }
        Ok(Child { key, template: applied.template(bound) })
    }

    async fn latest(&mut self, name: &Name) -> Result<Arc<Applied>, Failure> {
        if let Some(found) = self.latest.get(name) {
            return Ok(Arc::clone(found));
        }
        let found = self.specifications.latest(self.namespace, name).await?;
        self.latest.insert(name.clone(), Arc::clone(&found));
        Ok(found)
    }
}

/// Where each output goes: `key.output` of a child. Keys may contain dots, so the longest key that
/// is a child's counts.
pub(crate) fn delegations(
    delegate: BTreeMap<String, String>,
    children: &[Child],
) -> Result<BTreeMap<String, (String, String)>, Failure> {
    let split = |(name, target): (String, String)| {
        let found = children
            .iter()
            .filter_map(|child| {
                let output = target.strip_prefix(child.key.as_str())?.strip_prefix('.')?;
                (!output.is_empty()).then(|| (child.key.clone(), output.to_owned()))
            })
            .max_by_key(|(key, _)| key.len());
        let found = found.ok_or_else(|| {
            failure::result(format!(
                "delegate {name:?}: {target:?} is not key.output of a child that is spawned"
            ))
        })?;
        Ok((name, found))
    };
    delegate.into_iter().map(split).collect()
}

#[cfg(test)]
mod tests {
    use kantoku_domain::task::{SpecificationRef, Template};

    use super::*;

    fn child(key: &str) -> Child {
        let name = "a/b".parse().expect("a name");
        let template = Template {
            specification: SpecificationRef { name, version: 1, digest: String::new() },
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            queue: String::new(),
            labels: BTreeMap::new(),
            retry: kantoku_domain::RetryPolicy::default(),
            timeouts: kantoku_domain::Timeouts::default(),
        };
        Child { key: key.into(), template }
    }

    #[test]
    fn the_longest_key_that_is_a_childs_counts() {
        let children = ["a", "a.b", "page"].map(child);
        let split = |target: &str| {
            let delegate = [("x".to_owned(), target.to_owned())].into();
            let mut split = delegations(delegate, &children)?;
            Ok::<_, Failure>(split.remove("x").expect("there"))
        };
        let pair = |key: &str, output: &str| Ok((key.to_owned(), output.to_owned()));
        assert_eq!(split("page.words"), pair("page", "words"));
        assert_eq!(split("a.b.words"), pair("a.b", "words"));
        assert_eq!(split("a.c.words"), pair("a", "c.words"));
        for wrong in ["page", "page.", "pages.words", ".words", ""] {
            let error = split(wrong).expect_err(wrong);
            assert!(!error.retryable && error.message.contains("key.output"), "{wrong}");
        }
    }
}
