//! `ktk validate`

use kantoku_api::contract::{ManifestParams, ManifestValidate};
use serde_json::json;

use super::files::{FileArgs, print_findings, read_all};
use crate::{
    error::{CommandError, Exit},
    output::{Format, Paint, print_document, print_line},
    progress::Progress,
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk validate -f pipeline.yaml
  ktk validate -f examples/ -o json";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    files: FileArgs,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let (mut manifests, mut findings) = read_all(args.files, session).await?;
    manifests.take_records();
    // Documents that could not be read would only be missed by those that could.
    if findings.is_empty() {
        let progress = Progress::start(session, format!("checking {} documents", manifests.len()));
        let params = ManifestParams {
            documents: manifests.values(),
            dry_run: false,
            namespace: session.namespace(),
        };
        let validated =
            session.call_within::<ManifestValidate>(session.work_timeout(), &params).await?;
        drop(progress);
        findings.extend(validated.problems.iter().map(|problem| manifests.locate(problem)));
    }
    let report = manifests.report();
    match session.output() {
        Format::Table | Format::Wide | Format::Name => {
            print_findings(&report, &findings, Paint::stderr());
            if findings.is_empty() {
                print_line(&format!("{} documents are sound", manifests.len()))?;
            }
        }
        Format::Jsonl => findings
            .iter()
            .try_for_each(|finding| print_document(Format::Jsonl, &report.document(finding)))?,
        format => {
            let problems: Vec<_> =
                findings.iter().map(|finding| report.document(finding)).collect();
            print_document(format, &json!({ "documents": manifests.len(), "problems": problems }))?;
        }
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err(CommandError::new(Exit::Refused, "there is a problem")),
        count => Err(CommandError::new(Exit::Refused, format!("there are {count} problems"))),
    }
}
