//! `ktk audit`

use kantoku_api::contract::{AuditList, AuditPage, AuditParams};

use crate::{
    error::CommandError,
    output::{Format, Table, print_document, print_line, print_text},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk audit                     the first hundred commands and refusals
  ktk audit --after 100 --limit 1000 -o jsonl";

/// Who asked for what.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only entries after this position of the audit
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let limit = session.limit().map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let page = session.call::<AuditList>(&AuditParams { after: args.after, limit }).await?;
    show(&page, session)
}

fn show(page: &AuditPage, session: &Session) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => {
            let header = ["POSITION", "AT", "ACTOR", "METHOD", "NAMESPACE", "FROM", "OUTCOME"];
            let mut table = Table::with_header(header);
            for stored in &page.items {
                let entry = &stored.entry;
                table.push(vec![
                    stored.position.to_string(),
                    entry.at.to_string(),
                    entry.actor.clone(),
                    entry.method.clone(),
                    entry.namespace.as_ref().map_or_else(String::new, ToString::to_string),
                    entry.from.clone().unwrap_or_default(),
                    entry.outcome.clone(),
                ]);
            }
            print_text(&table.take_text())
        }
        Format::Name => {
            page.items.iter().try_for_each(|item| print_line(&format!("audit/{}", item.position)))
        }
        Format::Jsonl => page.items.iter().try_for_each(|item| print_document(Format::Jsonl, item)),
        format => print_document(format, page),
    }
}
