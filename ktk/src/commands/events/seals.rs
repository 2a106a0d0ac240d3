//! `ktk events seals` and `ktk events reseal`

use kantoku_api::contract::{SealList, SealRestart, SealRestartParams, SealsParams};
use kantoku_domain::Id;
use kantoku_streams::StoredSeal;

use crate::{
    error::CommandError,
    kind::Kind,
    output::{Format, List, Row, View, print_document, print_line, print_list},
    session::Session,
};

/// How many are shown unless `--limit` says otherwise.
const SHOWN: u64 = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

#[derive(Debug, clap::Args)]
pub(super) struct AnewArgs {
    /// Why, for whoever reads the seals later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Shows the last ones; all of them where a program reads.
pub(in crate::commands) async fn list(session: &Session) -> Result<(), CommandError> {
    let latest = session.call::<SealList>(&SealsParams { after: u64::MAX }).await?.latest;
    let last = latest.map_or(0, |seal| seal.position);
    let wanted = match (session.limit(), session.output()) {
        (Some(0), _) | (None, Format::Jsonl) => last,
        (Some(limit), _) => limit,
        (None, _) => SHOWN,
    };
    let mut after = last.saturating_sub(wanted);
    let mut items: Vec<StoredSeal> = Vec::new();
    while after < last {
        let page = session.call::<SealList>(&SealsParams { after }).await?.items;
        let Some(end) = page.last() else { break };
        after = end.position;
        if matches!(session.output(), Format::Jsonl) {
            // There may be very many: each is told as soon as it is known.
            page.iter().try_for_each(|seal| print_document(Format::Jsonl, seal))?;
        } else {
            items.extend(page);
        }
    }
    match session.output() {
        Format::Jsonl => Ok(()),
        _ => print_list(session, &List { items, next_cursor: None, as_of_seq: None }),
    }
}

pub(super) async fn anew(args: AnewArgs, session: &Session) -> Result<(), CommandError> {
    let params = SealRestartParams { reason: args.reason };
    let seal = session.call::<SealRestart>(&params).await?;
    if !session.output().is_table() {
        return print_document(session.output(), &seal);
    }
    print_line(
        "the chain begins anew: the sealer seals the stream as it is now, from its first event",
    )
}

impl Row for StoredSeal {
    fn kind() -> Kind {
        Kind::Seal
    }

    fn name(&self) -> String {
        self.position.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        None
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["SEAL", "POSITION", "EVENTS", "AGE", "CHAIN"];
        if wide {
            columns.extend(["EVENT", "REASON"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let seal = &self.seal;
        let chain = seal.chain.to_string();
        let mut cells = vec![
            self.position.to_string(),
            seal.stream_seq.to_string(),
            seal.events.to_string(),
            view.age(seal.at),
            if view.wide { chain } else { format!("{}…", &chain[..16]) },
        ];
        if seal.begun.is_some() && !view.wide {
            "begins anew".clone_into(&mut cells[4]);
        }
        if view.wide {
            let why = seal.begun.as_ref().map(|begun| format!("{} by {}", begun.reason, begun.by));
            cells.extend([seal.event_id.to_string(), why.unwrap_or_default()]);
        }
        cells
    }
}
