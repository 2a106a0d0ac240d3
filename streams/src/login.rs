//! Who a process is for NATS, and whom it believes there.

use std::{fmt, path::PathBuf};

use async_nats::ConnectOptions;
use nkeys::{KeyPair, KeyPairType};
use thiserror::Error;

use crate::NatsRole;

/// How a process is let in, beside what the addresses of the servers say.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// What it shows.
    pub proof: Option<Proof>,
    /// What it may do, and where it gets its answers.
    pub role: NatsRole,
    /// The certificates of the authorities that may say who the server is; it has to speak TLS then.
    pub ca_file: Option<PathBuf>,
}

/// What shows who somebody is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A key pair, whose public half the server knows.
    Key(NatsKey),
    /// What `nsc` gives: a token and a key.
    Credentials(Credentials),
}

/// The key pair of a user of NATS. It is never shown.
#[derive(Clone)]
pub struct NatsKey {
    seed: String,
    public: String,
}

/// What a file of credentials holds. It is never shown.
#[derive(Clone)]
pub struct Credentials(String);

/// Why a file lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// It holds no seed.
    #[error("it holds no seed of a user's nkey, which begins with SU")]
    Seed,
    /// It holds no credentials.
    #[error("it holds no credentials: a JWT of a user and a seed, as nsc writes them")]
    Credentials,
}

impl NatsKey {
    /// A new one.
    ///
    /// # Errors
    /// None that could happen.
    pub fn make() -> Result<Self, LoginError> {
        Self::of(&KeyPair::new_user())
    }

    /// The one whose seed is a line of `text`.
    ///
    /// # Errors
    /// If there is none, or it is not that of a user.
    pub fn read(text: &str) -> Result<Self, LoginError> {
        let mut lines = text.lines().map(str::trim).filter(|line| line.starts_with("SU"));
        let seed = lines.next().ok_or(LoginError::Seed)?;
        Self::of(&KeyPair::from_seed(seed).map_err(|_| LoginError::Seed)?)
    }

    fn of(pair: &KeyPair) -> Result<Self, LoginError> {
        let seed = pair.seed().map_err(|_| LoginError::Seed)?;
        let is_of_user = matches!(pair.key_pair_type(), KeyPairType::User);
        if !is_of_user {
            return Err(LoginError::Seed);
        }
        Ok(Self { seed, public: pair.public_key() })
    }

    /// The half that the server is told.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The half that nobody else is told.
    pub fn seed(&self) -> &str {
        &self.seed
    }
}

impl Credentials {
    /// Those that `text` holds.
    ///
    /// # Errors
    /// If it holds none.
    pub fn read(text: &str) -> Result<Self, LoginError> {
        ConnectOptions::with_credentials(text).map_err(|_| LoginError::Credentials)?;
        Ok(Self(text.to_owned()))
    }
}

impl Login {
    /// `options` with what is needed to be let in.
    pub(crate) fn apply(&self, options: ConnectOptions) -> ConnectOptions {
        let options = match &self.proof {
            None => options,
            Some(Proof::Key(key)) => options.nkey(key.seed.clone()),
            // They were read before.
            Some(Proof::Credentials(Credentials(text))) => {
                ConnectOptions::with_credentials(text).unwrap_or(options)
            }
        };
        let options = options.custom_inbox_prefix(self.role.inbox());
        match &self.ca_file {
            Some(path) => options.add_root_certificates(path.clone()).require_tls(true),
            None => options,
        }
    }
}

impl fmt::Debug for NatsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsKey({})", self.public)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_its_seed_never_shown() {
        let key = NatsKey::make().unwrap();
        assert!(key.public().starts_with('U') && key.seed().starts_with("SU"));
        let text = format!("-----BEGIN USER NKEY SEED-----\n{}\n------END------\n", key.seed());
        assert_eq!(NatsKey::read(&text).unwrap().public(), key.public());
        assert!(!format!("{key:?}").contains(key.seed()));
        for text in ["", "SUX", "an account's SA", key.public()] {
            assert_eq!(NatsKey::read(text).unwrap_err(), LoginError::Seed, "{text}");
        }
        assert_eq!(Credentials::read("nothing").unwrap_err(), LoginError::Credentials);
    }
}
