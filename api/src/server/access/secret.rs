//! What a holder says to prove a key: `ktk_<id>_<secret>`, where the id is 8 and the secret 32 random
//! bytes, in hexadecimal. The beginning is for programs that look for secrets where none should be.

use std::fmt::{self, Write as _};

use kantoku_streams::digest_of;
use rand::RngCore as _;

const PREFIX: &str = "ktk_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// See the module. It is never shown by `{:?}`.
pub(crate) struct Secret {
    /// The id of the key.
    pub(crate) id: String,
    text: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Secret {
    /// A new one, of a new key.
    pub(crate) fn draw() -> Self {
        Self::of(&random::<ID_BYTES>())
    }

    /// A new one, of the key that is made where there is none: there is one such key at most.
    pub(crate) fn draw_first() -> Self {
        Self::of(&[0; ID_BYTES])
    }

    fn of(id: &[u8]) -> Self {
        let id = hex(id);
        let text = format!("{PREFIX}{id}_{}", hex(&random::<SECRET_BYTES>()));
        Self { id, text }
    }

    /// What a client sent, if it has the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |text: &str, bytes: usize| {
            text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let is_one = is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES);
        is_one.then(|| Self { id: id.to_owned(), text: text.to_owned() })
    }

    /// What is kept of it. It needs no salt and no slow function: it is random, and as long as the
    /// digest.
    pub(crate) fn digest(&self) -> String {
        digest_of(self.text.as_bytes())
    }

    /// Whether it is that of which `digest` is kept. How long that takes tells something about the
    /// digest at most, from which no secret follows.
    pub(crate) fn proves(&self, digest: &str) -> bool {
        self.digest() == digest
    }

    /// What is told to the holder, once.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// From a generator for such purposes, which the system has seeded.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_proves_its_own_key_only() {
        let (secret, other) = (Secret::draw(), Secret::draw());
        assert!(secret.proves(&secret.digest()) && !other.proves(&secret.digest()));
        let (id, shown) = (secret.id.clone(), format!("{secret:?}"));
        let text = secret.into_text();
        assert!(!shown.contains(&text[text.len() - 64..]), "{shown}");
        let read = Secret::parse(&text).expect("a secret");
        assert_eq!(read.id, id);
        assert_eq!((text.len(), Secret::draw_first().id), (85, "0".repeat(16)));
        let cut = &text[..84];
        for wrong in ["", "ktk_", "ktk__", cut, &text.replace("ktk_", "abc_"), &format!("{cut}ü")]
        {
            assert!(Secret::parse(wrong).is_none(), "{wrong}");
        }
    }
}
