//! `ktk events export`

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use kantoku_api::contract::{ExportHeader, ExportTrailer};
use kantoku_streams::{Chain, Line};
use serde::Serialize;

use super::list::context;
use crate::{
    error::{CommandError, Exit},
    history::{BlobDir, Live, Named, Scope},
    progress::Progress,
    session::Session,
    target::Target,
};

/// How often progress is told, in events.
const TELL_EVERY: u64 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write; it is replaced once all is written [default: stdout]
    #[arg(value_name = "FILE", conflicts_with = "filename")]
    file: Option<PathBuf>,
    /// The same
    #[arg(short, long = "filename", value_name = "FILE", hide = true)]
    filename: Option<PathBuf>,
    /// Only one execution
    #[arg(long, value_name = "CONTEXT")]
    context: Option<Target>,
    /// The first position
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from_seq: u64,
    /// The last position [default: what is the last one now]
    #[arg(long, value_name = "SEQ")]
    to_seq: Option<u64>,
    /// Also keep the large values that events name, each in a file of this directory
    #[arg(long, value_name = "DIR")]
    blobs: Option<PathBuf>,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let context_id = match &args.context {
        Some(target) => Some(context(target, session).await?),
        None => None,
    };
    let scope = Scope {
        from_seq: args.from_seq,
        to_seq: args.to_seq,
        namespace: session.namespace(),
        context_id,
    };
    let history = Live::open(scope, session).await?;
    let (done, place) = match args.file.as_ref().or(args.filename.as_ref()) {
        None => {
            let mut stdout = BufWriter::new(io::stdout());
            let failed = |error| CommandError::stdout(&error);
            let done = export(history, &mut stdout, &failed, session).await?;
            stdout.flush().map_err(failed)?;
            (done, String::new())
        }
        Some(path) => (export_to(path, history, session).await?, format!(" to {}", path.display())),
    };
    let Done { trailer, named } = done;
    session.note(&format!(
        "ktk: exported {} events{place}, their chain ends in {}",
        trailer.events, trailer.chain
    ));
    match &args.blobs {
        Some(dir) => BlobDir::new(dir).fetch(&named, session).await?,
        None if named.len() > 0 => session.note(&format!(
            "ktk: large values that they name: {}; --blobs DIR keeps them, too",
            named.len()
        )),
        None => {}
    }
    Ok(())
}

/// What was written.
struct Done {
    trailer: ExportTrailer,
    named: Named,
}

/// Readers of `path` find what was there before, or all of the new.
async fn export_to(
    path: &Path,
    history: Live<'_>,
    session: &Session,
) -> Result<Done, CommandError> {
    let failed = |error: io::Error| {
        CommandError::new(Exit::Error, format!("cannot write {}: {error}", path.display()))
    };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = BufWriter::new(File::create(&partial).map_err(failed)?);
    let done = export(history, &mut file, &failed, session).await;
    let kept = match &done {
        Ok(_) => file.flush().and_then(|()| file.get_ref().sync_all()),
        Err(_) => Ok(()),
    };
    if done.is_err() || kept.is_err() {
        std::fs::remove_file(&partial).ok();
    }
    kept.map_err(failed)?;
    let done = done?;
    std::fs::rename(&partial, path).map_err(failed)?;
    Ok(done)
}

/// Writes the header, the events and the trailer. `failed` says that `out` could not be written to.
async fn export(
    mut history: Live<'_>,
    out: &mut impl Write,
    failed: &dyn Fn(io::Error) -> CommandError,
    session: &Session,
) -> Result<Done, CommandError> {
    let progress = Progress::start(session, "exporting events");
    let header: ExportHeader = history.header.clone();
    line(out, &header).map_err(failed)?;
    let mut named = Named::default();
    let mut trailer =
        ExportTrailer { events: 0, last_seq: 0, chain: Chain::START, left_out: Vec::new() };
    while let Some(event) = history.next().await? {
        out.write_all(event.as_str().as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(failed)?;
        add(&mut trailer, &mut named, &event);
        if trailer.events.is_multiple_of(TELL_EVERY) {
            let text = format!("positions, {} events", trailer.events);
            progress.update(trailer.last_seq, header.to_seq, &text);
        }
    }
    trailer.left_out = history.take_left_out();
    line(out, &trailer).map_err(failed)?;
    Ok(Done { trailer, named })
}

fn add(trailer: &mut ExportTrailer, named: &mut Named, event: &Line) {
    trailer.events += 1;
    trailer.chain = trailer.chain.next(event.as_str());
    trailer.last_seq = event.stream_seq().unwrap_or(trailer.last_seq);
    // What only a newer version can read is exported all the same.
    if event.as_str().contains("\"blob\"")
        && let Ok(recorded) = event.read()
    {
        named.take(&recorded.event);
    }
}

fn line(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}
