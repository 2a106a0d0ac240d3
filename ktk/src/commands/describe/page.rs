//! A description as people read it: a title, fields, and sections.

use kantoku_domain::{Recorded, Timestamp, pause::Paused};
use serde::Serialize;

use crate::{
    manifest::to_yaml,
    output::{Paint, Table, View},
    render::one_line,
};

/// Text that grows from the top down.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    fields: Table,
    paint: Paint,
    now: Timestamp,
}

impl Page {
    pub(super) fn new(title: &str, view: &View) -> Self {
        let text = format!("{}\n", view.paint.bold(title));
        Self { text, fields: Table::default(), paint: view.paint, now: view.now }
    }

    /// A field; nothing if it has no value.
    pub(super) fn field(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.row([name.to_owned(), value]);
        }
    }

    /// A point in time, and how long ago that is.
    pub(super) fn time(&mut self, name: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            let ago = crate::render::duration(self.now.since(at));
            self.field(name, format!("{at} ({ago} ago)"));
        }
    }

    /// That it is to wait, by whom, since when and why, if it is.
    pub(super) fn paused(&mut self, paused: Option<&Paused>) {
        if let Some(Paused { by, reason, since }) = paused {
            let ago = crate::render::duration(self.now.since(*since));
            let reason =
                if reason.is_empty() { String::new() } else { format!(": {}", one_line(reason)) };
            let paused = self.paint.yellow("PAUSED");
            self.field("paused", format!("{paused} by {by} since {since} ({ago}){reason}"));
        }
    }

    /// A row of a section; the columns of a section line up.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().enumerate();
        let indented = cells.map(|(index, cell)| match index {
            0 => format!("  {cell}"),
            _ => cell,
        });
        self.fields.push(indented.collect());
    }

    /// Begins a section.
    pub(super) fn section(&mut self, title: &str) {
        self.end_fields();
        self.text.push('\n');
        self.text.push_str(&self.paint.bold(title));
        self.text.push('\n');
    }

    /// A line that stands for itself.
    pub(super) fn line(&mut self, line: &str) {
        self.end_fields();
        self.text.push_str(format!("  {line}").trim_end());
        self.text.push('\n');
    }

    /// A sentence, which may go on over further lines.
    pub(super) fn text(&mut self, text: &str) {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        self.line(&one_line(first));
        self.foreign(rest);
    }

    /// What somebody else wrote, line by line, without what a terminal would obey.
    pub(super) fn foreign(&mut self, text: &str) {
        self.end_fields();
        for line in text.trim_end().lines() {
            // Leading spaces mean something to whoever wrote them.
            let indent: String = line.chars().take_while(|c| *c == ' ').collect();
            self.text.push_str(format!("    {indent}{}", one_line(line)).trim_end());
            self.text.push('\n');
        }
    }

    /// A document.
    pub(super) fn yaml<T: Serialize>(&mut self, document: &T) {
        let text = to_yaml(document).unwrap_or_else(|error| error.to_string());
        self.end_fields();
        for line in text.lines() {
            self.text.push_str("  ");
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// The last events, and how many there were before.
    pub(super) fn events(&mut self, (events, before): &(Vec<Recorded>, usize)) {
        self.section("Events");
        if *before > 0 {
            self.line(&format!("… {before} earlier ones"));
        }
        for event in events {
            let cells = [
                event.stream_seq.to_string(),
                event.metadata.at.to_string(),
                event.event.name().to_owned(),
                event.metadata.actor.clone(),
            ];
            self.row(cells);
        }
    }

    pub(super) fn into_text(mut self) -> String {
        self.end_fields();
        self.text
    }

    fn end_fields(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        self.text.push_str(&fields.take_text());
    }
}
