//! `ktk import`

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use kantoku_api::contract::{ManifestApply, ManifestParams};
use kantoku_domain::{Name, manifest::DOCUMENTS_MAX};
use serde_json::{Value, json};

use crate::{
    commands::visible,
    error::{CommandError, Exit},
    output::{Format, print_document, print_line},
    progress::Progress,
    session::Session,
    wfcommons::{self, Converted, Options},
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk import wfcommons montage.json && ktk run pipeline/montage --watch
  ktk import wfcommons blast.json --time-scale 0.01 --name blast-slow
  ktk import wfcommons blast.json -o json      {\"pipeline\", \"tasks\"}";

/// Larger recordings are none.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// What one call may hold, well below what a server takes.
const CHUNK_BYTES_MAX: usize = 16 * 1024 * 1024;
const CHUNK_MAX: usize = DOCUMENTS_MAX / 2;

/// Pipelines from workflows of other systems.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A recorded scientific workflow in `WfFormat` 1.4 to 1.6: its tasks sleep as long as measured
    Wfcommons(WfcommonsArgs),
}

#[derive(Debug, clap::Args)]
struct WfcommonsArgs {
    /// The recording, or - for stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// What measured runtimes are multiplied by
    #[arg(long, value_name = "FACTOR", default_value_t = Options::TIME_SCALE, allow_negative_numbers = true)]
    time_scale: f64,
    /// The pipeline's name [default: that of the recording]
    #[arg(long)]
    name: Option<Name>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::Wfcommons(args) => wfcommons(args, session).await,
    }
}

async fn wfcommons(args: WfcommonsArgs, session: &Session) -> Result<(), CommandError> {
    let progress = Progress::start(session, format!("reading {}", args.file.display()));
    let converted = tokio::task::spawn_blocking(move || convert(&args))
        .await
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot convert: {error}")))??;
    let stream_seq = apply(converted.documents, &progress, session).await?;
    drop(progress);
    visible(session, stream_seq).await;
    let (pipeline, tasks) = (converted.pipeline.as_str(), converted.tasks);
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!("pipeline/{pipeline} imported, {tasks} tasks"))?;
            session.note(&format!("try: ktk run pipeline/{pipeline} --watch"));
            Ok(())
        }
        Format::Name => print_line(&format!("pipeline/{pipeline}")),
        format => print_document(format, &json!({ "pipeline": pipeline, "tasks": tasks })),
    }
}

fn convert(args: &WfcommonsArgs) -> Result<Converted, CommandError> {
    let json = read(&args.file).map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Error,
        };
        CommandError::new(exit, format!("cannot read {}: {error}", args.file.display()))
    })?;
    let options = Options { name: args.name.clone(), time_scale: args.time_scale };
    wfcommons::convert(&json, &options).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        let file = args.file.display();
        CommandError::new(Exit::Refused, format!("{file} cannot be imported:{}", problems.concat()))
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut json = String::new();
    let bytes = if path == Path::new("-") {
        io::stdin().take(FILE_BYTES_MAX + 1).read_to_string(&mut json)?
    } else {
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut json)?
    };
    if bytes as u64 > FILE_BYTES_MAX {
        let text = format!("it is longer than {} MiB", FILE_BYTES_MAX / 1024 / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(json)
}

/// Applies the documents, in their order, with as few calls as the server's limits allow. The
/// position of the last.
async fn apply(
    documents: Vec<Value>,
    progress: &Progress,
    session: &Session,
) -> Result<u64, CommandError> {
    let total = documents.len();
    let mut done = 0;
    let mut stream_seq = 0;
    for documents in chunks(documents) {
        progress.update(done as u64, total as u64, "documents applied");
        done += documents.len();
        let params = ManifestParams { documents, dry_run: false, namespace: session.namespace() };
        let applied = session.call_within::<ManifestApply>(session.work_timeout(), &params).await?;
        stream_seq = stream_seq.max(applied.stream_seq);
    }
    Ok(stream_seq)
}

fn chunks(documents: Vec<Value>) -> Vec<Vec<Value>> {
    let mut chunks = Vec::new();
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for document in documents {
        let length = document.to_string().len();
        if !chunk.is_empty() && (chunk.len() >= CHUNK_MAX || bytes + length > CHUNK_BYTES_MAX) {
            chunks.push(std::mem::take(&mut chunk));
            bytes = 0;
        }
        bytes += length;
        chunk.push(document);
    }
    chunks.push(chunk);
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_order_and_no_call_exceeds_a_limit() {
        let long = "x".repeat(CHUNK_BYTES_MAX / 3);
        let documents: Vec<_> = (0..CHUNK_MAX + 10)
            .map(|n| json!({ "n": n }))
            .chain([json!(long), json!(long), json!(long), json!("last")])
            .collect();
        let chunks = chunks(documents.clone());
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [CHUNK_MAX, 12, 2]);
        assert_eq!(chunks.concat(), documents);
    }
}
