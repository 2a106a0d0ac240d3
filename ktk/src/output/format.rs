//! `-o`

use std::str::FromStr;

use kantoku_domain::nearest;

use super::Selection;

/// What data on stdout looks like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// A table with more columns and nothing shortened.
    Wide,
    /// One name a line, such as `task/0193a5c2-…`.
    Name,
    /// One JSON document; of a list its items and the position that they are as of.
    Json,
    /// One JSON document a line, one per item.
    Jsonl,
    /// YAML; definitions as manifests that can be applied.
    Yaml,
    /// Some of the JSON document.
    Select(&'static Selection),
    /// A picture, which only `ktk graph` draws.
    Picture(Picture),
}

/// What a picture is drawn in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    /// Lines of text.
    Tree,
    /// For Graphviz.
    Dot,
    /// For Markdown pages.
    Mermaid,
    /// For browsers.
    Svg,
}

impl Format {
    /// The names of those that stand alone.
    pub(crate) const WORDS: [&str; 6] = ["table", "wide", "name", "json", "jsonl", "yaml"];
    /// For help texts.
    pub(crate) const HELP: &str = "What data on stdout looks like: table, wide (nothing shortened), \
name, json, jsonl (a line per item), yaml (definitions as manifests), jsonpath=TEMPLATE or \
custom-columns=HEADER:PATH,… of the JSON; for `ktk graph` tree, dot, mermaid or svg [default: table]";

    /// Whether it is for people.
    pub(crate) const fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Whether nothing is to be shortened.
    pub(crate) const fn is_wide(self) -> bool {
        matches!(self, Self::Wide)
    }

    /// The same where documents come one by one: each on a line, so that programs can tell them
    /// apart, unless only some of each is wanted.
    pub(crate) const fn of_stream(self) -> Self {
        match self {
            Self::Select(_) => self,
            _ => Self::Jsonl,
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(template) = text.strip_prefix("jsonpath=") {
            return Selection::template(template).map(selected);
        }
        if let Some(columns) = text.strip_prefix("custom-columns=") {
            return Selection::columns(columns).map(selected);
        }
        match text {
            "table" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "name" => Ok(Self::Name),
            "json" => Ok(Self::Json),
            "jsonl" => Ok(Self::Jsonl),
            "yaml" => Ok(Self::Yaml),
            "tree" => Ok(Self::Picture(Picture::Tree)),
            "dot" => Ok(Self::Picture(Picture::Dot)),
            "mermaid" => Ok(Self::Picture(Picture::Mermaid)),
            "svg" => Ok(Self::Picture(Picture::Svg)),
            "jsonpath" => Err("write jsonpath=TEMPLATE, e.g. jsonpath='{.items[*].id}'".into()),
            "custom-columns" => Err("write custom-columns=HEADER:PATH,…, e.g. \
                                     custom-columns=ID:.id,NODE:.node"
                .into()),
            _ => Err(match nearest(text, Self::WORDS) {
                Some(word) => format!("there is no such format; did you mean {word:?}?"),
                None => format!(
                    "the formats are {}, jsonpath=… and custom-columns=…",
                    Self::WORDS.join(", ")
                ),
            }),
        }
    }
}

/// A command line is read once, and what it says holds as long as the process lives.
fn selected(selection: Selection) -> Format {
    Format::Select(Box::leak(Box::new(selection)))
}
