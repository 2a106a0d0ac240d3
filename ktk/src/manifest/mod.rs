//! Manifest files: from YAML or JSON to the documents that the API takes, and from the problems that
//! it finds back to lines and columns.
//!
//! [`files`] finds and reads them, [`yaml`] makes [`Document`]s that remember where everything in
//! them stands, [`report`] shows a [`Finding`] with its source line.

mod declared;
mod files;
mod json;
mod merge;
mod place;
mod record;
mod report;
mod scalar;
mod syntax;
#[cfg(test)]
mod tests;
mod write;
mod yaml;

use kantoku_api::contract::DocumentProblem;
use kantoku_domain::manifest::DOCUMENTS_MAX;
use serde_json::Value;

pub(crate) use declared::Declared;
pub(crate) use files::read_sources;
pub(crate) use json::{read_document, read_json};
pub(crate) use place::{Node, Place};
pub(crate) use record::Record;
pub(crate) use report::{Finding, Report};
pub(crate) use write::to_yaml;

use crate::error::{CommandError, Exit};

/// A file, or what came over stdin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// As the user knows it; `-` for stdin.
    pub(crate) name: String,
    /// Its content.
    pub(crate) text: String,
    /// Whether it is JSON that was only found in a directory, where JSON may be anything.
    pub(crate) is_chance: bool,
}

/// A document and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Index of its source.
    pub(crate) source: usize,
    /// What it says.
    pub(crate) value: Value,
    /// Where each part of it stands.
    pub(crate) node: Node,
}

/// All documents of some sources.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    sources: Vec<Source>,
    documents: Vec<Document>,
    /// The files that hold no manifests.
    strangers: Vec<String>,
}

impl Manifests {
    /// Takes the documents from `sources`. The findings are all that keeps them from being read; what
    /// is sound is there nevertheless.
    pub(crate) fn parse(sources: Vec<Source>) -> Result<(Self, Vec<Finding>), CommandError> {
        let mut documents = Vec::new();
        let mut findings = Vec::new();
        let mut strangers = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let (mut found, faults) = yaml::parse(&source.text);
            if source.is_chance {
                let before = found.len();
                found.retain(|(value, _)| {
                    ["apiVersion", "kind"].iter().any(|key| value.get(key).is_some())
                });
                if found.len() < before {
                    strangers.push(source.name.clone());
                }
            }
            documents.extend(found.into_iter().map(|(value, node)| Document {
                source: index,
                value,
                node,
            }));
            findings.extend(faults.into_iter().map(|fault| Finding { source: index, ..fault }));
            if documents.len() > DOCUMENTS_MAX {
                return Err(CommandError::new(
                    Exit::Refused,
                    format!("there are more than {DOCUMENTS_MAX} documents: apply fewer at once"),
                ));
            }
        }
        Ok((Self { sources, documents, strangers }, findings))
    }

    /// The documents as the API takes them.
    pub(crate) fn values(&self) -> Vec<Value> {
        self.documents.iter().map(|document| document.value.clone()).collect()
    }

    /// Takes out what `ktk get -o yaml` has printed of things that no manifest declares.
    pub(crate) fn take_records(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        self.documents.retain(|document| match Record::read(&document.value) {
            Some(record) => {
                records.push(record);
                false
            }
            None => true,
        });
        records
    }

    /// The files that were left out, as they are no manifests.
    pub(crate) fn strangers(&self) -> &[String] {
        &self.strangers
    }

    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    /// Where a problem that the API found stands.
    pub(crate) fn locate(&self, found: &DocumentProblem) -> Finding {
        let problem = &found.problem;
        let document = self.documents.get(found.document);
        Finding {
            source: document.map_or(0, |document| document.source),
            place: document.map(|document| document.node.find(&problem.path, &problem.message)),
            path: problem.path.clone(),
            message: problem.message.clone(),
            suggestion: problem.suggestion.clone(),
        }
    }

    /// For showing findings.
    pub(crate) fn report(&self) -> Report<'_> {
        Report::new(&self.sources)
    }
}
