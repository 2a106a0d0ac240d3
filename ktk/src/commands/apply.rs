//! `ktk apply`

use clap::ValueEnum;
use kantoku_api::contract::{Applied, AppliedItem, Change, ManifestApply, ManifestParams};
use serde_json::{Value, json};

use super::files::{FileArgs, check_here, read, refuse};
use crate::{
    commands::visible,
    error::CommandError,
    manifest::{Manifests, Record},
    output::{Format, Paint, print_document, print_line},
    progress::Progress,
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk apply -f pipeline.yaml
  ktk apply -f examples/            all .yaml, .yml and .json files in it
  ktk apply -f a.yaml -f b.yaml --dry-run
  ktk apply -f a.yaml --dry-run=client     without asking the server
  ktk get pipelines -o yaml | ktk apply -n other -f -

What the server owns in a document is ignored, and so are documents about tasks, contexts and other
records: nothing but what manifests declare can be applied.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    files: FileArgs,
    /// Say what would happen, and do nothing: as the server sees it, or as far as can be seen from
    /// here
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "server")]
    dry_run: Option<DryRun>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    /// The server checks it all and changes nothing
    Server,
    /// Nothing is asked: whether what is referred to exists is not known
    Client,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (manifests, records) = read(args.files, session).await?;
    if args.dry_run == Some(DryRun::Client) {
        return here(&manifests, &records, session);
    }
    let is_dry = args.dry_run.is_some();
    let applied = match manifests.len() {
        0 => Applied { items: Vec::new(), stream_seq: 0 },
        count => {
            let progress = Progress::start(session, format!("applying {count} documents"));
            let applied = apply(&manifests, is_dry, session).await;
            drop(progress);
            applied.map_err(|error| refuse(&manifests, "applied", error, Paint::stderr()))?
        }
    };
    if !is_dry && manifests.len() > 0 {
        visible(session, applied.stream_seq).await;
    }
    print(session.output(), &applied, &records, is_dry)
}

/// Has the server make it so, or say what that would come to.
pub(super) async fn apply(
    manifests: &Manifests,
    dry_run: bool,
    session: &Session,
) -> Result<Applied, CommandError> {
    let documents = manifests.values();
    let params = ManifestParams { documents, dry_run, namespace: session.namespace() };
    session.call_within::<ManifestApply>(session.work_timeout(), &params).await
}

fn here(manifests: &Manifests, records: &[Record], session: &Session) -> Result<(), CommandError> {
    let declared = check_here(manifests)?;
    let item =
        |kind: String, name: &str| json!({ "kind": kind, "name": name, "change": "unknown" });
    let items: Vec<Value> =
        declared.iter().map(|it| item(it.kind.title(), it.name.as_str())).collect();
    match session.output() {
        Format::Table | Format::Wide => declared.iter().try_for_each(|it| {
            print_line(&format!("{} is sound (dry run without the server)", it.reference()))
        }),
        Format::Name => declared.iter().try_for_each(|it| print_line(&it.reference())),
        Format::Jsonl => items.iter().try_for_each(|item| print_document(Format::Jsonl, item)),
        format => {
            let items: Vec<Value> = items.into_iter().chain(records.iter().map(left)).collect();
            print_document(format, &json!({ "items": items, "dry_run": true }))
        }
    }
}

fn print(
    format: Format,
    applied: &Applied,
    records: &[Record],
    dry_run: bool,
) -> Result<(), CommandError> {
    let suffix = if dry_run { " (dry run)" } else { "" };
    match format {
        Format::Table | Format::Wide => applied.items.iter().try_for_each(|item| {
            let change = word(item.change);
            print_line(&format!("{} {change}, version {}{suffix}", reference(item), item.version))
        }),
        Format::Name => applied.items.iter().try_for_each(|item| print_line(&reference(item))),
        Format::Jsonl => applied.items.iter().try_for_each(|item| print_document(format, item)),
        format => {
            let items = applied.items.iter().map(|item| json!(item));
            let items: Vec<Value> = items.chain(records.iter().map(left)).collect();
            let stream_seq = (!applied.items.is_empty()).then_some(applied.stream_seq);
            let document = json!({ "items": items, "stream_seq": stream_seq, "dry_run": dry_run });
            print_document(format, &document)
        }
    }
}

/// What became of a document that cannot be applied.
fn left(record: &Record) -> Value {
    json!({
        "kind": record.kind.title(),
        "name": record.name,
        "change": "ignored",
        "reason": record.why(),
    })
}

/// The word for a change.
pub(super) const fn word(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Configured => "configured",
        Change::Unchanged => "unchanged",
    }
}

/// `kind/name`
pub(super) fn reference(item: &AppliedItem) -> String {
    format!("{}/{}", item.kind.to_lowercase(), item.name)
}
