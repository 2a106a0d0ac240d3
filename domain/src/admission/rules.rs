//! The policies of all namespaces, as admission goes by them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Key, Profile};
use crate::{
    Millis, Name, Namespace, Timestamp,
    policy::{Definition, Limit, Rate},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) policies: BTreeMap<Namespace, BTreeMap<Name, Definition>>,
}

impl Rules {
    pub(super) fn set(
        &mut self,
        namespace: &Namespace,
        name: &Name,
        definition: Option<Definition>,
    ) {
        let policies = self.policies.entry(namespace.clone()).or_default();
        match definition {
            Some(definition) => policies.insert(name.clone(), definition),
            None => policies.remove(name),
        };
        if policies.is_empty() {
            self.policies.remove(namespace);
        }
    }

    fn of(&self, namespace: &Namespace) -> impl Iterator<Item = (&Name, &Definition)> {
        self.policies.get(namespace).into_iter().flatten()
    }

    /// What a task is counted by, under all limits.
    pub(super) fn keys(&self, profile: &Profile) -> Vec<Arc<Key>> {
        let mut keys = Vec::new();
        for (policy, definition) in self.of(&profile.namespace) {
            for (name, limit) in &definition.limits {
                if let Some(value) = profile.counted_by(limit) {
                    let namespace = profile.namespace.clone();
                    let (policy, limit) = (policy.clone(), name.clone());
                    keys.push(Arc::new(Key { namespace, policy, limit, value }));
                }
            }
        }
        keys
    }

    fn limit(&self, key: &Key) -> Option<&Limit> {
        self.policies.get(&key.namespace)?.get(&key.policy)?.limits.get(&key.limit)
    }

    fn ageing(&self, namespace: &Namespace) -> Option<Millis> {
        self.of(namespace).filter_map(|(_, it)| it.ageing).map(|ageing| ageing.every).min()
    }

    /// Whether waiting counts.
    pub(super) fn ages(&self, namespace: &Namespace) -> bool {
        self.ageing(namespace).is_some()
    }

    /// Who goes first, the higher the earlier: priority, and one more for each span of ageing that
    /// began to wait earlier. As all grow old at one pace, the order of two tasks never changes.
    pub(super) fn level(&self, namespace: &Namespace, priority: i32, since: Timestamp) -> i64 {
        let spans = self.ageing(namespace).map_or(0, |every| {
            let every = i64::try_from(every.0.saturating_mul(1_000)).unwrap_or(i64::MAX).max(1);
            since.micros().div_euclid(every)
        });
        i64::from(priority).saturating_sub(spans)
    }

    pub(super) fn is_fair(&self, namespace: &Namespace) -> bool {
        self.of(namespace).all(|(_, definition)| definition.fair_share != Some(false))
    }

    pub(super) fn concurrency(&self, key: &Key) -> Option<u32> {
        self.limit(key)?.concurrency
    }

    pub(super) fn rate(&self, key: &Key) -> Option<Rate> {
        self.limit(key)?.rate
    }
}
