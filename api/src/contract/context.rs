//! `context.*`

use std::collections::BTreeMap;

use kantoku_projections::{document::ContextDocument, reader::Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ListParams, ReadParams, SubscribeParams, WaitParams, methods, subscriptions};

methods! {
    /// One context.
    ContextGet = "context.get": ReadParams => ContextDocument;
    /// Contexts, page by page.
    ContextList = "context.list": ListParams => Page<ContextDocument>;
    /// Waits for the end of all tasks of a context.
    ContextWait = "context.wait": WaitParams => ContextWaited;
}

subscriptions! {
    /// Contexts as they change: first those that match now, then each change.
    ContextSubscribe = "context.subscribe" until "context.unsubscribe":
        SubscribeParams => ContextChanged;
}

/// A context that was waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextWaited {
    /// Whether all its tasks have ended; if not, the wait was over first.
    pub done: bool,
    /// The context.
    pub context: ContextDocument,
    /// The values of the pipeline's outputs that are there; large ones as `{"digest", "size"}`.
    pub outputs: BTreeMap<String, Value>,
    /// The position that this is as of.
    pub as_of_seq: u64,
}

/// A context as it is since a position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextChanged {
    /// The position.
    pub stream_seq: u64,
    /// The context.
    pub context: ContextDocument,
}
