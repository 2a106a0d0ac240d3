//! Policies in lists, and as the manifests that declare them.

use kantoku_domain::{Id, policy::Limit};
use kantoku_projections::document::PolicyDocument;
use serde_json::Value;

use super::definition::manifest;
use crate::{
    kind::Kind,
    output::{Row, View},
};

/// What a limit counts: `specification text/fetch`, `label host`, `label team=search`, `key {step}`.
pub(crate) fn counted(limit: &Limit) -> String {
    match (&limit.specification, &limit.label, &limit.value, &limit.key) {
        (Some(name), _, _, _) => format!("specification {name}"),
        (_, Some(label), Some(value), _) => format!("label {label}={value}"),
        (_, Some(label), None, _) => format!("label {label}"),
        (_, _, _, Some(key)) => format!("key {key}"),
        (None, None, _, None) => String::new(),
    }
}

/// How much it allows: `4 at once`, `100 in 1m`.
pub(crate) fn allowed(limit: &Limit) -> String {
    let at_once = limit.concurrency.map(|count| format!("{count} at once"));
    let in_a_while = limit.rate.map(|rate| format!("{} in {}", rate.count, rate.per));
    at_once.into_iter().chain(in_a_while).collect::<Vec<_>>().join(", ")
}

impl Row for PolicyDocument {
    fn kind() -> Kind {
        Kind::Policy
    }

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["NAME", "VERSION", "LIMITS", "AGEING", "FAIR SHARE", "AGE"];
        if wide {
            columns.extend(["DIGEST", "DESCRIPTION"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let limits = self.limits.iter();
        let limits: Vec<_> =
            limits.map(|(name, limit)| format!("{name}: {}", allowed(limit))).collect();
        let mut cells = vec![
            self.name.to_string(),
            self.version.to_string(),
            view.text(&limits.join("; ")),
            self.ageing.map(|ageing| ageing.every.to_string()).unwrap_or_default(),
            self.fair_share.map_or("", |fair| if fair { "yes" } else { "no" }).to_owned(),
            view.age(self.created_at),
        ];
        if view.wide {
            cells.extend([self.digest.clone(), view.text(&self.description)]);
        }
        cells
    }

    fn to_manifest(&self) -> Result<Value, serde_json::Error> {
        manifest("Policy", self)
    }
}

#[cfg(test)]
mod tests {
    use kantoku_domain::manifest::Manifest;
    use serde_json::json;

    use super::*;

    fn policy() -> PolicyDocument {
        serde_json::from_value(json!({
            "id": "0193a5c2-1b2c-7aaa-8000-000000000001",
            "namespace": "default",
            "name": "gentle",
            "version": 3,
            "digest": "d",
            "description": "Be kind",
            "limits": {
                "fetches": {"specification": "text/fetch", "concurrency": 2},
                "hosts": {"key": "{labels.host}", "rate": {"count": 100, "per": "1m"}},
            },
            "ageing": {"every": "1m"},
            "fair_share": null,
            "created_at": "2026-01-02T03:04:05Z",
            "stream_seq": 7,
        }))
        .unwrap()
    }

    #[test]
    fn what_was_got_declares_the_same_policy_again() {
        let manifest = policy().to_manifest().unwrap();
        let Manifest::Policy(name, definition) = Manifest::read(&manifest).unwrap() else {
            panic!("{manifest}");
        };
        assert_eq!(name.as_str(), "gentle");
        assert_eq!((definition.limits, definition.ageing), (policy().limits, policy().ageing));
        assert_eq!(definition.description, "Be kind");
    }

    #[test]
    fn limits_say_what_they_count_and_how_much_they_allow() {
        let limits = policy().limits;
        assert_eq!(counted(&limits["fetches"]), "specification text/fetch");
        assert_eq!(allowed(&limits["fetches"]), "2 at once");
        assert_eq!(counted(&limits["hosts"]), "key {labels.host}");
        assert_eq!(allowed(&limits["hosts"]), "100 in 1m");
        let label: Limit =
            serde_json::from_value(json!({"label": "team", "value": "search", "concurrency": 1}))
                .unwrap();
        assert_eq!(counted(&label), "label team=search");
    }
}
