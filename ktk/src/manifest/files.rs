//! Finding and reading manifest files.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::Source;
use crate::error::{CommandError, Exit};

/// How long one file may be.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long all files may be together.
const TOTAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many files one command may read.
const FILES_MAX: usize = 20_000;
/// How deep directories are searched.
const DIRECTORY_DEPTH_MAX: usize = 32;
/// What a manifest file found in a directory is called.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads what `-f` names: files, directories with all that is in them, `-` for stdin. What is named
/// twice is read once. Blocks.
pub(crate) fn read_sources(names: &[PathBuf]) -> Result<Vec<Source>, CommandError> {
    let mut files = Files::default();
    for name in names {
        if name.as_os_str() == "-" {
            if files.seen.insert(name.clone()) {
                files.paths.push((name.clone(), Named::ByUser));
            }
            continue;
        }
        let metadata = fs::metadata(name).map_err(|error| cannot_read(name, &error))?;
        if metadata.is_dir() {
            let before = files.paths.len();
            files.search(name, 0)?;
            if files.paths.len() == before {
                return Err(CommandError::new(
                    Exit::Error,
                    format!("there is no .yaml, .yml or .json file in {}", name.display()),
                ));
            }
        } else {
            files.add(name, Named::ByUser)?;
        }
    }
    let mut bytes_left = TOTAL_BYTES_MAX;
    files
        .paths
        .iter()
        .map(|(path, named)| {
            let source = read(path, *named, bytes_left)?;
            bytes_left -= source.text.len() as u64;
            Ok(source)
        })
        .collect()
}

/// How we came to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    ByUser,
    ByDirectory,
}

#[derive(Default)]
struct Files {
    paths: Vec<(PathBuf, Named)>,
    seen: HashSet<PathBuf>,
}

impl Files {
    fn add(&mut self, path: &Path, named: Named) -> Result<(), CommandError> {
        // A pipe (`-f <(…)`) has no canonical path.
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(canonical) {
            self.paths.push((path.to_owned(), named));
        }
        if self.paths.len() > FILES_MAX {
            return Err(CommandError::new(
                Exit::Refused,
                format!("there are more than {FILES_MAX} files: apply fewer at once"),
            ));
        }
        Ok(())
    }

    /// Adds the manifest files of a directory and its subdirectories by name. Hidden ones are left
    /// out, and links to directories are not followed, so that it always ends.
    fn search(&mut self, dir: &Path, depth: usize) -> Result<(), CommandError> {
        if depth > DIRECTORY_DEPTH_MAX {
            return Err(CommandError::new(
                Exit::Refused,
                format!("{} is too deep a directory", dir.display()),
            ));
        }
        let entries: io::Result<Vec<fs::DirEntry>> = fs::read_dir(dir).and_then(Iterator::collect);
        let mut entries = entries.map_err(|error| cannot_read(dir, &error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| cannot_read(&path, &error))?;
            if kind.is_dir() {
                self.search(&path, depth + 1)?;
            } else if has_extension(&path) && path.is_file() {
                self.add(&path, Named::ByDirectory)?;
            }
        }
        Ok(())
    }
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

fn read(path: &Path, named: Named, bytes_left: u64) -> Result<Source, CommandError> {
    let limit = FILE_BYTES_MAX.min(bytes_left);
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = if name == "-" {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| cannot_read(path, &error))?;
    if bytes.len() as u64 > limit {
        let why = if limit == FILE_BYTES_MAX {
            format!("{name} is longer than {} MiB", FILE_BYTES_MAX >> 20)
        } else {
            format!("all files together are longer than {} MiB", TOTAL_BYTES_MAX >> 20)
        };
        return Err(CommandError::new(Exit::Refused, why));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = sound.split(|byte| *byte == b'\n').count();
        CommandError::new(Exit::Refused, format!("{name}:{line}: this is not UTF-8 text"))
    })?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    Ok(Source { name, text, is_chance: is_json && named == Named::ByDirectory })
}

fn cannot_read(path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(Exit::Error, format!("cannot read {}: {error}", path.display()))
}
