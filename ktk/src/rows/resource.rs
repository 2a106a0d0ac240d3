//! Resources in lists.

use kantoku_domain::Id;
use kantoku_projections::document::{ResourceDocument, ResourceStatus};

use crate::{
    kind::Kind,
    output::{Row, View},
};

/// The word for a status.
pub(crate) const fn status(status: ResourceStatus) -> &'static str {
    match status {
        ResourceStatus::Allocated => "allocated",
        ResourceStatus::Ready => "ready",
        ResourceStatus::Failed => "failed",
        ResourceStatus::Released => "released",
    }
}

/// A value on one line; of a large one how large it is.
pub(crate) fn value(resource: &ResourceDocument, view: &View) -> String {
    match (&resource.value, resource.size) {
        (Some(value), _) => view.value(value),
        (None, Some(size)) => format!("({size} bytes)"),
        (None, None) => String::new(),
    }
}

impl Row for ResourceDocument {
    fn kind() -> Kind {
        Kind::Resource
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        std::iter::once(self.id).chain(self.custodian).collect()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["ID", "OUTPUT", "TYPE", "STATUS", "VALUE", "CUSTODIAN", "AGE"];
        if wide {
            columns.push("CONTEXT");
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let mut cells = vec![
            view.id(self.id),
            self.output.clone().unwrap_or_default(),
            view.text(&self.type_.to_string()),
            view.status(status(self.status)),
            value(self, view),
            self.custodian.map(|task| view.id(task)).unwrap_or_default(),
            view.age(self.created_at),
        ];
        if view.wide {
            cells.push(self.context_id.map(|id| id.to_string()).unwrap_or_default());
        }
        cells
    }
}
