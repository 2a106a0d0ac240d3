//! Redaction of what comes in pieces, cut anywhere.

use std::sync::Arc;

use kantoku_domain::SecretValue;

use super::Pattern;

/// A text on its way: what may still become a secret is held back until that is known.
///
/// Every byte that belongs to an occurrence of a pattern is left out, overlapping ones included; the
/// occurrence that ends first names it. So what comes out depends on the text alone, and not on how
/// it was cut.
pub(crate) struct Stream {
    patterns: Arc<[Pattern]>,
    /// Per pattern, how much of its beginning the text ends with.
    begun: Vec<usize>,
    /// What has come and was not decided on, and to which pattern each byte belongs.
    held: Vec<u8>,
    owners: Vec<Option<usize>>,
    /// The pattern whose label was written last, if nothing has come since.
    labelled: Option<usize>,
    clear: Vec<u8>,
}

impl Stream {
    pub(super) fn new(patterns: Arc<[Pattern]>) -> Self {
        let begun = vec![0; patterns.len()];
        let (held, owners, clear) = <(Vec<u8>, Vec<Option<usize>>, Vec<u8>)>::default();
        Self { patterns, begun, held, owners, labelled: None, clear }
    }

    /// What is clear by now, with `piece`. To be taken before the next call.
    pub(crate) fn push(&mut self, piece: &[u8]) -> &[u8] {
        self.clear.clear();
        if self.patterns.is_empty() {
            self.clear.extend_from_slice(piece);
            return &self.clear;
        }
        for &byte in piece {
            self.held.push(byte);
            self.owners.push(None);
            for (index, pattern) in self.patterns.iter().enumerate() {
                let mut length = self.begun[index];
                while length > 0 && pattern.bytes.get(length) != Some(&byte) {
                    length = pattern.borders[length] as usize;
                }
                length += usize::from(pattern.bytes[length] == byte);
                self.begun[index] = length;
                if length == pattern.bytes.len() {
                    let from = self.owners.len() - length.min(self.owners.len());
                    for owner in &mut self.owners[from..] {
                        owner.get_or_insert(index);
                    }
                }
            }
        }
        self.release(self.held.len() - self.open());
        &self.clear
    }

    /// The rest. An end that begins a secret, and is long enough to be one, is taken for it: the text
    /// may have been cut there.
    pub(crate) fn end(&mut self) -> &[u8] {
        self.clear.clear();
        let begun = self.begun.iter().enumerate().map(|(index, begun)| (*begun, index));
        if let Some((length, index)) = begun.max()
            && length >= SecretValue::BYTES_MIN
        {
            let from = self.owners.len() - length.min(self.owners.len());
            for owner in &mut self.owners[from..] {
                owner.get_or_insert(index);
            }
        }
        self.release(self.held.len());
        self.begun.fill(0);
        self.labelled = None;
        &self.clear
    }

    /// How many of the last bytes may be the beginning of a pattern.
    fn open(&self) -> usize {
        let open = |(begun, pattern): (&usize, &Pattern)| {
            // A whole one may begin the next.
            let is_whole = *begun == pattern.bytes.len();
            if is_whole { pattern.borders[*begun] as usize } else { *begun }
        };
        let open = self.begun.iter().zip(&*self.patterns).map(open).max();
        open.unwrap_or_default().min(self.held.len())
    }

    fn release(&mut self, count: usize) {
        for (byte, owner) in self.held.drain(..count).zip(self.owners.drain(..count)) {
            let label = |index: usize| &self.patterns[index].label;
            match owner {
                None => self.clear.push(byte),
                // It stands there already, for all of an occurrence and for the next one.
                Some(index) if self.labelled.is_some_and(|last| label(last) == label(index)) => {}
                Some(index) => self.clear.extend_from_slice(label(index).as_bytes()),
            }
            self.labelled = owner;
        }
    }
}
