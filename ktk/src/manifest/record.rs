//! What `ktk get -o yaml` prints of things that no manifest declares.

use std::fmt;

use kantoku_domain::manifest::API_VERSION;
use serde_json::Value;

use crate::kind::Kind;

/// A document about something that happened, or that the server alone decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What it is.
    pub(crate) kind: Kind,
    /// What it is called.
    pub(crate) name: String,
}

impl Record {
    /// What a document is about; `None` if it is no record.
    pub(super) fn read(document: &Value) -> Option<Self> {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        let kind: Kind = text("kind")?.parse().ok()?;
        let is_record = text("apiVersion") == Some(API_VERSION)
            && text("kind") == Some(&kind.title())
            && !kind.is_declared()
            && document.get("spec").is_none();
        let name = document.get("metadata")?.get("name")?.as_str()?.to_owned();
        is_record.then_some(Self { kind, name })
    }

    /// Why it cannot be applied.
    pub(crate) fn why(&self) -> String {
        format!("{} are not declared by manifests", self.kind.plural())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_told_from_declarations_and_mistakes() {
        let document = |kind: &str| json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "a"}});
        let record = Record::read(&document("Task")).unwrap();
        assert_eq!(record, Record { kind: Kind::Task, name: "a".into() });
        assert_eq!(record.to_string(), "task/a");
        for kind in ["Specification", "Pipeline", "task", "Tsak"] {
            assert_eq!(Record::read(&document(kind)), None, "{kind}");
        }
        let mut wish = document("Task");
        wish["spec"] = json!({});
        assert_eq!(Record::read(&wish), None, "whoever wants one is told that this is not the way");
    }
}
