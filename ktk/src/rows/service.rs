//! Services in lists.

use kantoku_api::contract::Service;
use kantoku_domain::Id;

use crate::{
    kind::Kind,
    output::{Row, View, labels},
};

impl Row for Service {
    fn kind() -> Kind {
        Kind::Service
    }

    fn name(&self) -> String {
        self.service_id.clone()
    }

    fn namespace(&self) -> Option<&str> {
        None
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["ID", "KIND", "HOST", "PID", "RUNNING", "VERSION", "AGE"];
        if wide {
            columns.extend(["LEADS", "BOOT", "LABELS"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let running = match (self.running, self.slots) {
            (Some(running), Some(slots)) => format!("{running}/{slots}"),
            (Some(running), None) => running.to_string(),
            (None, _) => String::new(),
        };
        let mut cells = vec![
            self.service_id.clone(),
            self.kind.clone(),
            self.host.clone(),
            self.pid.to_string(),
            running,
            self.version.clone(),
            view.age(self.started_at),
        ];
        if view.wide {
            cells.extend([self.leads.join(" "), self.boot_id.clone(), labels(&self.labels)]);
        }
        cells
    }
}
