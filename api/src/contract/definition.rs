//! `specification.*`, `type.*`, `pipeline.*`

use std::collections::BTreeMap;

use kantoku_domain::{Id, Millis, Name, Namespace};
use kantoku_projections::{
    document::{PipelineDocument, SpecificationDocument, TypeDocument},
    reader::Page,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Filter, methods};

methods! {
    /// A version of a specification.
    SpecificationGet = "specification.get": VersionParams => SpecificationDocument;
    /// The latest versions of all specifications, by name.
    SpecificationList = "specification.list": NamesParams => Page<SpecificationDocument>;
    /// A version of a type.
    TypeGet = "type.get": VersionParams => TypeDocument;
    /// The latest versions of all types, by name.
    TypeList = "type.list": NamesParams => Page<TypeDocument>;
    /// A version of a pipeline.
    PipelineGet = "pipeline.get": VersionParams => PipelineDocument;
    /// The latest versions of all pipelines, by name.
    PipelineList = "pipeline.list": NamesParams => Page<PipelineDocument>;
    /// Starts a pipeline.
    PipelineRun = "pipeline.run": RunParams => Run;
}

/// Names a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionParams {
    /// The name.
    pub name: Name,
    /// Which version; the latest unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// Asks for a page of the latest versions of definitions, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamesParams {
    /// What they must be.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they must be besides, as a text: `executable.type == "http"`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// How many, 1 to 1,000; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// A pipeline to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunParams {
    /// Which; its latest version.
    pub name: Name,
    /// With which parameters.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The same key in the same namespace is the same run, however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// A pipeline that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The context that it runs in.
    pub context_id: Id,
    /// The version that runs.
    pub version: u64,
    /// How many tasks the plan has.
    pub tasks: usize,
    /// The resources that will hold the pipeline's outputs.
    pub outputs: BTreeMap<String, Id>,
    /// The position to read from to see it.
    pub stream_seq: u64,
}
