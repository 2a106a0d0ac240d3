//! What rows need to know about where they are shown.

use std::{collections::BTreeMap, time::SystemTime};

use kantoku_domain::{Id, Timestamp};
use serde_json::Value;

use super::{Paint, ShortIds};
use crate::{
    render::{duration, one_line},
    session::Session,
};

/// How long a value is in a table.
const VALUE_LENGTH_MAX: usize = 48;

/// How long it is where it has a line for itself.
const LINE_LENGTH_MAX: usize = 200;

/// How rows are shown.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Whether nothing is shortened.
    pub(crate) wide: bool,
    /// Whether rows say in which namespace they are.
    pub(crate) namespaces: bool,
    /// Which ids there are.
    pub(crate) ids: ShortIds,
    /// Colours.
    pub(crate) paint: Paint,
    /// What ages are counted from.
    pub(crate) now: Timestamp,
}

impl View {
    /// How a session shows rows, of which the ids are not known.
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            wide: session.output().is_wide(),
            namespaces: session.all_namespaces(),
            ids: ShortIds::default(),
            paint: Paint::stdout(),
            now: now(),
        }
    }

    /// An id, in short unless the view is wide.
    pub(crate) fn id(&self, id: Id) -> String {
        if self.wide { id.to_string() } else { self.ids.short(id) }
    }

    /// How long ago something was.
    pub(crate) fn age(&self, at: Timestamp) -> String {
        duration(self.now.since(at))
    }

    /// How long something took, or takes by now.
    pub(crate) fn took(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> String {
        from.map_or_else(String::new, |from| duration(to.unwrap_or(self.now).since(from)))
    }

    /// A value on one line.
    pub(crate) fn value(&self, value: &Value) -> String {
        self.text(&value.to_string())
    }

    /// A value on one line that has the line for itself.
    pub(crate) fn long_value(&self, value: &Value) -> String {
        self.long_text(&value.to_string())
    }

    /// A text on one line, of which it is the last.
    pub(crate) fn long_text(&self, text: &str) -> String {
        let length = if self.wide { usize::MAX } else { LINE_LENGTH_MAX };
        console::truncate_str(&one_line(text), length, "…").into_owned()
    }

    /// A text on one line.
    pub(crate) fn text(&self, text: &str) -> String {
        let line = one_line(text);
        let length = if self.wide { usize::MAX } else { VALUE_LENGTH_MAX };
        console::truncate_str(&line, length, "…").into_owned()
    }

    /// A status in its colour, and that it is paused if it is.
    pub(crate) fn status_or_paused(&self, status: &str, is_paused: bool) -> String {
        let status = self.status(status);
        if is_paused { format!("{status} {}", self.status("PAUSED")) } else { status }
    }

    /// A status in its colour.
    pub(crate) fn status(&self, status: &str) -> String {
        match status {
            "finished/failed" | "failed" | "lost" => self.paint.red(status),
            "finished/ok" | "ok" => self.paint.green(status),
            "cancelled" | "skipped" | "expired" | "PAUSED" => self.paint.yellow(status),
            "received" | "ready" | "running" => self.paint.cyan(status),
            _ => status.to_owned(),
        }
    }
}

/// `a=1,b=2`
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// The time by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(since.as_micros() as i64)
}
