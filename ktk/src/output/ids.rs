//! Ids cut to what is needed.

use kantoku_domain::Id;

/// Where an id is cut at the earliest. Derived ids are random: this many digits suffice for thousands.
const DERIVED_MIN: usize = 8;
/// Ids that were drawn begin with the time, which must be in whole for the beginning to say anything.
const DRAWN_MIN: usize = 13;

/// The beginnings of the ids of a list, each long enough to mean one of them alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShortIds {
    sorted: Vec<String>,
}

impl ShortIds {
    /// For a list of these ids.
    pub(crate) fn of(ids: impl IntoIterator<Item = Id>) -> Self {
        let mut sorted: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted }
    }

    /// The beginning of `id`.
    pub(crate) fn short(&self, id: Id) -> String {
        let text = id.to_string();
        let is_drawn = id.uuid().get_version_num() == 7;
        let mut length = if is_drawn { DRAWN_MIN } else { DERIVED_MIN };
        let at = self.sorted.partition_point(|other| *other < text);
        let before = at.checked_sub(1).and_then(|before| self.sorted.get(before));
        let behind = self.sorted[at..].iter().find(|other| **other != text);
        for neighbour in before.into_iter().chain(behind) {
            let common = text.bytes().zip(neighbour.bytes()).take_while(|(a, b)| a == b).count();
            length = length.max(common + 1);
        }
        // An id that ends in a dash looks broken.
        if text.as_bytes().get(length - 1) == Some(&b'-') {
            length += 1;
        }
        text[..length.min(text.len())].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_as_long_as_needed_to_be_unique() {
        let ids: Vec<Id> = [
            "0193a5c2-1b2c-7aaa-8000-000000000001",
            "0193a5c2-1b2c-7aab-8000-000000000002",
            "d2e4bfe0-5f04-5a3c-9d5e-000000000003",
            "d2e4bfe0-5f05-5a3c-9d5e-000000000004",
            "f2e4bfe0-5f05-5a3c-9d5e-000000000004",
        ]
        .map(|id| id.parse().unwrap())
        .to_vec();
        let short = ShortIds::of(ids.clone());
        let shown: Vec<String> = ids.iter().map(|id| short.short(*id)).collect();
        assert_eq!(
            shown,
            [
                "0193a5c2-1b2c-7aaa",
                "0193a5c2-1b2c-7aab",
                "d2e4bfe0-5f04",
                "d2e4bfe0-5f05",
                "f2e4bfe0"
            ]
        );
        let alone = ShortIds::of([ids[0]]);
        assert_eq!(alone.short(ids[0]), "0193a5c2-1b2c");
        assert_eq!(alone.short(ids[4]), "f2e4bfe0", "also those that are not in the list");
    }
}
