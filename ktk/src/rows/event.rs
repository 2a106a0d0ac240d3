//! Events in lists.

use kantoku_domain::{Id, Recorded};

use crate::{
    kind::Kind,
    output::{Row, View},
};

impl Row for Recorded {
    fn kind() -> Kind {
        Kind::Event
    }

    fn name(&self) -> String {
        self.stream_seq.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        vec![self.id, self.metadata.correlation_id]
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["SEQ", "AT", "TYPE", "AGGREGATE", "ID", "VERSION", "ACTOR"];
        if wide {
            columns.extend(["CONTEXT", "SERVICE", "EVENT", "CAUSE"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let metadata = &self.metadata;
        let mut cells = vec![
            self.stream_seq.to_string(),
            metadata.at.to_string(),
            self.event.name().to_owned(),
            self.aggregate.to_string(),
            view.id(self.id),
            self.version.to_string(),
            metadata.actor.clone(),
        ];
        if view.wide {
            cells.extend([
                metadata.correlation_id.to_string(),
                metadata.service_id.clone(),
                metadata.event_id.to_string(),
                metadata.causation_id.map(|id| id.to_string()).unwrap_or_default(),
            ]);
        }
        cells
    }
}
