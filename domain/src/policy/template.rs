//! Custom keys: a text made from what a task is.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A text with places to fill in: `{specification}`, `{context}`, `{queue}`, `{step}`,
/// `{shard_key}`, `{labels.NAME}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: Arc<str>,
    parts: Arc<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// What a place is filled in with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The name of the specification.
    Specification,
    /// The id of the context.
    Context,
    /// The queue.
    Queue,
    /// The name in the pipeline, or the key under the parent.
    Step,
    /// What keeps related tasks on one shard.
    ShardKey,
    /// The value of a label.
    Label(String),
}

const FIELDS: &str =
    "{specification}, {context}, {queue}, {step}, {shard_key} and {labels.NAME} can be filled in";

impl Field {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "specification" => Self::Specification,
            "context" => Self::Context,
            "queue" => Self::Queue,
            "step" => Self::Step,
            "shard_key" => Self::ShardKey,
            label => Self::Label(label.strip_prefix("labels.").filter(|it| !it.is_empty())?.into()),
        })
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            let text: String = text.chars().take(80).collect();
            format!("{text:?} is no key: {why}")
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| wrong("a { is not closed"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Field(Field::read(name).ok_or_else(|| wrong(FIELDS))?));
            rest = after;
        }
        if !parts.iter().any(|part| matches!(part, Part::Field(_))) {
            return Err(wrong(FIELDS));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { text: text.into(), parts: parts.into() })
    }
}

impl Template {
    /// The text with every place filled in; `None` if `fill` has nothing for one.
    pub fn fill<'a>(&self, fill: impl Fn(&Field) -> Option<&'a str>) -> Option<String> {
        let mut filled = String::new();
        for part in self.parts.iter() {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Field(field) => filled.push_str(fill(field)?),
            }
        }
        Some(filled)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_filled_in_or_there_is_none() {
        let key: Template = "{labels.team}/{specification}!".parse().expect("a key");
        let fill = |team: Option<&'static str>| {
            key.fill(|field| match field {
                Field::Label(name) if name == "team" => team,
                Field::Specification => Some("a"),
                _ => None,
            })
        };
        assert_eq!(fill(Some("x")).as_deref(), Some("x/a!"));
        assert_eq!(fill(None), None);
        assert_eq!(key.to_string(), "{labels.team}/{specification}!");
        for (wrong, why) in [
            ("team", "can be filled in"),
            ("{team}", "can be filled in"),
            ("{labels.}", "can be filled in"),
            ("{labels.team", "a { is not closed"),
        ] {
            let error = wrong.parse::<Template>().expect_err(wrong);
            assert!(error.contains(why), "{error}");
        }
    }
}
