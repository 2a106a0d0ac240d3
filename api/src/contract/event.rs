//! `event.*`

use kantoku_domain::{Id, Millis, Namespace, Recorded};
use kantoku_projections::reader::Page;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{Filter, methods, subscriptions};

methods! {
    /// Events in the order of the stream, page by page.
    EventList = "event.list": EventsParams => Page<Recorded>;
}

subscriptions! {
    /// Events as they are stored.
    EventSubscribe = "event.subscribe" until "event.unsubscribe":
        EventSubscribeParams => Recorded;
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsParams {
    /// What they must be, by where they lie and what they are about, not by what they say.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Filter,
    /// What they must be besides, as a text: `actor == "ann" && at > now - duration("1h")`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Of which aggregate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Of which context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<Id>,
    /// Of which type, e.g. `TaskFinished`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Only those at higher positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<u64>,
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

/// Which events to follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSubscribeParams {
    /// Of which aggregate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Of which context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<Id>,
    /// Of which type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// From this position on; from now on unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_seq: Option<u64>,
    /// Whose; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}
