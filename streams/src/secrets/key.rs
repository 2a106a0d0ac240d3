//! The keys that secrets are sealed under.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use kantoku_domain::{Namespace, SecretName, SecretValue};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::SecretError;

/// What the text of a key begins with.
const PREFIX: &str = "ktk-secrets-key-1:";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A text that is no key. It is not shown: it may be one with a typing error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is no key for secrets: it would be one line that begins with {PREFIX}")]
pub struct SecretKeyError;

/// A key that secrets are sealed under.
#[derive(Clone)]
pub struct SecretKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl SecretKey {
    /// A new key, as the text that [`SecretKey::from_str`] reads.
    pub fn draw() -> Zeroizing<String> {
        let bytes = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
        Zeroizing::new(format!("{PREFIX}{}", BASE64.encode(bytes.as_slice())))
    }

    /// What it is told by.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new_with_prefix("kantoku: id of a key for secrets\0");
        let [a, b, c, d, ..]: [u8; 32] = digest.chain_update(bytes).finalize().into();
        let id = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        Self { id, cipher: XChaCha20Poly1305::new(bytes.into()) }
    }
}

impl FromStr for SecretKey {
    type Err = SecretKeyError;

    fn from_str(text: &str) -> Result<Self, SecretKeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(SecretKeyError)?;
        let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| SecretKeyError)?);
        Ok(Self::of(bytes.as_slice().try_into().map_err(|_| SecretKeyError)?))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id)
    }
}

/// The keys of a process: the first seals, all open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SecretKeys {
    first: SecretKey,
    others: Arc<[SecretKey]>,
}

impl SecretKeys {
    /// `keys` in their order; `None` if there are none.
    pub fn new(keys: impl IntoIterator<Item = SecretKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self { first: keys.next()?, others: keys.collect() })
    }

    /// The id of the key that seals, and what it makes of `value`. Namespace and name are sealed in:
    /// what was sealed as one secret cannot be opened as another.
    pub(super) fn seal(
        &self,
        namespace: &Namespace,
        name: &SecretName,
        value: &SecretValue,
    ) -> (String, String) {
        let nonce = rand::random::<[u8; NONCE_BYTES]>();
        let aad = authenticated(namespace, name);
        let payload = Payload { msg: value.expose().as_bytes(), aad: &aad };
        let sealed = self.first.cipher.encrypt(&XNonce::from(nonce), payload);
        // It could be too long, from 256 GiB on.
        let sealed = sealed.expect("a secret is short enough");
        (self.first.id.clone(), BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The value that was sealed as this secret under the key `key_id`.
    pub(super) fn open(
        &self,
        namespace: &Namespace,
        name: &SecretName,
        key_id: &str,
        sealed: &str,
    ) -> Result<SecretValue, SecretError> {
        let mut keys = std::iter::once(&self.first).chain(&*self.others);
        let key = keys.find(|key| key.id == key_id).ok_or_else(|| SecretError::UnknownKey {
            name: name.clone(),
            key_id: key_id.to_owned(),
        })?;
        let opened = || {
            let sealed = BASE64.decode(sealed).ok()?;
            let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
            let aad = authenticated(namespace, name);
            let payload = Payload { msg: sealed, aad: &aad };
            let value = key.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
            SecretValue::new(String::from_utf8(value).ok()?).ok()
        };
        opened().ok_or_else(|| SecretError::Broken(name.clone()))
    }
}

/// Neither may hold a zero byte, so that no two secrets have the same.
fn authenticated(namespace: &Namespace, name: &SecretName) -> Vec<u8> {
    format!("kantoku: secret\0{namespace}\0{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::draw().parse().unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_as_the_same_secret_under_the_same_key_only() {
        let (old, new) = (key(), key());
        let (team, name) = ("team".parse().unwrap(), "token".parse().unwrap());
        let value = SecretValue::new("hunter2hunter2").unwrap();
        let before = SecretKeys::new([old.clone()]).unwrap();
        let (id, sealed) = before.seal(&team, &name, &value);
        assert_eq!((id.as_str(), before.seal(&team, &name, &value).1 == sealed), (old.id(), false));
        let after = SecretKeys::new([new.clone(), old]).unwrap();
        assert_eq!(after.open(&team, &name, &id, &sealed).unwrap(), value);
        assert_eq!(after.seal(&team, &name, &value).0, new.id());
        let others = [("team", "tokem"), ("tean", "token")];
        for (namespace, name) in others {
            let (namespace, name) = (namespace.parse().unwrap(), name.parse().unwrap());
            let moved = after.open(&namespace, &name, &id, &sealed);
            assert!(matches!(moved, Err(SecretError::Broken(_))), "{moved:?}");
        }
        let mut changed = sealed.clone();
        changed.replace_range(40..41, if &sealed[40..41] == "A" { "B" } else { "A" });
        for wrong in [&changed, "", "AAAA", "%"] {
            let opened = after.open(&team, &name, &id, wrong);
            assert!(matches!(opened, Err(SecretError::Broken(_))), "{opened:?}");
        }
        let without = SecretKeys::new([new]).unwrap().open(&team, &name, &id, &sealed);
        assert!(matches!(without, Err(SecretError::UnknownKey { .. })), "{without:?}");
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_never_shown() {
        let text = SecretKey::draw();
        let read = |text: &str| text.parse::<SecretKey>();
        let key = read(&format!("{}\n", &*text)).unwrap();
        assert_eq!(read(&text).unwrap().id(), key.id());
        assert!(!format!("{key:?}").contains(&text[PREFIX.len()..]));
        for wrong in ["", "ktk_0123", PREFIX, &text[..text.len() - 1], &text[1..]] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(!error.contains(&text[PREFIX.len()..text.len() - 1]), "{error}");
        }
    }
}
