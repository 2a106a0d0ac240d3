//! An event as a line.

use kantoku_domain::Recorded;

use crate::{
    error::CommandError,
    output::{Format, Paint, print_document, print_line},
    session::Session,
};

/// Prints events one by one, as soon as they are known.
pub(super) struct Printer {
    format: Format,
    paint: Paint,
}

impl Printer {
    pub(super) fn new(session: &Session) -> Self {
        Self { format: session.output(), paint: Paint::stdout() }
    }

    /// A document is one line, so that a stream of them can be read by programs.
    pub(super) fn print(&self, event: &Recorded) -> Result<(), CommandError> {
        match self.format {
            Format::Table => print_line(&self.row(event)),
            Format::Wide => {
                let document = serde_json::to_value(event).unwrap_or_default();
                print_line(&format!("{}  {}", self.row(event), document["data"]))
            }
            Format::Name => print_line(&event.stream_seq.to_string()),
            Format::Yaml => print_line("---").and_then(|()| print_document(Format::Yaml, event)),
            format => print_document(format.of_stream(), event),
        }
    }

    fn row(&self, event: &Recorded) -> String {
        let lead = self.paint.dim(&format!(
            "{:>8}  {:<27}",
            event.stream_seq,
            event.metadata.at.to_string()
        ));
        let name = format!("{:<20}", event.event.name());
        let name = match event.event.name() {
            failed if failed.ends_with("Failed") => self.paint.red(&name),
            ended if ended.ends_with("Cancelled") || ended.ends_with("Skipped") => {
                self.paint.yellow(&name)
            }
            _ => name,
        };
        let what = format!("{}/{}", event.aggregate.name(), event.id);
        format!("{lead}  {name}  {what}  v{}  {}", event.version, event.metadata.actor)
    }
}
