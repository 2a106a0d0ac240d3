//! Profiles: which server to talk to and as whom, in a file of the user's. A flag goes before the
//! environment, and that before the file.

mod file;
mod key;
mod way;

use std::{collections::BTreeMap, path::PathBuf};

use kantoku_domain::Namespace;
use serde::{Deserialize, Serialize};

pub(crate) use file::{change, path, read};
pub(crate) use key::ApiKey;

use crate::{
    error::{CommandError, Exit},
    output::Format,
};

/// How many profiles there may be.
const PROFILES_MAX: usize = 1_000;
/// How long the name of one may be.
const NAME_LENGTH_MAX: usize = 64;

/// All profiles, and which of them is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// The one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// The one that was in use before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    /// By name.
    #[serde(default, rename = "profiles")]
    pub(crate) by_name: BTreeMap<String, Profile>,
}

/// What holds unless a flag or the environment says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Where the API is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_url: Option<String>,
    /// `-n`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<Namespace>,
    /// `-o`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// The file that holds the key; the key itself is never written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    /// The environment variable that holds the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_env: Option<String>,
    /// The file of the authorities that may say who the API is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether the key may be sent where others could read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plaintext: Option<bool>,
}

impl Profiles {
    /// The profile `name`, or the one in use; an empty one where none is.
    pub(crate) fn pick(&self, name: Option<&str>) -> Result<Profile, CommandError> {
        match name.or(self.current.as_deref()) {
            Some(name) => self.get(name).cloned(),
            None => Ok(Profile::default()),
        }
    }

    /// The profile `name`.
    pub(crate) fn get(&self, name: &str) -> Result<&Profile, CommandError> {
        self.by_name.get(name).ok_or_else(|| {
            CommandError::new(Exit::NotFound, format!("there is no profile {name:?}"))
                .advise("ktk config list")
        })
    }

    /// Puts the profile `name` to use, or the previous one for `-`. Its name.
    pub(crate) fn put_to_use(&mut self, name: &str) -> Result<String, CommandError> {
        let name = match (name, &self.previous) {
            ("-", Some(previous)) => previous.clone(),
            ("-", None) => {
                let error = CommandError::new(Exit::NotFound, "no profile was in use before");
                return Err(error.advise("ktk config list"));
            }
            _ => name.to_owned(),
        };
        self.get(&name)?;
        if self.current.as_ref() != Some(&name) {
            self.previous = self.current.replace(name.clone());
        }
        Ok(name)
    }

    /// Changes the profile `name`, or makes it. The first one is put to use.
    pub(crate) fn set(
        &mut self,
        name: &str,
        pairs: &[(String, String)],
    ) -> Result<(), CommandError> {
        check_name(name)?;
        if self.by_name.len() == PROFILES_MAX && !self.by_name.contains_key(name) {
            let message = format!("there are {PROFILES_MAX} profiles already");
            return Err(CommandError::new(Exit::Refused, message).advise("ktk config delete NAME"));
        }
        let mut profile = self.by_name.get(name).cloned().unwrap_or_default();
        for (key, value) in pairs {
            profile.set(key, value).map_err(CommandError::usage)?;
        }
        self.by_name.insert(name.to_owned(), profile);
        self.current.get_or_insert_with(|| name.to_owned());
        Ok(())
    }

    /// Forgets the profile `name`.
    pub(crate) fn delete(&mut self, name: &str) -> Result<(), CommandError> {
        self.get(name)?;
        self.by_name.remove(name);
        for used in [&mut self.current, &mut self.previous] {
            used.take_if(|used| used == name);
        }
        Ok(())
    }
}

impl Profile {
    /// The names of what can be set.
    pub(crate) const KEYS: [&str; 7] =
        ["api_url", "namespace", "output", "key_file", "key_env", "ca_file", "plaintext"];

    /// Sets a value by its name; an empty one takes it away.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = Some(value.to_owned()).filter(|value| !value.is_empty());
        match key {
            "api_url" => {
                if text.as_ref().is_some_and(|url| !is_url(url)) {
                    return Err("api_url begins with http:// or https://".into());
                }
                self.api_url = text;
            }
            "namespace" => {
                let parsed = text.map(|text| text.parse()).transpose();
                self.namespace =
                    parsed.map_err(|error: kantoku_domain::NameError| error.to_string())?;
            }
            "output" => {
                text.as_deref().map(format).transpose()?;
                self.output = text;
            }
            "key_file" => self.key_file = text.map(PathBuf::from),
            "key_env" => self.key_env = text,
            "ca_file" => self.ca_file = text.map(PathBuf::from),
            "plaintext" => {
                let parsed = text.map(|text| text.parse()).transpose();
                self.plaintext = parsed.map_err(|_| "plaintext is true or false")?;
            }
            "key" => {
                return Err(
                    "a key is not kept here: name where it is with key_file or key_env".into()
                );
            }
            _ => return Err(format!("{key:?} cannot be set: {} can", Self::KEYS.join(", "))),
        }
        Ok(())
    }

    /// The file of the authorities that may say who the API is.
    pub(crate) fn ca_file(&self) -> Option<PathBuf> {
        self.ca_file.as_ref().map(|path| key::in_home(path))
    }

    /// `-o`
    pub(crate) fn format(&self) -> Result<Option<Format>, CommandError> {
        let format = self.output.as_deref().map(format).transpose();
        format.map_err(|error| CommandError::usage(format!("the profile's output: {error}")))
    }
}

/// What every command can print.
fn format(text: &str) -> Result<Format, String> {
    match text.parse()? {
        Format::Picture(_) => Err(format!("{text:?} is for `ktk graph` alone")),
        format => Ok(format),
    }
}

fn is_url(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme))
}

fn check_name(name: &str) -> Result<(), CommandError> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with('-') || name.is_empty() || !name.chars().all(is_plain) {
        let message =
            format!("{name:?} is no name of a profile: letters, digits, -, _ and . make one");
        return Err(CommandError::usage(message));
    }
    if name.len() > NAME_LENGTH_MAX {
        let message = format!("the name of a profile has at most {NAME_LENGTH_MAX} bytes");
        return Err(CommandError::usage(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn a_dash_goes_back_and_forth() {
        let mut profiles = Profiles::default();
        profiles.set("a", &[pair("namespace", "one")]).unwrap();
        profiles.set("b", &[]).unwrap();
        assert_eq!(profiles.current.as_deref(), Some("a"), "the first one is put to use");
        assert_eq!(profiles.put_to_use("-").unwrap_err().exit, Exit::NotFound);
        profiles.put_to_use("b").unwrap();
        assert_eq!(profiles.put_to_use("-").unwrap(), "a");
        assert_eq!(profiles.put_to_use("-").unwrap(), "b");
        profiles.put_to_use("b").unwrap();
        assert_eq!(profiles.put_to_use("-").unwrap(), "a", "the same again is no change");
        profiles.delete("a").unwrap();
        assert_eq!((profiles.current, profiles.previous), (None, Some("b".into())));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut profiles = Profiles::default();
        for (key, value) in [
            ("api_url", "localhost:7300"),
            ("namespace", "a b"),
            ("output", "taable"),
            ("key", "s3cret"),
            ("colour", "red"),
            ("plaintext", "perhaps"),
        ] {
            let error = profiles.set("a", &[pair(key, value)]).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{key}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        for name in ["", "-", "a b", "a/b"] {
            assert!(profiles.set(name, &[]).is_err(), "{name:?}");
        }
        assert_eq!(profiles, Profiles::default());
        profiles.set("a", &[pair("output", "wide")]).unwrap();
        profiles.set("a", &[pair("output", "")]).unwrap();
        assert_eq!(profiles.by_name["a"], Profile::default());
    }
}
