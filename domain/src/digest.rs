//! Content digests: the version of a definition is what it says.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// `sha256:<hex>` of the canonical JSON of `value`: maps sorted by key, as `serde_json` values
/// and `BTreeMap`s are; struct fields in their declared order.
///
/// # Panics
/// If `value` cannot be JSON (a map with keys that are not strings): a mistake in its type.
pub fn digest<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_vec(value).expect("definitions are JSON");
    let hash = Sha256::digest(&json);
    hash.iter().fold(String::from("sha256:"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}
