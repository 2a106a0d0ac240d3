//! A map of what is kept for good: what came lately is hashed, what is older lies dense and sorted.
//!
//! A hash map has room for up to twice as much as is in it, and for more while it grows. Here that is
//! so for a small part.

use std::{collections::HashMap, fmt, marker::PhantomData};

use kantoku_domain::Id;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
};

/// So many are hashed before they are put to the others, or a part of those.
const RECENT_MIN: usize = 1_024;
const RECENT_PART: usize = 8;
/// Room for no more is made at once, whatever length is told.
const ROOM_MAX: usize = 1 << 22;

/// See the module.
#[derive(Debug)]
pub(super) struct Archive<V> {
    recent: HashMap<Id, V>,
    /// In the order of ids, none of which is among the recent; `None`: it was taken out.
    old: Vec<(Id, Option<V>)>,
}

impl<V> Default for Archive<V> {
    fn default() -> Self {
        Self { recent: HashMap::new(), old: Vec::new() }
    }
}

impl<V> Archive<V> {
    pub(super) fn get(&self, id: &Id) -> Option<&V> {
        self.recent.get(id).or_else(|| self.old[self.place(id)?].1.as_ref())
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.get(id).is_some()
    }

    /// Puts it in, and returns what was there before.
    pub(super) fn insert(&mut self, id: Id, value: V) -> Option<V> {
        if let Some(place) = self.place(&id) {
            return self.old[place].1.replace(value);
        }
        let before = self.recent.insert(id, value);
        if self.recent.len() > RECENT_MIN.max(self.old.len() / RECENT_PART) {
            self.merge();
        }
        before
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<V> {
        self.recent.remove(id).or_else(|| {
            let place = self.place(id)?;
            self.old[place].1.take()
        })
    }

    fn place(&self, id: &Id) -> Option<usize> {
        self.old.binary_search_by_key(id, |(id, _)| *id).ok()
    }

    fn merge(&mut self) {
        let mut recent: Vec<_> = std::mem::take(&mut self.recent).into_iter().collect();
        recent.sort_unstable_by_key(|(id, _)| *id);
        let mut recent = recent.into_iter().peekable();
        let mut merged = Vec::with_capacity(self.old.len() + recent.len());
        for (id, value) in std::mem::take(&mut self.old) {
            while let Some((id, value)) = recent.next_if(|(other, _)| *other < id) {
                merged.push((id, Some(value)));
            }
            if value.is_some() {
                merged.push((id, value));
            }
        }
        merged.extend(recent.map(|(id, value)| (id, Some(value))));
        self.old = merged;
    }
}

impl<V: Serialize> Serialize for Archive<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let old = self.old.iter().filter_map(|(id, value)| Some((id, value.as_ref()?)));
        let mut all: Vec<(&Id, &V)> = old.chain(&self.recent).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        serializer.collect_seq(all)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Archive<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let old = deserializer.deserialize_seq(Sorted(PhantomData))?;
        Ok(Self { recent: HashMap::new(), old })
    }
}

struct Sorted<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Sorted<V> {
    type Value = Vec<(Id, Option<V>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries in the order of their ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut old: Self::Value =
            Vec::with_capacity(entries.size_hint().unwrap_or_default().min(ROOM_MAX));
        while let Some((id, value)) = entries.next_element::<(Id, V)>()? {
            if old.last().is_some_and(|(last, _)| *last >= id) {
                return Err(A::Error::custom("entries are not in the order of their ids"));
            }
            old.push((id, Some(value)));
        }
        Ok(old)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kantoku_domain::Partition;

    use super::*;
    use crate::saved::{read, write};

    fn id(number: u32) -> Id {
        Id::default().derive(&number.to_string(), Partition::of(1))
    }

    #[test]
    fn it_is_a_map_and_is_written_as_one() {
        let (mut archive, mut map) = (Archive::default(), BTreeMap::new());
        let mut number = 1_u32;
        for step in 0..20_000_u32 {
            // Marsaglia's xorshift.
            number ^= number << 13;
            number ^= number >> 17;
            number ^= number << 5;
            let id = id(number % 6_000);
            if number % 7 < 2 {
                assert_eq!(archive.remove(&id), map.remove(&id));
            } else {
                assert_eq!(archive.insert(id, step), map.insert(id, step));
            }
            assert_eq!(archive.get(&id), map.get(&id));
            assert_eq!(archive.contains(&id), map.contains_key(&id));
        }
        assert!(archive.old.len() > 3_000, "{} are old", archive.old.len());
        let saved = write(&archive).expect("written");
        let all: Vec<_> = map.iter().collect();
        assert_eq!(saved, write(&all).expect("written"));
        let again: Archive<u32> = read(&saved).expect("read");
        assert!(map.iter().all(|(id, value)| again.get(id) == Some(value)));
        assert_eq!(write(&again).expect("written"), saved);
        let mixed: Vec<_> = map.iter().rev().collect();
        assert!(read::<Archive<u32>>(&write(&mixed).expect("written")).is_err());
    }
}
