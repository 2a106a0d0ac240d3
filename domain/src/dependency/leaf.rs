//! The leaves of a dependency that are more than an id.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, value::MapAccessDeserializer},
};

use crate::{Id, Millis, Recorded, cron::Cron};

/// A window of time that opens again and again: from each start of `cron` for `duration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it opens.
    pub cron: Cron,
    /// For how long.
    pub duration: Millis,
    /// Whose clock `cron` means.
    #[serde(default)]
    pub timezone: Timezone,
}

/// Whose clock is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Timezone {
    /// Coordinated universal time.
    #[default]
    #[serde(rename = "UTC")]
    Utc,
}

/// People have to say yes: `{name, count, by}`, or the name alone for one yes of anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// What is approved, unique in the task.
    pub name: String,
    /// How many different people have to.
    pub count: u32,
    /// Who may; empty: anybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

impl Approval {
    /// Whether the word of `who` counts.
    pub fn may(&self, who: &str) -> bool {
        self.by.is_empty() || self.by.iter().any(|name| name == who)
    }
}

/// An event that somebody waits for, in the namespace of the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventPattern {
    /// Its stored name, e.g. `SpecificationApplied`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The aggregate that it happens to; any unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Labels that the aggregate must have, among others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl EventPattern {
    /// Whether `recorded` is such an event; `labels` are those of its aggregate.
    pub fn matches(&self, recorded: &Recorded, labels: &BTreeMap<String, String>) -> bool {
        recorded.event.name() == self.type_
            && self.id.is_none_or(|id| id == recorded.id)
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// A GET that is answered as expected: `{url, expect, every}`, or the URL alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpProbe {
    /// Where to. It is stored in events, so it may hold no password.
    pub url: String,
    /// The status that is waited for.
    pub expect: u16,
    /// How often it is asked.
    pub every: Millis,
}

/// Something that may be written as one text.
trait Short: Sized {
    const EXPECTED: &'static str;
    /// All its fields, as they are written.
    type Long: for<'de> Deserialize<'de> + Into<Self>;

    fn short(text: String) -> Self;
}

/// People who have to say yes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LongApproval {
    /// What is approved, unique in the task.
    name: String,
    /// How many different people have to.
    #[serde(default = "one")]
    count: u32,
    /// Who may; empty: anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
}

fn one() -> u32 {
    1
}

impl From<LongApproval> for Approval {
    fn from(LongApproval { name, count, by }: LongApproval) -> Self {
        Self { name, count, by }
    }
}

impl Short for Approval {
    const EXPECTED: &'static str = "an approval's name, or {name, count, by}";
    type Long = LongApproval;

    fn short(name: String) -> Self {
        Self { name, count: one(), by: vec![] }
    }
}

/// A GET that is answered as expected.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LongProbe {
    /// Where to. It is stored in events, so it may hold no password.
    url: String,
    /// The status that is waited for.
    #[serde(default = "ok")]
    expect: u16,
    /// How often it is asked.
    #[serde(default = "half_a_minute")]
    every: Millis,
}

fn ok() -> u16 {
    200
}

fn half_a_minute() -> Millis {
    Millis(30_000)
}

impl From<LongProbe> for HttpProbe {
    fn from(LongProbe { url, expect, every }: LongProbe) -> Self {
        Self { url, expect, every }
    }
}

impl Short for HttpProbe {
    const EXPECTED: &'static str = "a URL, or {url, expect, every}";
    type Long = LongProbe;

    fn short(url: String) -> Self {
        Self { url, expect: ok(), every: half_a_minute() }
    }
}

struct ShortOrLong<T>(PhantomData<T>);

impl<'de, T: Short> de::Visitor<'de> for ShortOrLong<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok(T::short(text.to_owned()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::Long::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
    }
}

impl<'de> Deserialize<'de> for Approval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShortOrLong(PhantomData))
    }
}

impl<'de> Deserialize<'de> for HttpProbe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShortOrLong(PhantomData))
    }
}
