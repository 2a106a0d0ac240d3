//! The key that says who asks.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::Profile;
use crate::error::{CommandError, Exit};

/// Goes before what the profile says.
const VARIABLE: &str = "KTK_API_KEY";
/// How long a key may be.
const KEY_BYTES_MAX: usize = 4096;

/// A key, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    /// The key of the environment, else that which the profile names.
    pub(crate) fn find(profile: &Profile) -> Result<Option<Self>, CommandError> {
        if let Some(key) = of_variable(VARIABLE)? {
            return Ok(Some(key));
        }
        if let Some(variable) = &profile.key_env {
            return match of_variable(variable)? {
                Some(key) => Ok(Some(key)),
                None => {
                    Err(refused(format!("the key is said to be in ${variable}, which is not set")))
                }
            };
        }
        profile.key_file.as_ref().map(|path| of_file(path)).transpose()
    }

    /// What the header `Authorization` says.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    fn read(text: &str, origin: &str) -> Result<Self, CommandError> {
        let key = text.trim();
        let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || key.len() > KEY_BYTES_MAX {
            return Err(refused(format!("what {origin} holds is no key")));
        }
        Ok(Self(key.to_owned()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

fn of_variable(name: &str) -> Result<Option<ApiKey>, CommandError> {
    match std::env::var_os(name).filter(|value| !value.is_empty()) {
        Some(value) => {
            ApiKey::read(value.to_str().unwrap_or_default(), &format!("${name}")).map(Some)
        }
        None => Ok(None),
    }
}

fn of_file(path: &Path) -> Result<ApiKey, CommandError> {
    let path = in_home(path);
    let mut text = String::new();
    let read = File::open(&path)
        .and_then(|file| file.take(KEY_BYTES_MAX as u64 + 2).read_to_string(&mut text));
    match read {
        Ok(_) => ApiKey::read(&text, &path.display().to_string()),
        Err(error) => Err(refused(format!("cannot read the key from {}: {error}", path.display()))),
    }
}

/// `~/key` as a shell reads it.
pub(super) fn in_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn refused(message: String) -> CommandError {
    CommandError::new(Exit::NotAllowed, message).advise("ktk config list")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::testing::TempDir;

    #[test]
    fn a_key_is_read_from_its_file_and_never_shown() {
        let dir = TempDir::new();
        let path = dir.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        let profile = Profile { key_file: Some(path.clone()), ..Profile::default() };
        let key = ApiKey::find(&profile).unwrap().unwrap();
        assert_eq!(key.bearer(), "Bearer s3cret");
        assert_eq!(format!("{key:?}"), "ApiKey(…)");

        std::fs::write(&path, "two words\n").unwrap();
        let error = ApiKey::find(&profile).unwrap_err();
        assert_eq!(error.exit, Exit::NotAllowed);
        assert!(!error.to_string().contains("two words"), "{error}");
        assert_eq!(ApiKey::find(&Profile::default()).unwrap(), None);
    }
}
