//! The smallest part of a document that still goes wrong.

/// How often it is tried.
const TRIES_MAX: usize = 5_000;

/// Takes bytes away from `document` for as long as it `fails`.
pub(crate) fn shrunk(document: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut smallest = document.to_vec();
    let mut tries = 0;
    let mut length = smallest.len().div_ceil(2);
    while length > 0 && tries < TRIES_MAX {
        let mut at = 0;
        let before = smallest.len();
        while at < smallest.len() && tries < TRIES_MAX {
            let end = (at + length).min(smallest.len());
            let less = [&smallest[..at], &smallest[end..]].concat();
            tries += 1;
            if fails(&less) {
                smallest = less;
            } else {
                at = end;
            }
        }
        if smallest.len() == before {
            length /= 2;
        }
    }
    smallest
}

/// A document as it can be printed.
pub(crate) fn shown(document: &[u8]) -> String {
    document.escape_ascii().to_string()
}
