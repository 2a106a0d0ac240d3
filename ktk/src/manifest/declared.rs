//! What a document declares, in one form however it was written.

use kantoku_domain::{
    Name, Problem,
    manifest::{API_VERSION, Manifest},
};
use serde_json::{Value, json};

use super::to_yaml;
use crate::{error::CommandError, kind::Kind};

/// A declaration that makes sense by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Declared {
    /// What it declares.
    pub(crate) kind: Kind,
    /// Its name.
    pub(crate) name: Name,
    /// How, without what the server owns and with what it takes for granted.
    spec: Value,
}

impl Declared {
    /// Reads a document, whether somebody wrote it or the server.
    pub(crate) fn read(document: &Value) -> Result<Self, Problem> {
        let manifest = Manifest::read(document)?;
        let (kind, name, spec) = match manifest {
            Manifest::Specification(name, definition) => {
                (Kind::Specification, name, serde_json::to_value(definition))
            }
            Manifest::Type(name, description, type_) => {
                let spec = json!({ "description": description, "type": type_ });
                (Kind::Type, name, Ok(spec))
            }
            Manifest::Pipeline(name, definition) => {
                (Kind::Pipeline, name, serde_json::to_value(definition))
            }
            Manifest::Policy(name, definition) => {
                (Kind::Policy, name, serde_json::to_value(definition))
            }
        };
        let spec = spec.map_err(|error| Problem::new(&["spec"], error.to_string()))?;
        Ok(Self { kind, name, spec })
    }

    /// The manifest, for people.
    pub(crate) fn to_yaml(&self) -> Result<String, CommandError> {
        let mut spec = self.spec.clone();
        let description = spec.as_object_mut().and_then(|fields| fields.remove("description"));
        let mut metadata = json!({ "name": self.name });
        if let Some(description) = description.filter(|it| it.as_str() != Some("")) {
            metadata["description"] = description;
        }
        to_yaml(&json!({
            "apiVersion": API_VERSION,
            "kind": self.kind.title(),
            "metadata": metadata,
            "spec": spec,
        }))
    }

    /// `kind/name`
    pub(crate) fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}
