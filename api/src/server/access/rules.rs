//! Of each method: the role that it takes, and where that has to hold. A method without a rule is
//! refused, and fails a test.

use kantoku_domain::access::Role::{self, Admin, Developer, Operator, Viewer};

/// Where a role has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Wherever: it tells nothing about anybody's tasks.
    Nothing,
    /// In the namespaces that the parameters name.
    Namespace,
    /// In all: it is about no namespace, or about all at once.
    Everything,
}
use Needs::{Everything, Namespace, Nothing};

/// What a method takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) method: &'static str,
    pub(super) role: Role,
    pub(super) needs: Needs,
}

const fn rule(method: &'static str, role: Role, needs: Needs) -> Rule {
    Rule { method, role, needs }
}

/// The rules, by method.
pub(super) const RULES: &[Rule] = &[
    rule("audit.list", Admin, Everything),
    rule("blob.load", Admin, Everything),
    rule("blob.store", Admin, Everything),
    rule("blob.verify", Admin, Everything),
    rule("context.cancel", Operator, Namespace),
    rule("context.count", Viewer, Namespace),
    rule("context.distinct", Viewer, Namespace),
    rule("context.get", Viewer, Namespace),
    rule("context.graph", Viewer, Namespace),
    rule("context.list", Viewer, Namespace),
    rule("context.pause", Operator, Namespace),
    rule("context.restart", Operator, Namespace),
    rule("context.resume", Operator, Namespace),
    rule("context.subscribe", Viewer, Namespace),
    rule("context.unsubscribe", Viewer, Nothing),
    rule("context.wait", Viewer, Namespace),
    rule("dead_letter.get", Operator, Everything),
    rule("dead_letter.list", Operator, Everything),
    rule("dead_letter.redeliver", Operator, Everything),
    rule("event.export", Viewer, Namespace),
    rule("event.import", Admin, Everything),
    rule("event.list", Viewer, Namespace),
    rule("event.subscribe", Viewer, Namespace),
    rule("event.unsubscribe", Viewer, Nothing),
    rule("key.create", Admin, Everything),
    rule("key.list", Admin, Everything),
    rule("key.revoke", Admin, Everything),
    rule("manifest.apply", Developer, Namespace),
    rule("manifest.delete", Developer, Namespace),
    rule("manifest.diff", Developer, Namespace),
    rule("manifest.validate", Developer, Namespace),
    rule("namespace.get", Viewer, Namespace),
    rule("namespace.pause", Operator, Namespace),
    rule("namespace.resume", Operator, Namespace),
    rule("operation.cancel", Operator, Namespace),
    rule("operation.get", Viewer, Namespace),
    rule("operation.list", Viewer, Namespace),
    rule("operation.start", Operator, Namespace),
    rule("pipeline.get", Viewer, Namespace),
    rule("pipeline.list", Viewer, Namespace),
    rule("pipeline.run", Operator, Namespace),
    rule("policy.delete", Developer, Namespace),
    rule("policy.get", Viewer, Namespace),
    rule("policy.list", Viewer, Namespace),
    rule("projection.list", Viewer, Nothing),
    rule("projection.rebuild", Admin, Everything),
    rule("projection.verify", Admin, Everything),
    rule("resource.allocate", Operator, Namespace),
    rule("resource.count", Viewer, Namespace),
    rule("resource.distinct", Viewer, Namespace),
    rule("resource.get", Viewer, Namespace),
    rule("resource.initialize", Operator, Namespace),
    rule("resource.list", Viewer, Namespace),
    rule("resource.load", Viewer, Namespace),
    rule("resource.release", Operator, Namespace),
    rule("rpc.discover", Viewer, Nothing),
    rule("script.check", Developer, Namespace),
    rule("script.run", Developer, Namespace),
    rule("seal.list", Viewer, Everything),
    rule("seal.restart", Admin, Everything),
    rule("secret.delete", Developer, Namespace),
    rule("secret.get", Operator, Namespace),
    rule("secret.list", Operator, Namespace),
    rule("secret.set", Developer, Namespace),
    rule("service.list", Viewer, Nothing),
    rule("specification.get", Viewer, Namespace),
    rule("specification.list", Viewer, Namespace),
    rule("specification.pause", Operator, Namespace),
    rule("specification.resume", Operator, Namespace),
    rule("system.info", Viewer, Nothing),
    rule("task.approve", Operator, Namespace),
    rule("task.attempts", Viewer, Namespace),
    rule("task.cancel", Operator, Namespace),
    rule("task.count", Viewer, Namespace),
    rule("task.distinct", Viewer, Namespace),
    rule("task.follow_logs", Viewer, Namespace),
    rule("task.get", Viewer, Namespace),
    rule("task.label", Operator, Namespace),
    rule("task.list", Viewer, Namespace),
    rule("task.logs", Viewer, Namespace),
    rule("task.pause", Operator, Namespace),
    rule("task.restart", Operator, Namespace),
    rule("task.resume", Operator, Namespace),
    rule("task.spawn", Operator, Namespace),
    rule("task.spawn_batch", Operator, Namespace),
    rule("task.subscribe", Viewer, Namespace),
    rule("task.tree", Viewer, Namespace),
    rule("task.unfollow_logs", Viewer, Nothing),
    rule("task.unsubscribe", Viewer, Nothing),
    rule("task.wait", Viewer, Namespace),
    rule("task.why", Viewer, Namespace),
    rule("type.get", Viewer, Namespace),
    rule("type.list", Viewer, Namespace),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::contract::{Method, Subscription, Visitor, names, visit};

    /// Whether the parameters of a method have `namespace` at their root, and how often below.
    #[derive(Default)]
    struct Named(BTreeMap<&'static str, (bool, usize)>);

    impl Named {
        fn add(&mut self, method: &'static str, schema: &Value) {
            let at_root = schema.pointer("/properties/namespace").is_some();
            self.0.insert(method, (at_root, mentions(schema) - usize::from(at_root)));
        }
    }

    fn mentions(schema: &Value) -> usize {
        let below = |value: &Value| match value {
            Value::Object(map) => map.values().map(mentions).sum(),
            Value::Array(values) => values.iter().map(mentions).sum(),
            _ => 0,
        };
        usize::from(schema.pointer("/properties/namespace").is_some()) + below(schema)
    }

    impl Visitor for Named {
        fn method<M: Method>(&mut self) {
            self.add(M::NAME, schemars::schema_for!(M::Params).as_value());
        }

        fn subscription<S: Subscription>(&mut self) {
            self.add(S::NAME, schemars::schema_for!(S::Params).as_value());
        }
    }

    #[test]
    fn every_method_has_one_rule_and_each_is_of_a_method() {
        let ruled: Vec<&str> = RULES.iter().map(|rule| rule.method).collect();
        let mut declared = names();
        declared.sort_unstable();
        assert_eq!(ruled, declared);
    }

    /// What is judged by its namespace names one, and names it where it is looked for.
    #[test]
    fn whoever_names_a_namespace_is_judged_by_it() {
        let mut named = Named::default();
        visit(&mut named);
        for (method, (at_root, below)) in named.0 {
            let rule = RULES.iter().find(|rule| rule.method == method).expect("a rule");
            assert_eq!(at_root, rule.needs == Namespace, "{method}");
            let own_of_tasks = usize::from(method == "task.spawn_batch");
            assert_eq!(below, own_of_tasks, "{method} names a namespace that is not looked at");
        }
    }
}
