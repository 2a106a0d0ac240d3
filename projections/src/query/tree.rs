//! What a filter says, however it was written.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{Id, Timestamp};
use serde_json::Number;

use super::{fields::Field, pattern::Pattern};

/// A condition on a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of these hold; of none, it holds.
    All(Vec<Self>),
    /// One of these holds; of none, it does not.
    Any(Vec<Self>),
    /// This does not hold, be it that there is nothing to compare.
    Not(Box<Self>),
    /// A field is so.
    Field(Field, Test),
    /// The record stands so to another.
    Related(Relation, Id),
}

/// What a field is tested for. Each but [`Test::Exists`] is false of what is not there.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is this.
    Equals(Scalar),
    /// It is one of these.
    In(Vec<Scalar>),
    /// It is of the same type, and there is this order between it and the value.
    Ordered(Order, Scalar),
    /// It is there, and not null.
    Exists,
    /// It is a text, in which the pattern is found.
    Matches(Pattern),
    /// It is a list with this among its items.
    Includes(Scalar),
}

/// How a field stands to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Order {
    /// In SQL, and in text.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The same, seen from the value.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// Whether it is the order of two that compare so.
    pub const fn holds(self, compared: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => compared.is_lt(),
            Self::LessOrEqual => compared.is_le(),
            Self::Greater => compared.is_gt(),
            Self::GreaterOrEqual => compared.is_ge(),
        }
    }
}

/// A value that a filter compares with.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// True or false.
    Bool(bool),
    /// A time.
    Time(When),
    /// An id.
    Id(Id),
}

/// A time in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This time.
    At(Timestamp),
    /// So many microseconds after the query begins, or before.
    Now(i64),
}

impl When {
    /// The time, for a query that began at `now`.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Now(micros) => Timestamp::from_micros(now.micros().saturating_add(micros)),
        }
    }
}

/// How a record stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// A task that the other spawned, or one that descends from it.
    DescendantOf,
    /// A task that cannot run before the other has ended: it waits for it, or for one that does.
    BlockedBy,
    /// A resource that the other, a task, resolves or has resolved.
    ProducedBy,
}

impl Relation {
    /// Its name, in both spellings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DescendantOf => "descendant_of",
            Self::BlockedBy => "blocked_by",
            Self::ProducedBy => "produced_by",
        }
    }
}

/// What a condition is judged by besides the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// When the query began.
    pub now: Timestamp,
    /// The records that stand so to another.
    pub related: BTreeMap<(Relation, Id), BTreeSet<Id>>,
}

impl Condition {
    /// What holds of every record.
    pub const fn always() -> Self {
        Self::All(Vec::new())
    }

    /// All of `parts`, without needless layers.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::All(parts) => flat.extend(parts),
                part => flat.push(part),
            }
        }
        match flat.len() {
            1 => flat.swap_remove(0),
            _ => Self::All(flat),
        }
    }

    /// One of `parts`, without needless layers.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Any(parts) => flat.extend(parts),
                part => flat.push(part),
            }
        }
        match flat.len() {
            1 => flat.swap_remove(0),
            _ => Self::Any(flat),
        }
    }

    /// The contrary.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Whether it can be seen to hold of every record of a namespace: it asks for nothing, or for
    /// what every record has.
    pub fn holds_of_all(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(Self::holds_of_all),
            Self::Any(parts) => parts.iter().any(Self::holds_of_all),
            Self::Not(inner) => inner.holds_of_none(),
            Self::Field(field, test) => field.is_always_there() && *test == Test::Exists,
            Self::Related(..) => false,
        }
    }

    /// Whether it can be seen to hold of no record.
    fn holds_of_none(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().any(Self::holds_of_none),
            Self::Any(parts) => parts.iter().all(Self::holds_of_none),
            Self::Not(inner) => inner.holds_of_all(),
            Self::Field(..) | Self::Related(..) => false,
        }
    }

    /// Every condition in it, itself included.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(see)),
            Self::Not(inner) => inner.visit(see),
            Self::Field(..) | Self::Related(..) => {}
        }
    }

    /// What it asks of other records.
    pub fn relations(&self) -> BTreeSet<(Relation, Id)> {
        let mut found = BTreeSet::new();
        self.visit(&mut |condition| {
            if let Self::Related(relation, id) = condition {
                found.insert((*relation, *id));
            }
        });
        found
    }
}
