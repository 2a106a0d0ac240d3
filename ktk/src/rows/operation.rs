//! Operations in lists.

use kantoku_api::contract::Operation;
use kantoku_domain::Id;

use crate::{
    commands::bulk,
    kind::Kind,
    output::{Row, View},
};

impl Row for Operation {
    fn kind() -> Kind {
        Kind::Operation
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        self.bulk.as_ref().map(|bulk| bulk.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["ID", "KIND", "STATUS", "DONE", "REFUSED", "BY", "TOOK", "AGE"];
        if wide {
            columns.push("WHERE");
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let bulk = self.bulk.as_ref();
        let mut cells = vec![
            // Whole: commands take no beginning of it.
            self.id.to_string(),
            self.kind.clone(),
            view.status(&bulk::status(self)),
            format!("{}/{}", self.done, self.total),
            bulk.map(|bulk| bulk.refused.to_string()).unwrap_or_default(),
            bulk.map(|bulk| bulk.by.clone()).unwrap_or_default(),
            view.took(Some(self.started_at), self.finished_at),
            view.age(self.started_at),
        ];
        if view.wide {
            cells.push(bulk.map(bulk::asked).unwrap_or_default());
        }
        cells
    }
}
