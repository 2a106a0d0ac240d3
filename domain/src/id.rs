//! Identity: uuids whose last byte is the partition, derived rather than drawn wherever possible.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Kind, Namespace};

/// One of the 64 parts that contexts are spread over. All ids made in one context carry its
/// partition in their last byte, so that an id alone gives its subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// How many partitions there are.
    pub const COUNT: u8 = 64;

    /// The partition of any byte: its lowest six bits.
    pub const fn of(byte: u8) -> Self {
        Self(byte % Self::COUNT)
    }

    /// The number of this partition, 0 to 63.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// The identity of an aggregate, an event or a command.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(Uuid);

impl Id {
    /// Takes a uuid as it is. The caller has made it (uuid v7 for new commands and contexts).
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The uuid.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The partition in the last byte.
    pub const fn partition(self) -> Partition {
        Partition::of(self.0.as_bytes()[15])
    }

    /// The same id moved to `partition`.
    #[must_use]
    pub fn in_partition(self, partition: Partition) -> Self {
        let mut bytes = *self.0.as_bytes();
        bytes[15] = partition.number();
        Self(Uuid::from_bytes(bytes))
    }

    /// The id that follows from this one and `key`: uuid v5 (RFC 9562), in `partition`.
    /// The same arguments always give the same id, so whatever is made twice is made once.
    #[must_use]
    pub fn derive(self, key: &str, partition: Partition) -> Self {
        Self(Uuid::new_v5(&self.0, key.as_bytes())).in_partition(partition)
    }

    /// The id of something that people name: a specification, a type, a pipeline.
    pub fn named(namespace: &Namespace, kind: Kind, name: &str) -> Self {
        let id = Self(Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("kantoku:{namespace}:{kind}:{name}").as_bytes(),
        ));
        id.in_partition(id.partition())
    }

    /// The id of the command that an idempotency key stands for: the same key in one namespace and
    /// method is the same command for as long as the history is kept.
    pub fn of_key(namespace: &Namespace, method: &str, key: &str) -> Self {
        Self(Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("kantoku:{namespace}:key:{method}:{key}").as_bytes(),
        ))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_stay_in_the_partition() {
        let root = Id::from_uuid(Uuid::from_u128(7));
        let partition = Partition::of(0x2a);
        let a = root.derive("words", partition);
        assert_eq!(a, root.derive("words", partition));
        assert_ne!(a, root.derive("letters", partition));
        assert_eq!(a.partition(), partition);
        assert!(a.to_string().ends_with("2a"));
    }
}
