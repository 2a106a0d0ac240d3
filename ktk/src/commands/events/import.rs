//! `ktk events import`

use std::path::{Path, PathBuf};

use kantoku_api::contract::{EventImport, ImportParams};
use serde_json::json;

use crate::{
    audit::{Chained, Extent, Verdict},
    error::{CommandError, Exit},
    history::{BlobDir, HistoryFile, Named, Part},
    output::{print_document, print_line},
    progress::Progress,
    session::Session,
};

/// What one call holds at most, well below what a server takes.
const LINES_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An export of all namespaces from the first event on
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the large values that events name are (`ktk events export --blobs`)
    #[arg(long, value_name = "DIR")]
    blobs: Option<PathBuf>,
    /// Leave large values out: they are in the object store already, or not needed
    #[arg(long, conflicts_with = "blobs")]
    no_blobs: bool,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    if args.file == Path::new("-") {
        return Err(CommandError::usage("the file is read twice: write stdin to one first"));
    }
    let (verdict, named) = check(&args.file, session)?;
    match &args.blobs {
        Some(dir) => BlobDir::new(dir).store(&named, session).await?,
        None if named.len() > 0 && !args.no_blobs => {
            let text = format!(
                "large values that the events name and the export does not hold: {}; say where they \
                 are with --blobs DIR, or leave them out with --no-blobs",
                named.len()
            );
            return Err(CommandError::new(Exit::Refused, text)
                .advise("ktk events export FILE --blobs DIR, where the history comes from"));
        }
        None => {}
    }
    let appended = import(&args.file, &verdict, session).await?;
    let there = verdict.events - appended;
    if !session.output().is_table() {
        let Verdict { events, last_seq, chain, .. } = verdict;
        return print_document(
            session.output(),
            &json!({ "events": events, "appended": appended, "last_seq": last_seq, "chain": chain }),
        );
    }
    let before = if there > 0 { format!(", {there} were there") } else { String::new() };
    print_line(&format!(
        "imported {appended} events{before}, up to position {}",
        verdict.last_seq
    ))?;
    session.note(
        "ktk: check it with `ktk events verify`; what had not ended goes on as soon as schedulers \
         and executors run",
    );
    Ok(())
}

/// Whether the file is what was exported, all of it.
fn check(path: &Path, session: &Session) -> Result<(Verdict, Named), CommandError> {
    let mut file = HistoryFile::open(path)?;
    if !file.header.is_whole() {
        let text = "only a history from its first event on, of all namespaces, can be imported: \
                    events name others by position";
        return Err(CommandError::new(Exit::Refused, text)
            .advise("ktk events export FILE, without -n, --context and --from-seq"));
    }
    let progress = Progress::start(session, format!("checking {}", path.display()));
    let mut chained = Chained::new(Extent::Whole, 1, file.header.chain_start);
    let mut named = Named::default();
    while let Some(line) = file.next_into(&mut chained)? {
        if let Ok(recorded) = line.read() {
            named.take(&recorded.event);
        }
        let (done, total) = file.bytes();
        progress.update(done, total, "bytes checked");
    }
    match file.trailer() {
        Some(trailer) => chained.trailer(trailer.events, trailer.last_seq, trailer.chain),
        None => chained.findings.add_at("file", None, "the last line is no trailer"),
    }
    let verdict = chained.end(true);
    if verdict.found == 0 {
        return Ok((verdict, named));
    }
    let text = format!(
        "{} is not what was exported, or was not sound then ({} findings); nothing was imported",
        path.display(),
        verdict.found
    );
    let verify = format!("ktk events verify --file {}", path.display());
    Err(CommandError::new(Exit::Findings, text).advise(verify))
}

/// Sends all lines, in their order. How many were not there already.
async fn import(path: &Path, verdict: &Verdict, session: &Session) -> Result<u64, CommandError> {
    session.on_interrupt("a part was imported; the same command again goes on with it");
    let progress = Progress::start(session, "importing events");
    let mut file = HistoryFile::open(path)?;
    let mut params = ImportParams::default();
    let (mut bytes, mut appended) = (0, 0);
    // Even nothing is sent once, so that the server says whether it would take it.
    let mut is_first = true;
    loop {
        let part = file.next()?;
        if let Some(Part::Event(line, _)) = &part {
            bytes += line.as_str().len();
            params.lines.push(line.as_str().to_owned());
        }
        let is_full = params.lines.len() >= LINES_MAX || bytes >= BYTES_MAX;
        let is_over = part.is_none();
        if is_full || (is_over && (is_first || !params.lines.is_empty())) {
            let within = session.work_timeout();
            let done = session.call_within::<EventImport>(within, &params).await?;
            (is_first, bytes) = (false, 0);
            appended += done.appended;
            params = ImportParams { lines: Vec::new(), after_seq: done.stream_seq };
            progress.update(done.stream_seq, verdict.last_seq, "positions imported");
        }
        if is_over {
            return Ok(appended);
        }
    }
}
