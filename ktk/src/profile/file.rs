//! The file that holds the profiles.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::Profiles;
use crate::{
    error::{CommandError, Exit},
    manifest::{read_document, to_yaml},
    private_file,
};

/// How long it may be.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where it is: `$KTK_CONFIG`; else `kantoku/config.yaml` in `$XDG_CONFIG_HOME`, by default
/// `~/.config`. `None` where the user has no home.
pub(crate) fn path() -> Option<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("KTK_CONFIG").or_else(|| {
        let dir = set("XDG_CONFIG_HOME")
            .or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
        Some(dir.join("kantoku/config.yaml"))
    })
}

/// What it says; nothing where it is not.
pub(crate) fn read() -> Result<Profiles, CommandError> {
    path().map_or_else(|| Ok(Profiles::default()), |path| read_from(&path))
}

/// Changes what it says. What `change` gives back.
pub(crate) fn change<T>(
    change: impl FnOnce(&mut Profiles) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let Some(path) = path() else {
        let message = "there is no home for a file of profiles: set KTK_CONFIG";
        return Err(CommandError::new(Exit::Error, message));
    };
    let mut given = None;
    let written = private_file::update(&path, || {
        let mut profiles = read_from(&path).map_err(Failure::Command)?;
        given = Some(change(&mut profiles).map_err(Failure::Command)?);
        Ok(to_yaml(&profiles).map_err(Failure::Command)?.into_bytes())
    });
    match (written, given) {
        (Ok(()), Some(given)) => Ok(given),
        (Err(Failure::Command(error)), _) => Err(error),
        (Err(Failure::Io(error)), _) => Err(cannot("write", &path, &error)),
        (Ok(()), None) => Err(CommandError::new(Exit::Error, "nothing was written")),
    }
}

/// Why the file was not changed.
enum Failure {
    Io(io::Error),
    Command(CommandError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn read_from(path: &Path) -> Result<Profiles, CommandError> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Profiles::default()),
        Err(error) => return Err(cannot("read", path, &error)),
        Ok(_) => {}
    }
    let name = path.display();
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("{name} is longer than {FILE_BYTES_MAX} bytes");
        return Err(CommandError::new(Exit::Error, message));
    }
    if text.trim().is_empty() {
        return Ok(Profiles::default());
    }
    let wrong = |error: String| {
        let message = format!("{name} holds no profiles that can be read: {error}");
        CommandError::new(Exit::Error, message)
            .advise("mend or remove it; `ktk config set NAME KEY=VALUE` writes one")
    };
    let document = read_document(&text).map_err(wrong)?;
    serde_json::from_value(document).map_err(|error| wrong(error.to_string()))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(Exit::Error, format!("cannot {what} {}: {error}", path.display()))
}
