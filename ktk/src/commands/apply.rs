//! `ktk apply`

use kantoku_api::contract::{Applied, AppliedItem, Change, ManifestApply, ManifestParams};
use serde_json::json;

use super::files::{FileArgs, read, refuse};
use crate::{
    commands::visible,
    error::CommandError,
    output::{Format, Paint, print_document, print_line},
    progress::Progress,
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk apply -f pipeline.yaml
  ktk apply -f examples/            all .yaml, .yml and .json files in it
  ktk apply -f a.yaml -f b.yaml --dry-run
  ktk get pipelines -o yaml | ktk apply -n other -f -";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    files: FileArgs,
    /// Say what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let manifests = read(args.files, session).await?;
    let params = ManifestParams {
        documents: manifests.values(),
        dry_run: args.dry_run,
        namespace: session.namespace(),
    };
    let progress = Progress::start(session, format!("applying {} documents", manifests.len()));
    let answer = session.call_within::<ManifestApply>(session.work_timeout(), &params).await;
    drop(progress);
    let applied = answer.map_err(|error| refuse(&manifests, error, Paint::stderr()))?;
    if !args.dry_run {
        visible(session, applied.stream_seq).await;
    }
    print(session.output(), &applied, args.dry_run)
}

fn print(format: Format, applied: &Applied, dry_run: bool) -> Result<(), CommandError> {
    let suffix = if dry_run { " (dry run)" } else { "" };
    match format {
        Format::Json | Format::Yaml => print_document(
            format,
            &json!({
                "items": applied.items,
                "stream_seq": applied.stream_seq,
                "dry_run": dry_run,
            }),
        ),
        Format::Jsonl => applied.items.iter().try_for_each(|item| print_document(format, item)),
        Format::Name => applied.items.iter().try_for_each(|item| print_line(&reference(item))),
        Format::Table | Format::Wide => applied.items.iter().try_for_each(|item| {
            let change = match item.change {
                Change::Created => "created",
                Change::Configured => "configured",
                Change::Unchanged => "unchanged",
            };
            print_line(&format!("{} {change}, version {}{suffix}", reference(item), item.version))
        }),
    }
}

fn reference(item: &AppliedItem) -> String {
    format!("{}/{}", item.kind.to_lowercase(), item.name)
}
