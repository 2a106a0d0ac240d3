//! Secrets in lists, without their values.

use kantoku_api::contract::Secret;
use kantoku_domain::Id;

use crate::{
    kind::Kind,
    output::{Row, View},
};

impl Row for Secret {
    fn kind() -> Kind {
        Kind::Secret
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
        let mut columns = vec!["NAME", "REVISION", "SET BY", "AGE"];
        if wide {
            columns.push("KEY");
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let mut cells = vec![
            self.name.to_string(),
            self.revision.to_string(),
            view.text(&self.set_by),
            view.age(self.set_at),
        ];
        if view.wide {
            cells.push(self.key_id.clone());
        }
        cells
    }
}
