//! How handlers write down what they have folded: the same state always as the same bytes.
//!
//! What there is much of is written in a compact form. Values of the domain are written as the JSON
//! that they have in events, whose reading back is tried and tested.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a handler holds cannot be written down, or what was written cannot be read.
#[derive(Debug, Error)]
#[error("the state of a handler cannot be {what}: {reason}")]
pub struct SavedError {
    what: &'static str,
    reason: String,
}

/// Writes state down.
pub(crate) fn write(state: &impl Serialize) -> Result<Vec<u8>, SavedError> {
    let what = "written";
    postcard::to_allocvec(state).map_err(|error| SavedError { what, reason: error.to_string() })
}

/// Reads what [`write`] wrote, all of it.
pub(crate) fn read<'de, T: Deserialize<'de>>(saved: &'de [u8]) -> Result<T, SavedError> {
    let failed = |reason: String| SavedError { what: "read", reason };
    match postcard::take_from_bytes(saved) {
        Ok((state, [])) => Ok(state),
        Ok((_, rest)) => Err(failed(format!("{} bytes are left over", rest.len()))),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// A value of the domain, as JSON.
pub(crate) mod as_json {
    use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{DeserializeOwned, Error as _},
        ser::Error as _,
    };

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let json = serde_json::to_string(value).map_err(S::Error::custom)?;
        serializer.serialize_str(&json)
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let json = <&str>::deserialize(deserializer)?;
        serde_json::from_str(json).map_err(D::Error::custom)
    }
}

/// A time, in microseconds.
pub(crate) mod micros {
    use kantoku_domain::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde has it so")]
    pub(crate) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.micros())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}

/// A hash map, in the order of its keys.
pub(crate) mod sorted {
    use std::{collections::HashMap, fmt, hash::Hash, marker::PhantomData};

    use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{SeqAccess, Visitor},
    };

    pub(crate) fn serialize<K: Serialize + Ord, V: Serialize, S: Serializer>(
        map: &HashMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut all: Vec<(&K, &V)> = map.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        serializer.collect_seq(all)
    }

    pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<HashMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        deserializer.deserialize_seq(Entries(PhantomData))
    }

    /// Room for no more is made at once, whatever length is told.
    const ROOM_MAX: usize = 1 << 22;

    struct Entries<K, V>(PhantomData<(K, V)>);

    impl<'de, K, V> Visitor<'de> for Entries<K, V>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
    {
        type Value = HashMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the entries of a map")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let room = entries.size_hint().unwrap_or_default().min(ROOM_MAX);
            let mut map = HashMap::with_capacity(room);
            while let Some((key, value)) = entries.next_element()? {
                map.insert(key, value);
            }
            Ok(map)
        }
    }
}

/// A hash set, in the order of what is in it.
pub(crate) mod sorted_set {
    use std::{collections::HashSet, hash::Hash};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize + Ord, S: Serializer>(
        set: &HashSet<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut all: Vec<&T> = set.iter().collect();
        all.sort_unstable();
        serializer.collect_seq(all)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<HashSet<T>, D::Error>
    where
        T: Deserialize<'de> + Eq + Hash,
        D: Deserializer<'de>,
    {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_goes_on_is_not_read() {
        let saved = write(&("a".to_owned(), 7_u64)).expect("written");
        assert_eq!(read::<(String, u64)>(&saved).expect("read"), ("a".to_owned(), 7));
        assert!(read::<(String, u64)>(&saved[..saved.len() - 1]).is_err());
        let error = read::<String>(&saved).expect_err("more than that");
        assert!(error.to_string().ends_with("1 bytes are left over"), "{error}");
    }
}
