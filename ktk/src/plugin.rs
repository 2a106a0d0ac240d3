//! Commands of others: `ktk foo` runs `ktk-foo` from the PATH.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    ffi::OsString,
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use clap::Subcommand;
use kantoku_domain::nearest;
use serde_json::json;

use crate::{
    cli::Cli,
    error::{CommandError, Exit},
    output::{Format, Table, print_document, print_line, print_text},
    session::GlobalArgs,
};

pub(crate) const EXAMPLES: &str = "Example:
  ktk plugin list

`ktk foo --bar` runs `ktk-foo --bar`, which finds KTK_API_URL, KTK_NAMESPACE and KTK_PROFILE as they
were said before `foo`, and ends with its exit code. What ktk can do itself no plugin can replace.";

/// What the name of a plugin's file begins with.
const PREFIX: &str = "ktk-";
/// How many files of one directory are looked at.
const FILES_MAX: usize = 20_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum PluginCommand {
    /// Show which there are
    List,
}

/// A file that looks like a plugin.
struct Plugin {
    name: String,
    path: PathBuf,
    /// Why it is never run.
    hidden_by: Option<String>,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<(), CommandError> {
    let PluginCommand::List = args.command;
    let plugins = plugins();
    let document = |plugin: &Plugin| json!({ "name": plugin.name, "path": plugin.path, "hidden_by": plugin.hidden_by });
    match format {
        Format::Table | Format::Wide => {
            let mut table = Table::with_header(["NAME", "PATH", "HIDDEN BY"]);
            for plugin in plugins {
                let hidden_by = plugin.hidden_by.unwrap_or_default();
                table.push(vec![plugin.name, plugin.path.display().to_string(), hidden_by]);
            }
            print_text(&table.take_text())
        }
        Format::Name => {
            plugins.iter().try_for_each(|plugin| print_line(&format!("plugin/{}", plugin.name)))
        }
        Format::Jsonl => {
            plugins.iter().try_for_each(|plugin| print_document(format, &document(plugin)))
        }
        _ => {
            let items: Vec<_> = plugins.iter().map(document).collect();
            print_document(format, &json!({ "items": items }))
        }
    }
}

/// Becomes the plugin that the first word names.
pub(crate) fn exec(words: &[OsString], global: &GlobalArgs) -> Result<Infallible, CommandError> {
    let (name, args) = words.split_first().ok_or_else(|| CommandError::usage("name a command"))?;
    let text = name.to_string_lossy();
    let is_name = !text.is_empty() && !text.contains('/');
    let Some(path) = is_name.then(|| find(&text)).flatten() else {
        return Err(unknown(&text));
    };
    let error = Command::new(&path).args(args).envs(global.environment()).exec();
    let message = format!("cannot run {}: {error}", path.display());
    Err(CommandError::new(Exit::Error, message).advise("ktk plugin list"))
}

fn unknown(word: &str) -> CommandError {
    let words = Cli::words();
    let near = nearest(word, words.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |word| format!("; did you mean {word:?}?"));
    let message = format!("there is no command {word:?}, and no {PREFIX}{word} in the PATH{near}");
    CommandError::usage(message).advise("ktk --help")
}

fn find(name: &str) -> Option<PathBuf> {
    let file = format!("{PREFIX}{name}");
    directories().into_iter().map(|dir| dir.join(&file)).find(|path| is_executable(path))
}

/// All of them by name; of several with one name those that are run first.
fn plugins() -> Vec<Plugin> {
    let built_in = Cli::words();
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut plugins = Vec::new();
    for dir in directories() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries.take(FILES_MAX).filter_map(Result::ok) {
            let file = entry.file_name();
            let Some(name) = file.to_str().and_then(|file| file.strip_prefix(PREFIX)) else {
                continue;
            };
            let path = entry.path();
            if name.is_empty() || !is_executable(&path) {
                continue;
            }
            let hidden_by = if built_in.iter().any(|word| word == name) {
                Some(format!("ktk {name}"))
            } else {
                first.get(name).map(|path| path.display().to_string())
            };
            if hidden_by.is_none() {
                first.insert(name.to_owned(), path.clone());
            }
            plugins.push(Plugin { name: name.to_owned(), path, hidden_by });
        }
    }
    plugins.sort_by(|a, b| (&a.name, a.hidden_by.is_some()).cmp(&(&b.name, b.hidden_by.is_some())));
    plugins
}

fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = Vec::new();
    for dir in std::env::split_paths(&path) {
        // An empty part stands for where one happens to be, from where nothing should be run.
        if dir.is_absolute() && !directories.contains(&dir) {
            directories.push(dir);
        }
    }
    directories
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
