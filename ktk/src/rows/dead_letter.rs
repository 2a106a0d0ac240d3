//! Dead letters in lists.

use kantoku_api::contract::DeadLetter;
use kantoku_domain::Id;

use crate::{
    kind::Kind,
    output::{Row, View},
    render::one_line,
};

/// How much of a reason a table shows.
const REASON_CHARS_MAX: usize = 80;

impl Row for DeadLetter {
    fn kind() -> Kind {
        Kind::DeadLetter
    }

    fn name(&self) -> String {
        self.letter.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        None
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["LETTER", "CONSUMER", "POSITION", "TYPE", "AGE", "REASON"];
        if wide {
            columns.push("SUBJECT");
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let reason = one_line(&self.reason);
        let is_long = !view.wide && reason.chars().count() > REASON_CHARS_MAX;
        let short = || reason.chars().take(REASON_CHARS_MAX - 1).chain(['…']).collect();
        let mut cells = vec![
            self.letter.to_string(),
            self.consumer.clone(),
            self.stream_seq.to_string(),
            self.event_type.clone().unwrap_or_default(),
            view.age(self.at),
            if is_long { short() } else { reason.to_string() },
        ];
        if view.wide {
            cells.push(self.subject.clone());
        }
        cells
    }
}
