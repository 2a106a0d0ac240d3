//! Manifests: what YAML or JSON documents can declare.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Name, Problem, Type, by_name, nearest, pipeline, policy, specification};

/// The only `apiVersion` there is.
pub const API_VERSION: &str = "kantoku/v1";

/// The kinds that can be applied.
pub const KINDS: [&str; 4] = ["Specification", "Type", "Pipeline", "Policy"];

/// How many documents one apply may hold.
pub const DOCUMENTS_MAX: usize = 20_000;

/// A sound document.
#[derive(Clone, Debug, PartialEq)]
pub enum Manifest {
    /// `kind: Specification`.
    Specification(Name, Box<specification::Definition>),
    /// `kind: Type`, with its description.
    Type(Name, String, Type),
    /// `kind: Pipeline`.
    Pipeline(Name, Box<pipeline::Definition>),
    /// `kind: Policy`.
    Policy(Name, Box<policy::Definition>),
}

/// What a named type says: the `spec` of its manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeDefinition {
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What it stands for.
    #[serde(rename = "type")]
    pub type_: Type,
}

/// A document as people write it. Only its schema is of use: [`Manifest::read`] reads documents, with
/// errors that say where.
#[derive(Clone, Debug, JsonSchema)]
pub struct Document<S> {
    /// `kantoku/v1`.
    #[schemars(rename = "apiVersion")]
    pub api_version: String,
    /// What is declared.
    pub kind: String,
    /// What it is called.
    pub metadata: Metadata,
    /// What it says.
    pub spec: S,
}

/// What all documents say of what they declare.
#[derive(Clone, Debug, JsonSchema)]
pub struct Metadata {
    /// Its name.
    pub name: Name,
    /// For people, unless the `spec` has a description.
    pub description: Option<String>,
}

impl Manifest {
    /// Reads one document. The problem's path starts at the document's root. Fields that the
    /// server owns (`status`, `metadata.version`, `metadata.digest`) are ignored, so that what was
    /// got can be applied again.
    pub fn read(document: &Value) -> Result<Self, Problem> {
        let text = |path: &[&str]| {
            let value = path.iter().try_fold(document, |value, key| value.get(key));
            value.and_then(Value::as_str).ok_or_else(|| {
                Problem::new(path, format!("{} is missing or not a text", path.join(".")))
            })
        };
        let version = text(&["apiVersion"])?;
        if version != API_VERSION {
            return Err(Problem::new(&["apiVersion"], format!("unknown apiVersion {version:?}"))
                .suggest(Some(format!("write {API_VERSION}"))));
        }
        let name = text(&["metadata", "name"])?;
        let name: Name = name.parse().map_err(|error: crate::NameError| {
            Problem::new(&["metadata", "name"], error.to_string())
        })?;
        let spec_description = document["metadata"].get("description").and_then(Value::as_str);
        let mut spec = document.get("spec").cloned().unwrap_or(Value::Null);
        if let (Some(text), Some(spec)) = (spec_description, spec.as_object_mut()) {
            spec.entry("description").or_insert_with(|| text.into());
        }
        match text(&["kind"])? {
            "Specification" => Ok(Self::Specification(name, Box::new(read_spec(&spec)?))),
            "Pipeline" => Ok(Self::Pipeline(name, Box::new(read_spec(&spec)?))),
            "Policy" => Ok(Self::Policy(name, Box::new(read_spec(&spec)?))),
            "Type" => {
                let TypeDefinition { description, type_ } = read_spec(&spec)?;
                Ok(Self::Type(name, description, type_))
            }
            kind => Err(Problem::new(&["kind"], format!("unknown kind {kind:?}")).suggest(
                nearest(kind, KINDS)
                    .map(|kind| format!("did you mean {kind:?}?"))
                    .or_else(|| Some(format!("the kinds are {}", KINDS.join(", ")))),
            )),
        }
    }
}

/// Reads the `spec`; for an error, finds the deepest key that serde's message names.
fn read_spec<T: for<'de> Deserialize<'de>>(spec: &Value) -> Result<T, Problem> {
    by_name(spec).map_err(|error: serde_json::Error| {
        let message = error.to_string();
        let mut path = vec!["spec".to_owned()];
        let named = message.split('`').nth(1).unwrap_or_default();
        if message.starts_with("unknown field") || message.starts_with("unknown variant") {
            path.extend(path_of(spec, named).unwrap_or_default());
        }
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        Problem::new(&path, message.clone()).did_you_mean(named, known)
    })
}

/// The path to the first field called `name`, or whose value it is, depth first.
fn path_of(value: &Value, name: &str) -> Option<Vec<String>> {
    let inside = |(key, inner): (String, &Value)| {
        let is_it = key == name || inner.as_str() == Some(name);
        let path = if is_it { Some(Vec::new()) } else { path_of(inner, name) };
        path.map(|mut path| {
            path.insert(0, key);
            path
        })
    };
    match value {
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), it)).find_map(inside),
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, it)| (n.to_string(), it)).find_map(inside)
        }
        _ => None,
    }
}
