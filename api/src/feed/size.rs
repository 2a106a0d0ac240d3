//! How much memory something may take.

use std::io;

use serde::Serialize;

/// What a value takes besides its text.
const VALUE_BYTES: usize = 40;

/// What `item` takes: the length of its JSON, and what each value in it has around its text. Texts
/// with many commas count for more than they are.
pub(super) fn bytes_of(item: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, item) {
        Ok(()) => counter.0,
        // What cannot be written cannot be sent either.
        Err(_) => 0,
    }
}

/// What something takes whose JSON, or a part of that, is `json`.
pub(super) fn bytes_as(json: &[u8]) -> usize {
    let parts = json.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    json.len() + VALUE_BYTES * parts
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes_as(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_values_take_more_than_their_text() {
        assert!(bytes_of(&vec![0; 1_000]) > 32 * 1_000, "a value of JSON has 32 bytes");
        assert_eq!(bytes_of(&"x".repeat(1_000)), 1_002);
        assert_eq!(bytes_of(&[1, 2]), bytes_as(b"[1,2]"));
    }
}
