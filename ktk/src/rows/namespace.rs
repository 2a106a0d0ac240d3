//! Namespaces in lists.

use kantoku_domain::Id;
use kantoku_projections::document::NamespaceDocument;

use crate::{
    kind::Kind,
    output::{Row, View},
};

impl Row for NamespaceDocument {
    fn kind() -> Kind {
        Kind::Namespace
    }

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.name.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(_: bool) -> Vec<&'static str> {
        vec!["NAME", "STATUS", "BY", "SINCE", "REASON"]
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let Some(paused) = &self.paused else {
            return vec![self.name.to_string(), "open".into()];
        };
        vec![
            self.name.to_string(),
            view.status("PAUSED"),
            paused.by.clone(),
            paused.since.to_string(),
            view.text(&paused.reason),
        ]
    }
}
