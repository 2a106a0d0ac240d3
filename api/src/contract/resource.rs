//! `resource.*`

use kantoku_domain::{Id, Namespace, Type};
use kantoku_projections::{document::ResourceDocument, reader::Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GetParams, ListParams, ReadParams, methods};

methods! {
    /// Creates resources that belong to no task.
    ResourceAllocate = "resource.allocate": AllocateParams => Allocated;
    /// Gives such resources their values, each once.
    ResourceInitialize = "resource.initialize": InitializeParams => Initialized;
    /// One resource; a large value as digest and size.
    ResourceGet = "resource.get": ReadParams => ResourceDocument;
    /// The value of a resource, however large.
    ResourceLoad = "resource.load": GetParams => LoadedValue;
    /// Resources, page by page.
    ResourceList = "resource.list": ListParams => Page<ResourceDocument>;
    /// Lets go of resources that belong to no task.
    ResourceRelease = "resource.release": ReleaseParams => Initialized;
}

/// How many resources one call may name.
pub const RESOURCES_MAX: usize = 10_000;

/// Resources to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllocateParams {
    /// How many, 1 to 10,000.
    #[schemars(range(min = 1, max = RESOURCES_MAX))]
    pub count: usize,
    /// What their values must be; anything unless given.
    #[serde(default, rename = "type")]
    pub type_: Type,
    /// The same key in the same namespace gives the same resources; with a higher `count`, more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// Resources that exist now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allocated {
    /// Their ids.
    pub ids: Vec<Id>,
    /// The position to read from to see them.
    pub stream_seq: u64,
}

/// Values for resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitializeParams {
    /// At most 10,000.
    #[schemars(length(min = 1, max = RESOURCES_MAX))]
    pub items: Vec<InitializeItem>,
    /// The same key for the same resource is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// The value of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitializeItem {
    /// Which.
    pub id: Id,
    /// What.
    pub value: Value,
}

/// What became of each resource. When there is only one, its failure is that of the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Initialized {
    /// In their order: `None` when it was done, else why not.
    pub errors: Vec<Option<String>>,
    /// The highest position among them; 0 when none was accepted.
    pub stream_seq: u64,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedValue {
    /// The resource.
    pub id: Id,
    /// Its value.
    pub value: Value,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// Resources to let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseParams {
    /// At most 10,000.
    #[schemars(length(min = 1, max = RESOURCES_MAX))]
    pub ids: Vec<Id>,
    /// The same key for the same resource is the same command: it takes effect once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}
