//! `ktk events export`

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use kantoku_api::contract::{EventExport, ExportParams, Exported};
use serde::Serialize;

use super::list::context;
use crate::{
    error::{CommandError, Exit},
    progress::Progress,
    session::Session,
    target::Target,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only one execution
    #[arg(long, value_name = "CONTEXT")]
    context: Option<Target>,
    /// The first position
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from_seq: u64,
    /// The last position [default: what is the last one now]
    #[arg(long, value_name = "SEQ")]
    to_seq: Option<u64>,
    /// Where to write; it is replaced once all is written [default: stdout]
    #[arg(short, long = "filename", value_name = "FILE")]
    filename: Option<PathBuf>,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let context_id = match &args.context {
        Some(target) => Some(context(target, session).await?),
        None => None,
    };
    let params = ExportParams {
        from_seq: args.from_seq,
        to_seq: args.to_seq,
        context_id,
        namespace: session.namespace(),
    };
    match &args.filename {
        None => {
            let mut stdout = BufWriter::new(io::stdout());
            let written =
                export(params, &mut stdout, &|error| CommandError::stdout(&error), session).await?;
            stdout.flush().map_err(|error| CommandError::stdout(&error))?;
            session.note(&format!("ktk: exported {written} events"));
        }
        Some(path) => {
            let written = export_to(path, params, session).await?;
            session.note(&format!("ktk: exported {written} events to {}", path.display()));
        }
    }
    Ok(())
}

/// Readers of `path` find what was there before, or all of the new.
async fn export_to(
    path: &Path,
    params: ExportParams,
    session: &Session,
) -> Result<u64, CommandError> {
    let failed = |error: io::Error| {
        CommandError::new(Exit::Error, format!("cannot write {}: {error}", path.display()))
    };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = BufWriter::new(File::create(&partial).map_err(failed)?);
    let written = export(params, &mut file, &failed, session).await;
    let kept = match &written {
        Ok(_) => file.flush().and_then(|()| file.get_ref().sync_all()),
        Err(_) => Ok(()),
    };
    if written.is_err() || kept.is_err() {
        std::fs::remove_file(&partial).ok();
    }
    kept.map_err(failed)?;
    let written = written?;
    std::fs::rename(&partial, path).map_err(failed)?;
    Ok(written)
}

/// The number of events. `failed` says that `out` could not be written to.
async fn export(
    mut params: ExportParams,
    out: &mut impl Write,
    failed: &dyn Fn(io::Error) -> CommandError,
    session: &Session,
) -> Result<u64, CommandError> {
    let progress = Progress::start(session, "exporting events");
    let mut written = 0;
    let mut is_first = true;
    loop {
        let part: Exported = session.call::<EventExport>(&params).await?;
        let (first, last) = (part.header.from_seq, part.header.to_seq);
        if std::mem::take(&mut is_first) {
            // All parts together are the stretch up to what was the last position at the start.
            params.to_seq = Some(last);
            line(out, &part.header).map_err(failed)?;
            params.from_seq = first;
        }
        for event in &part.events {
            line(out, event).map_err(failed)?;
        }
        written += part.events.len() as u64;
        let Some(next_seq) = part.next_seq else { return Ok(written) };
        params.from_seq = next_seq;
        progress.update(next_seq - 1, last, &format!("positions, {written} events"));
    }
}

fn line(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}
