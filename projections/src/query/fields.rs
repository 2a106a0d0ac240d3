//! The fields that filters know: where each lies, and what it is.

mod known;

use kantoku_domain::nearest;

use super::tree::Relation;

pub use known::{CONTEXTS, EVENTS, PIPELINES, POLICIES, RESOURCES, SPECIFICATIONS, TASKS, TYPES};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A time.
    Time,
    /// An id.
    Id,
    /// Whatever was put there.
    Any,
}

/// A field that records of a kind have.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name in filters.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    column: Option<&'static str>,
    /// The keys that lead to it in the document behind its name.
    below: &'static [&'static str],
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One value.
    Plain,
    /// Whether there is something.
    Presence,
    /// What lies in it is named by the keys that lead there.
    Open,
    /// One text for each name.
    Labels,
}

/// The fields of a kind of record.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    /// What the records are called.
    pub kind: &'static str,
    /// What they have.
    pub entries: &'static [Entry],
    /// How they may stand to others.
    pub relations: &'static [Relation],
}

/// A field that a filter names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it holds.
    pub kind: Kind,
    /// Its column, if it has one of its own.
    pub(crate) column: Option<&'static str>,
    /// The keys that lead to it in the document.
    pub(crate) path: Vec<String>,
    /// Whether it is about there being something at `path`.
    pub(crate) is_presence: bool,
    /// Whether it is a label, with this name.
    pub(crate) is_label: bool,
}

impl Field {
    /// Whether every record has it.
    pub(crate) fn is_always_there(&self) -> bool {
        let [name] = self.path.as_slice() else { return false };
        let names = ["id", "namespace", "status", "created_at", "updated_at", "stream_seq"];
        !self.is_label && names.contains(&name.as_str())
    }
}

const fn plain(kind: Kind, name: &'static str) -> Entry {
    Entry { name, kind, column: None, below: &[], shape: Shape::Plain }
}

const fn column(kind: Kind, name: &'static str) -> Entry {
    Entry { column: Some(name), ..plain(kind, name) }
}

const fn open(name: &'static str) -> Entry {
    Entry { shape: Shape::Open, ..plain(Kind::Any, name) }
}

const LABELS: Entry = Entry { shape: Shape::Labels, ..column(Kind::Text, "labels") };

impl Catalogue {
    /// The field that `keys` lead to.
    pub fn field(&self, keys: &[String]) -> Result<Field, String> {
        let (Some(name), rest) = (keys.first(), keys.get(1..).unwrap_or_default()) else {
            return Err("there is no field without a name".into());
        };
        if rest.iter().any(|key| key.contains('\0')) {
            return Err("the name of a field has a NUL character, which none has".into());
        }
        let fits = |entry: &&Entry| match entry.shape {
            _ if entry.name != name => false,
            Shape::Plain | Shape::Presence => rest.is_empty(),
            Shape::Labels => rest.len() == 1,
            Shape::Open => true,
        };
        let entry = self.entries.iter().find(fits).ok_or_else(|| self.unknown(name, rest))?;
        let own = [entry.name].into_iter().chain(entry.below.iter().copied());
        let path = own.map(str::to_owned).chain(rest.iter().cloned());
        Ok(Field {
            kind: entry.kind,
            column: entry.column,
            path: path.collect(),
            is_presence: entry.shape == Shape::Presence,
            is_label: entry.shape == Shape::Labels,
        })
    }

    /// The keys in `written`, as JSON has it: dots part them. What follows `labels.` is one name.
    pub fn keys(written: &str) -> Vec<String> {
        match written.split_once('.') {
            Some((first, rest)) if first == LABELS.name => vec![first.to_owned(), rest.to_owned()],
            _ => written.split('.').map(str::to_owned).collect(),
        }
    }

    /// The names of the fields, as they are written; what can be asked first stands first.
    fn names(&self) -> impl Iterator<Item = String> {
        let written = |entry: &Entry| match entry.shape {
            Shape::Labels => format!("{}.NAME", entry.name),
            Shape::Open => format!("{}.…", entry.name),
            Shape::Plain | Shape::Presence => entry.name.to_owned(),
        };
        self.entries.iter().map(written)
    }

    fn unknown(&self, name: &str, rest: &[String]) -> String {
        let kind = self.kind;
        let named = self.entries.iter().find(|entry| entry.name == name);
        if let Some(entry) = named {
            return match entry.shape {
                Shape::Labels if rest.is_empty() => {
                    format!("name one of the labels: {name}.NAME, or {name}[\"NAME\"]")
                }
                Shape::Labels => format!("write a label with dots in its name {name}[\"a.b\"]"),
                _ => format!("there is nothing in {name}: it has one value"),
            };
        }
        let known = self.entries.iter().map(|entry| entry.name);
        if let Some(meant) = nearest(name, known) {
            let meant = if meant == LABELS.name { "labels.NAME" } else { meant };
            return format!("a {kind} has no field {name:?}; did you mean {meant:?}?");
        }
        let known: Vec<String> = self.names().collect();
        format!("a {kind} is not filtered by {name:?}, but by {}", known.join(", "))
    }
}
