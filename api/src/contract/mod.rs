//! Every method: its name, what it takes, what it answers.
//!
//! Parameters are named, never positional; a parameter that is not declared is refused. Where a
//! parameter is an id, the beginning of one is enough if it is the only one that begins so.

mod attempt;
mod bulk;
mod cancel;
mod context;
mod count;
mod current;
mod dead_letter;
mod definition;
mod discover;
mod event;
mod export;
mod graph;
mod key;
mod label;
mod manifest;
mod operation;
mod pause;
mod policy;
mod resource;
mod restart;
mod script;
mod seal;
mod secret;
mod system;
mod task;
mod why;

use kantoku_domain::{Millis, Namespace};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use attempt::*;
pub use bulk::*;
pub use cancel::*;
pub use context::*;
pub use count::*;
pub use current::are_current;
pub use dead_letter::*;
pub use definition::*;
pub use discover::*;
pub use event::*;
pub use export::*;
pub use graph::*;
pub use key::*;
pub use label::*;
pub use manifest::*;
pub use operation::*;
pub use pause::*;
pub use policy::*;
pub use resource::*;
pub use restart::*;
pub use script::*;
pub use seal::*;
pub use secret::*;
pub use system::*;
pub use task::*;
pub use why::*;

/// A method that is called and answers once.
pub trait Method: Send + Sync + 'static {
    /// The name on the wire.
    const NAME: &'static str;
    /// What it does, for people.
    const SUMMARY: &'static str;
    /// What it takes, as a JSON object.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// What it answers.
    type Answer: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;
}

/// A method that is called once and answers until it is told to stop. Over WebSocket only.
pub trait Subscription: Send + Sync + 'static {
    /// The name on the wire, also that of the notifications.
    const NAME: &'static str;
    /// What it does, for people.
    const SUMMARY: &'static str;
    /// The name of the method that ends it.
    const UNSUBSCRIBE: &'static str;
    /// What it takes, as a JSON object.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// What each notification holds.
    type Item: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;
}

/// Declares methods: `/// doc` `Name = "wire.name": Params => Answer;`
macro_rules! methods {
    ($($(#[doc = $doc:literal])* $name:ident = $wire:literal: $params:ty => $answer:ty;)*) => {
        /// The names of the methods above.
        #[cfg(test)]
        pub(super) const METHODS: &[&str] = &[$($wire),*];

        /// Shows the methods above.
        pub(super) fn visit_methods(visitor: &mut impl crate::contract::Visitor) {
            $(visitor.method::<$name>();)*
        }

        $(
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl crate::contract::Method for $name {
                const NAME: &'static str = $wire;
                const SUMMARY: &'static str = concat!($($doc, "\n"),*);
                type Params = $params;
                type Answer = $answer;
            }
        )*
    };
}
use methods;

/// Declares subscriptions: `/// doc` `Name = "wire.name" until "wire.end": Params => Item;`
macro_rules! subscriptions {
    ($($(#[doc = $doc:literal])* $name:ident = $wire:literal until $end:literal: $params:ty => $item:ty;)*) => {
        /// The names of the subscriptions above, and of the methods that end them.
        #[cfg(test)]
        pub(super) const SUBSCRIPTIONS: &[&str] = &[$($wire, $end),*];

        /// Shows the subscriptions above.
        pub(super) fn visit_subscriptions(visitor: &mut impl crate::contract::Visitor) {
            $(visitor.subscription::<$name>();)*
        }

        $(
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl crate::contract::Subscription for $name {
                const NAME: &'static str = $wire;
                const SUMMARY: &'static str = concat!($($doc, "\n"),*);
                const UNSUBSCRIBE: &'static str = $end;
                type Params = $params;
                type Item = $item;
            }
        )*
    };
}
use subscriptions;

/// The names of all methods, those of subscriptions included.
#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    let families = [
        attempt::METHODS,
        bulk::METHODS,
        cancel::METHODS,
        context::METHODS,
        context::SUBSCRIPTIONS,
        count::METHODS,
        dead_letter::METHODS,
        definition::METHODS,
        discover::METHODS,
        event::METHODS,
        event::SUBSCRIPTIONS,
        export::METHODS,
        graph::METHODS,
        key::METHODS,
        label::METHODS,
        manifest::METHODS,
        operation::METHODS,
        pause::METHODS,
        policy::METHODS,
        resource::METHODS,
        restart::METHODS,
        script::METHODS,
        seal::METHODS,
        secret::METHODS,
        system::METHODS,
        task::METHODS,
        task::SUBSCRIPTIONS,
        why::METHODS,
    ];
    families.concat()
}

/// Sees every method and subscription.
pub(crate) trait Visitor {
    fn method<M: Method>(&mut self);
    fn subscription<S: Subscription>(&mut self);
}

/// Shows all of them.
pub(crate) fn visit(visitor: &mut impl Visitor) {
    attempt::visit_methods(visitor);
    bulk::visit_methods(visitor);
    cancel::visit_methods(visitor);
    context::visit_methods(visitor);
    context::visit_subscriptions(visitor);
    count::visit_methods(visitor);
    dead_letter::visit_methods(visitor);
    definition::visit_methods(visitor);
    discover::visit_methods(visitor);
    event::visit_methods(visitor);
    event::visit_subscriptions(visitor);
    export::visit_methods(visitor);
    graph::visit_methods(visitor);
    key::visit_methods(visitor);
    label::visit_methods(visitor);
    manifest::visit_methods(visitor);
    operation::visit_methods(visitor);
    pause::visit_methods(visitor);
    policy::visit_methods(visitor);
    resource::visit_methods(visitor);
    restart::visit_methods(visitor);
    script::visit_methods(visitor);
    seal::visit_methods(visitor);
    secret::visit_methods(visitor);
    system::visit_methods(visitor);
    task::visit_methods(visitor);
    task::visit_subscriptions(visitor);
    why::visit_methods(visitor);
}

/// What records must be: field to value. A field is written as in the document (`status`,
/// `context_id`, `labels.team`); the value is what it must equal, or operators: `{"$in": ["a"]}`.
/// See docs/semantics/queries.md.
pub type Filter = Map<String, Value>;

/// How long a read waits for `min_seq`, and a wait for its end, unless it says otherwise.
pub const TIMEOUT_DEFAULT: Millis = Millis(10_000);

/// The longest that one call may wait; who wants longer calls again.
pub const TIMEOUT_MAX: Millis = Millis(300_000);

/// How long one request may be, in bytes, and with it a value that is given by a call; unless the
/// server is set up otherwise.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long one answer may be, in bytes; unless the server is set up otherwise.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Tells null from nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Names one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetParams {
    /// The id, or its beginning.
    pub id: String,
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

/// Names one record, as it is or as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadParams {
    /// The id, or its beginning.
    pub id: String,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// As it was at this position of the stream, from 1; as it is now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub at_seq: Option<u64>,
    /// The same by time: the last position at or before it. An RFC 3339 time such as
    /// `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

impl From<GetParams> for ReadParams {
    fn from(params: GetParams) -> Self {
        let GetParams { id, namespace, min_seq, timeout } = params;
        Self { id, namespace, min_seq, timeout, at_seq: None, at: None }
    }
}

/// Asks for a page of records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// What they must be.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they must be besides, as a text: `status == "finished" && attempt > 1`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// A field with a type, such as `updated_at`, `created_at` or `status`; with `-` the last first.
    /// `-updated_at`, the last changed first, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// How many are passed over before the first page, up to 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000))]
    pub skip: Option<u32>,
    /// Only these fields of each, written like `status` or `labels.team`; all unless given. Not for
    /// the typed client, which knows whole documents only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// How many at most, 1 to 1,000; 100 unless given. Large records make a page shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// In all namespaces, instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_namespaces: bool,
    /// The answer is as of this position or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// How long to wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// A command was carried out, or had been before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// The position to read from to see it.
    pub stream_seq: u64,
}

/// Waits for an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitParams {
    /// The id, or its beginning.
    pub id: String,
    /// How long; then the answer comes with `done: false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}
