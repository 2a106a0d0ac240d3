//! Specifications, types and pipelines in lists, and as the manifests that declare them.

use std::collections::BTreeMap;

use kantoku_domain::{Executable, Id, Type, manifest::API_VERSION};
use kantoku_projections::document::{PipelineDocument, SpecificationDocument, TypeDocument};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    kind::Kind,
    output::{Row, View},
};

/// The fields of a definition's document that the server owns. The rest is its `spec`.
const OWNED: [&str; 11] = [
    "id",
    "namespace",
    "name",
    "version",
    "digest",
    "source",
    "description",
    "paused",
    "deleted",
    "created_at",
    "stream_seq",
];

/// The manifest that declares what a document says.
pub(super) fn manifest(kind: &str, document: &impl Serialize) -> Result<Value, serde_json::Error> {
    let mut spec = serde_json::to_value(document)?;
    let mut metadata = serde_json::Map::new();
    if let Some(fields) = spec.as_object_mut() {
        for key in OWNED {
            match fields.remove(key) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(value) => {
                    metadata.insert(key.to_owned(), value);
                }
            }
        }
    }
    Ok(json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec }))
}

/// `name: type, …`
fn types(types: &BTreeMap<String, Type>, view: &View) -> String {
    let texts: Vec<String> = types.iter().map(|(name, type_)| format!("{name}: {type_}")).collect();
    view.text(&texts.join(", "))
}

/// What runs, in a word or a line.
fn executable(executable: &Executable, view: &View) -> String {
    match executable {
        Executable::Process { command, .. } => view.text(&format!("process {}", command.join(" "))),
        Executable::Http { url, .. } => {
            view.text(&format!("http {}", crate::error::without_password(url)))
        }
        Executable::Rhai { .. } => "rhai".into(),
        Executable::Noop => "noop".into(),
        Executable::Sleep { duration, .. } => format!("sleep {duration}"),
    }
}

impl Row for SpecificationDocument {
    fn kind() -> Kind {
        Kind::Specification
    }

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns =
            vec!["NAME", "VERSION", "EXECUTABLE", "INPUTS", "OUTPUTS", "PAUSED", "AGE"];
        if wide {
            columns.extend(["QUEUE", "ATTEMPTS", "DIGEST", "DESCRIPTION"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let mut cells = vec![
            self.name.to_string(),
            self.version.to_string(),
            executable(&self.executable, view),
            types(&self.inputs, view),
            types(&self.outputs, view),
            self.paused.as_ref().map(|_| view.status("PAUSED")).unwrap_or_default(),
            view.age(self.created_at),
        ];
        if view.wide {
            cells.extend([
                self.queue.clone(),
                self.retry.attempts.to_string(),
                self.digest.clone(),
                view.text(&self.description),
            ]);
        }
        cells
    }

    fn to_manifest(&self) -> Result<Value, serde_json::Error> {
        manifest("Specification", self)
    }
}

impl Row for TypeDocument {
    fn kind() -> Kind {
        Kind::Type
    }

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["NAME", "VERSION", "TYPE", "AGE"];
        if wide {
            columns.extend(["DIGEST", "DESCRIPTION"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let mut cells = vec![
            self.name.to_string(),
            self.version.to_string(),
            view.text(&self.type_.to_string()),
            view.age(self.created_at),
        ];
        if view.wide {
            cells.extend([self.digest.clone(), view.text(&self.description)]);
        }
        cells
    }

    fn to_manifest(&self) -> Result<Value, serde_json::Error> {
        manifest("Type", self)
    }
}

impl Row for PipelineDocument {
    fn kind() -> Kind {
        Kind::Pipeline
    }

    fn name(&self) -> String {
        self.name.to_string()
    }

    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str())
    }

    fn ids(&self) -> Vec<Id> {
        Vec::new()
    }

    fn columns(wide: bool) -> Vec<&'static str> {
        let mut columns = vec!["NAME", "VERSION", "TASKS", "PARAMS", "OUTPUTS", "AGE"];
        if wide {
            columns.extend(["DIGEST", "DESCRIPTION"]);
        }
        columns
    }

    fn cells(&self, view: &View) -> Vec<String> {
        let outputs: Vec<&str> = self.outputs.keys().map(String::as_str).collect();
        let mut cells = vec![
            self.name.to_string(),
            self.version.to_string(),
            self.tasks.len().to_string(),
            types(&self.params, view),
            view.text(&outputs.join(", ")),
            view.age(self.created_at),
        ];
        if view.wide {
            cells.extend([self.digest.clone(), view.text(&self.description)]);
        }
        cells
    }

    fn to_manifest(&self) -> Result<Value, serde_json::Error> {
        manifest("Pipeline", self)
    }
}
