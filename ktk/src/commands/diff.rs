//! `ktk diff`

use kantoku_api::contract::{
    AppliedItem, Change, Difference as Changed, FieldChange, ManifestDiff, ManifestDiffParams,
};
use serde::Serialize;
use serde_json::json;
use similar::TextDiff;

use super::{
    apply::{reference, word},
    definition::current,
    files::{FileArgs, check_here, read, refuse},
};
use crate::{
    error::{CommandError, Exit},
    manifest::Declared,
    output::{Format, Paint, print_document, print_line, print_text},
    progress::Progress,
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk diff -f pipeline.yaml           exit 7 if applying it would change anything
  ktk diff -f examples/ -o name       only what would change
  ktk diff -f examples/ -o json

Both sides are shown in one form: with what is taken for granted, without what the server owns.";

/// How many lines that stay are shown around those that change.
const CONTEXT_LINES: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    files: FileArgs,
}

/// What would become of one document.
#[derive(Debug, Serialize)]
struct Difference {
    #[serde(flatten)]
    item: AppliedItem,
    /// The fields that would change, with both values.
    changes: Vec<FieldChange>,
    /// A unified diff; empty for what stays as it is.
    diff: String,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (manifests, _) = read(args.files, session).await?;
    if manifests.len() == 0 {
        return Ok(());
    }
    let declared = check_here(&manifests)?;
    let progress = Progress::start(session, format!("comparing {} documents", manifests.len()));
    let params =
        ManifestDiffParams { documents: manifests.values(), namespace: session.namespace() };
    let compared = session.call_within::<ManifestDiff>(session.work_timeout(), &params).await;
    let compared =
        compared.map_err(|error| refuse(&manifests, "compared", error, Paint::stderr()))?;
    let mut differences = Vec::with_capacity(declared.len());
    for (Changed { item, changes }, wanted) in compared.items.into_iter().zip(&declared) {
        let diff = unified(&item, wanted, session).await?;
        differences.push(Difference { item, changes, diff });
    }
    drop(progress);
    print(&differences, session)?;
    let count = differences.iter().filter(|it| it.item.change != Change::Unchanged).count();
    match count {
        0 => Ok(()),
        _ => Err(CommandError::new(
            Exit::Findings,
            format!("{count} of {} documents would change something", differences.len()),
        )
        .as_of(compared.stream_seq)
        .advise("ktk apply with the same files makes it so")),
    }
}

async fn unified(
    item: &AppliedItem,
    wanted: &Declared,
    session: &Session,
) -> Result<String, CommandError> {
    let (old, before) = match item.change {
        Change::Unchanged => return Ok(String::new()),
        Change::Created => (String::new(), "nothing".to_owned()),
        Change::Configured => {
            let current = current(wanted.kind, wanted.name.as_str(), session).await?;
            (current.declared.to_yaml()?, format!("version {}", current.version))
        }
    };
    let new = wanted.to_yaml()?;
    let name = reference(item);
    let diff = TextDiff::from_lines(&old, &new);
    let headers = (format!("{name} {before}"), format!("{name} version {}", item.version));
    Ok(diff.unified_diff().context_radius(CONTEXT_LINES).header(&headers.0, &headers.1).to_string())
}

fn print(differences: &[Difference], session: &Session) -> Result<(), CommandError> {
    let changed = || differences.iter().filter(|it| it.item.change != Change::Unchanged);
    match session.output() {
        Format::Table | Format::Wide => {
            let paint = Paint::stdout();
            changed().try_for_each(|it| {
                if it.diff.is_empty() {
                    // Equal in all that is shown: a reference leads elsewhere now.
                    return print_line(&format!(
                        "{} {}",
                        reference(&it.item),
                        word(it.item.change)
                    ));
                }
                print_text(&it.diff.lines().map(|line| painted(line, paint)).collect::<String>())
            })
        }
        Format::Name => changed().try_for_each(|it| print_line(&reference(&it.item))),
        Format::Jsonl => differences.iter().try_for_each(|it| print_document(Format::Jsonl, it)),
        format => print_document(format, &json!({ "items": differences })),
    }
}

/// The line in the colour of its first character, which says the same.
fn painted(line: &str, paint: Paint) -> String {
    let line = match line.chars().next() {
        Some('+') => paint.green(line),
        Some('-') => paint.red(line),
        Some('@') => paint.cyan(line),
        _ => line.to_owned(),
    };
    line + "\n"
}
