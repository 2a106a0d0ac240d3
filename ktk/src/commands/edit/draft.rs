//! The file that is edited.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use kantoku_api::contract::DocumentProblem;

use crate::{
    error::{CommandError, Exit},
    manifest::{Finding, Manifests, Source, read_sources},
    output::Paint,
};

/// What the lines begin with that are ours.
const OURS: &str = "#! ";

/// A text of the user's in a file, below lines that say why it was refused.
pub(super) struct Draft {
    path: PathBuf,
    original: String,
    text: String,
    was_refused: bool,
}

impl Draft {
    /// Writes a text to a new file that is the user's alone.
    pub(super) fn create(reference: &str, text: &str) -> Result<Self, CommandError> {
        let name = format!("ktk-{}-{}.yaml", reference.replace('/', "-"), std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| cannot("write", &path, &error))?;
        let (original, text) = (text.to_owned(), text.to_owned());
        Ok(Self { path, original, text, was_refused: false })
    }

    /// Reads what the user has made of it.
    pub(super) fn load(&mut self) -> Result<(), CommandError> {
        let sources = read_sources(std::slice::from_ref(&self.path))?;
        let text = sources.into_iter().next().map(|source| source.text).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|line| !line.starts_with(OURS));
        self.text = lines.collect();
        Ok(())
    }

    /// The documents, or why they cannot be read.
    pub(super) fn parse(&self) -> Result<Result<Manifests, Vec<String>>, CommandError> {
        let (manifests, findings) = self.parse_below(0)?;
        if findings.is_empty() {
            return Ok(Ok(manifests));
        }
        // Where lines stand depends on how many we write above them, and that not on where they stand.
        let above = shown(&manifests, &findings).iter().map(|it| it.lines().count()).sum();
        let (manifests, findings) = self.parse_below(above)?;
        Ok(Err(shown(&manifests, &findings)))
    }

    /// What the server has found, with the places in the file as it will be.
    pub(super) fn reasons(
        &self,
        problems: &[DocumentProblem],
    ) -> Result<Vec<String>, CommandError> {
        let reasons = |above: usize| {
            let (manifests, _) = self.parse_below(above)?;
            let findings: Vec<Finding> =
                problems.iter().map(|problem| manifests.locate(problem)).collect();
            Ok::<_, CommandError>(shown(&manifests, &findings))
        };
        let above = reasons(0)?.iter().map(|reason| reason.lines().count()).sum();
        reasons(above)
    }

    fn parse_below(&self, above: usize) -> Result<(Manifests, Vec<Finding>), CommandError> {
        let text = "\n".repeat(above) + self.text.as_str();
        let name = self.path.display().to_string();
        Manifests::parse(vec![Source { name, text, is_chance: false }])
    }

    /// Writes the reasons above the text.
    pub(super) fn refuse(&mut self, reasons: &[String]) -> Result<(), CommandError> {
        let lines = reasons.iter().flat_map(|reason| reason.lines());
        let head: String = lines.flat_map(|line| [OURS, line, "\n"]).collect();
        self.was_refused = true;
        fs::write(&self.path, head + self.text.as_str())
            .map_err(|error| cannot("write", &self.path, &error))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the user left it as it was.
    pub(super) fn is_original(&self) -> bool {
        self.text == self.original
    }

    /// Whether it says why it cannot be applied.
    pub(super) const fn was_refused(&self) -> bool {
        self.was_refused
    }

    /// Whether the user has written something.
    pub(super) fn is_worth_keeping(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|text| text != self.original)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// That it cannot be removed hurts nobody.
    pub(super) fn remove(&self) {
        fs::remove_file(&self.path).ok();
    }
}

fn shown(manifests: &Manifests, findings: &[Finding]) -> Vec<String> {
    let report = manifests.report();
    findings.iter().map(|finding| report.text(finding, Paint::OFF)).collect()
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(Exit::Error, format!("cannot {what} {}: {error}", path.display()))
}
