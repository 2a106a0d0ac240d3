//! What `apply` and `validate` share: `-f`, and showing problems where they stand.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use kantoku_api::contract::DocumentProblem;

use crate::{
    error::{CommandError, Exit},
    manifest::{Declared, Finding, Manifests, Record, Report, read_sources},
    output::Paint,
    session::Session,
};

/// How many findings are shown.
const SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct FileArgs {
    /// A file, a directory, or - for stdin. Repeatable
    #[arg(short, long = "filename", required = true, value_name = "FILE|DIR|-")]
    filename: Vec<PathBuf>,
}

impl FileArgs {
    /// As if `-f` had named these.
    pub(crate) fn of(filename: Vec<PathBuf>) -> Self {
        Self { filename }
    }
}

/// The documents of all files, and what keeps others from being read.
pub(crate) async fn read_all(
    args: FileArgs,
    session: &Session,
) -> Result<(Manifests, Vec<Finding>), CommandError> {
    // Stdin may let one wait: on a thread of its own, so that Ctrl-C is heard meanwhile.
    let sources = tokio::task::spawn_blocking(move || read_sources(&args.filename))
        .await
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot read: {error}")))??;
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let (manifests, findings) = Manifests::parse(sources)?;
    for name in manifests.strangers() {
        session.note(&format!("ktk: {name} is no manifest, so it was left out"));
    }
    if manifests.len() == 0 && findings.is_empty() {
        return Err(CommandError::new(
            Exit::Refused,
            format!("there is no document in {}", names.join(", ")),
        ));
    }
    Ok((manifests, findings))
}

/// The documents of all files, if all can be read, and the records among them, which nobody can
/// declare: they are named on stderr and left as they are.
pub(crate) async fn read(
    args: FileArgs,
    session: &Session,
) -> Result<(Manifests, Vec<Record>), CommandError> {
    let (mut manifests, findings) = read_all(args, session).await?;
    if !findings.is_empty() {
        print_findings(&manifests.report(), &findings, Paint::stderr());
        return Err(refused("applied", findings.len()));
    }
    let records = manifests.take_records();
    for record in records.iter().take(SHOWN_MAX) {
        session.note(&format!("ktk: {record} is left as it is: {}", record.why()));
    }
    if records.len() > SHOWN_MAX {
        session.note(&format!("ktk: and {} more like them", records.len() - SHOWN_MAX));
    }
    Ok((manifests, records))
}

/// Checks documents as far as that is possible without the server.
pub(crate) fn check_here(manifests: &Manifests) -> Result<Vec<Declared>, CommandError> {
    let (mut declared, mut findings) = (Vec::new(), Vec::new());
    for (document, value) in manifests.values().iter().enumerate() {
        match Declared::read(value) {
            Ok(read) => declared.push(read),
            Err(problem) => findings.push(manifests.locate(&DocumentProblem { document, problem })),
        }
    }
    if findings.is_empty() {
        return Ok(declared);
    }
    print_findings(&manifests.report(), &findings, Paint::stderr());
    Err(refused("applied", findings.len()))
}

/// Shows the problems that an error of the API names, if it does: why nothing was `done`.
pub(crate) fn refuse(
    manifests: &Manifests,
    done: &str,
    error: CommandError,
    paint: Paint,
) -> CommandError {
    let problems = error.api().map_or(&[][..], |error| &error.data.problems);
    if problems.is_empty() {
        return error;
    }
    let findings: Vec<Finding> = problems.iter().map(|problem| manifests.locate(problem)).collect();
    print_findings(&manifests.report(), &findings, paint);
    refused(done, findings.len())
}

/// Shows findings on stderr.
pub(crate) fn print_findings(report: &Report<'_>, findings: &[Finding], paint: Paint) {
    let mut stderr = io::stderr().lock();
    // That nobody listens is no reason to fail.
    for finding in findings.iter().take(SHOWN_MAX) {
        writeln!(stderr, "{}", report.text(finding, paint)).ok();
    }
    if findings.len() > SHOWN_MAX {
        writeln!(stderr, "… and {} more", findings.len() - SHOWN_MAX).ok();
    }
}

fn refused(done: &str, problems: usize) -> CommandError {
    let what = match problems {
        1 => "there is a problem".to_owned(),
        problems => format!("there are {problems} problems"),
    };
    CommandError::new(Exit::Refused, format!("nothing was {done}: {what}"))
}
