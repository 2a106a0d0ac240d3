//! `ktk events verify`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use kantoku_api::contract::{BlobVerify, Finding, NoParams, ProjectionVerify};
use kantoku_streams::StoredSeal;
use serde::Serialize;

use crate::{
    audit::{Chained, Extent, Findings, Verdict},
    commands::operation,
    error::{CommandError, Exit},
    history::{BlobDir, HistoryFile, Live, Named, Scope, Sealed},
    output::{Format, Paint, print_document, print_line},
    progress::Progress,
    session::Session,
};

/// How often progress is told, in events.
const TELL_EVERY: u64 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Check an export instead, without a server; - for stdin
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Seals that were kept elsewhere (`ktk events seals -o jsonl`), to compare with
    #[arg(long, value_name = "FILE")]
    seals: Option<PathBuf>,
    /// Also compare the read model with a rebuild, and large values with their digests
    #[arg(long)]
    deep: bool,
    /// Where the large values of an export are (`ktk events export --blobs`)
    #[arg(long, value_name = "DIR", requires = "file")]
    blobs: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    verdict: Verdict,
    /// By table whether it equals a rebuild, if that was asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, bool>,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let kept = args.seals.as_deref().map(read_seals).transpose()?;
    let (verdict, tables) = match &args.file {
        Some(path) => (of_file(path, kept, args.blobs.as_deref(), session).await?, BTreeMap::new()),
        None => of_server(kept, args.deep, session).await?,
    };
    show(&Document { verdict, tables }, args.file.as_deref(), session)
}

fn read_seals(path: &Path) -> Result<Vec<StoredSeal>, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        CommandError::new(Exit::NotFound, format!("cannot read {}: {error}", path.display()))
    })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(place, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let text = format!("line {} of {} is no seal: {error}", place + 1, path.display());
            CommandError::new(Exit::Error, text)
        })
    };
    lines.map(read).collect()
}

/// Checks an export. Nothing but the file is looked at.
async fn of_file(
    path: &Path,
    seals: Option<Vec<StoredSeal>>,
    blobs: Option<&Path>,
    session: &Session,
) -> Result<Verdict, CommandError> {
    let mut file = HistoryFile::open(path)?;
    let header = &file.header;
    let extent = match (header.is_whole(), header.from_seq <= 1) {
        (true, _) => Extent::Whole,
        (false, true) => Extent::Filtered,
        (false, false) => Extent::Tail,
    };
    let is_whole = extent == Extent::Whole;
    if !is_whole && seals.is_some() {
        return Err(CommandError::usage(
            "seals are over all events from the first on: export without -n, --context and \
             --from-seq to compare with them",
        ));
    }
    let mut chained = Chained::new(extent, header.from_seq, header.chain_start);
    let mut sealed = seals.map_or_else(Sealed::none, Sealed::kept);
    let progress = Progress::start(session, format!("checking {}", path.display()));
    let mut named = Named::default();
    while let Some(line) = file.next_into(&mut chained)? {
        if blobs.is_some()
            && let Ok(recorded) = line.read()
        {
            named.take(&recorded.event);
        }
        compare(&mut chained, &mut sealed).await?;
        tell(&progress, &chained, file.bytes());
    }
    let Some(trailer) = file.trailer() else {
        let message = "the last line is no trailer: the export is not complete";
        chained.findings.add_at("file", Some(chained.last_seq()), message);
        return Ok(chained.end(true));
    };
    trailer.left_out.iter().for_each(|seq| chained.left_out(*seq));
    chained.trailer(trailer.events, trailer.last_seq, trailer.chain);
    if let Some(dir) = blobs {
        for message in BlobDir::new(dir).check(&named) {
            chained.findings.add_at("blob", None, message);
        }
    }
    Ok(chained.end(true))
}

/// Checks the server's history.
async fn of_server(
    seals: Option<Vec<StoredSeal>>,
    deep: bool,
    session: &Session,
) -> Result<(Verdict, BTreeMap<String, bool>), CommandError> {
    let is_live = seals.is_none();
    let mut sealed = match seals {
        Some(seals) => Sealed::kept(seals),
        None => Sealed::live(session).await?,
    };
    let mut history = Live::open(Scope::default(), session).await?;
    let header = history.header.clone();
    let mut chained = Chained::new(Extent::Whole, 1, header.chain_start);
    let progress = Progress::start(session, "checking events");
    while let Some(line) = history.next().await? {
        chained.take(&line, "an event of the stream");
        compare(&mut chained, &mut sealed).await?;
        tell(&progress, &chained, (chained.last_seq(), header.to_seq));
    }
    history.take_left_out().into_iter().for_each(|seq| chained.left_out(seq));
    if let Some(seal) = sealed.peek().await?
        && seal.seal.stream_seq <= header.to_seq
    {
        let seal = seal.seal.clone();
        chained.seal(&seal);
    }
    check_creation(&mut chained, &mut sealed, header.stream_created, is_live).await?;
    drop(progress);
    let tables =
        if deep { look_deep(&mut chained.findings, session).await? } else { BTreeMap::new() };
    Ok((chained.end(false), tables))
}

/// A stream that was made anew has seals of another, which are never reached.
async fn check_creation(
    chained: &mut Chained,
    sealed: &mut Sealed<'_>,
    created: kantoku_domain::Timestamp,
    is_live: bool,
) -> Result<(), CommandError> {
    let Some(seal) = sealed.peek().await? else { return Ok(()) };
    if is_live && seal.seal.stream_created != created {
        let message = format!(
            "the stream was created at {created}, but the one that was sealed at {}",
            seal.seal.stream_created
        );
        chained.findings.add_at("seal", Some(seal.seal.stream_seq), message);
    }
    Ok(())
}

/// Compares with the seals that are due.
async fn compare(chained: &mut Chained, sealed: &mut Sealed<'_>) -> Result<(), CommandError> {
    while let Some(seal) = sealed.peek().await?
        && seal.seal.stream_seq <= chained.last_seq()
    {
        let seal = seal.seal.clone();
        chained.seal(&seal);
        sealed.pop();
    }
    Ok(())
}

fn tell(progress: &Progress, chained: &Chained, (done, total): (u64, u64)) {
    if chained.events().is_multiple_of(TELL_EVERY) && total > 0 {
        let found = match chained.findings.found() {
            0 => String::new(),
            found => format!(", {found} findings"),
        };
        progress.update(done, total, &format!("{} events{found}", chained.events()));
    }
}

/// Compares what lies beside the events.
async fn look_deep(
    findings: &mut Findings,
    session: &Session,
) -> Result<BTreeMap<String, bool>, CommandError> {
    let started = session.call::<BlobVerify>(&NoParams {}).await?;
    let blobs = operation::finish(started, "checking large values", session).await?;
    findings.extend(blobs.findings, blobs.found);
    let started = session.call::<ProjectionVerify>(&NoParams {}).await?;
    let compared = operation::finish(started, "comparing the read model", session).await?;
    for (table, _) in compared.equal.iter().filter(|(_, equal)| !**equal) {
        let as_of = compared.as_of_seq.unwrap_or_default();
        let finding = Finding {
            rule: "table".into(),
            aggregate: None,
            stream_seq: compared.as_of_seq,
            message: format!("table {table} differs from a rebuild as of position {as_of}"),
            advice: "ktk projections rebuild".into(),
        };
        findings.extend([finding], 1);
    }
    Ok(compared.equal)
}

fn show(document: &Document, file: Option<&Path>, session: &Session) -> Result<(), CommandError> {
    let Document { verdict, tables } = document;
    match session.output() {
        Format::Table | Format::Wide => {
            let paint = Paint::stdout();
            verdict.findings.iter().try_for_each(|finding| print_finding(finding, paint))?;
        }
        Format::Name => {
            verdict.findings.iter().try_for_each(|finding| print_line(&finding.rule))?;
        }
        Format::Jsonl => {
            let mut findings = verdict.findings.iter();
            findings.try_for_each(|finding| print_document(Format::Jsonl, finding))?;
        }
        format => print_document(format, document)?,
    }
    verdict.notes.iter().for_each(|note| session.note(&format!("ktk: {note}")));
    let Verdict { events, last_seq, chain, found, .. } = verdict;
    if *found > 0 {
        let shown = verdict.findings.len();
        let shown = if *found > shown as u64 {
            format!(", of which {shown} are shown")
        } else {
            String::new()
        };
        let (found, events) = (counted(*found, "finding"), counted(*events, "event"));
        let text = format!("{found} in {events}{shown}");
        return Err(CommandError::new(Exit::Findings, text).as_of(*last_seq));
    }
    let seals = match verdict.sealed_seq {
        Some(seq) => {
            format!(", confirmed by {} up to {seq}", counted(verdict.seals, "seal"))
        }
        None if file.is_some() => String::new(),
        None => "; nothing is sealed yet (ktk serve --only sealer)".to_owned(),
    };
    let tables = match tables.len() {
        0 => String::new(),
        count => format!("; all {count} tables equal a rebuild, all large values their digests"),
    };
    session.note(&format!(
        "ktk: nothing is wrong with {} up to position {last_seq}{seals}{tables}\n\
         ktk: their chain ends in {chain}",
        counted(*events, "event")
    ));
    Ok(())
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn print_finding(finding: &Finding, paint: Paint) -> Result<(), CommandError> {
    let at = finding.stream_seq.map_or_else(String::new, |seq| format!("  position {seq}"));
    let whose = finding.aggregate.as_ref().map_or_else(String::new, |it| format!("  {it}"));
    let rule = paint.red(&format!("✗ {}", finding.rule));
    print_line(&format!("{rule}{at}{whose}\n    {}\n    → {}", finding.message, finding.advice))
}
