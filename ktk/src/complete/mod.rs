//! `ktk completion`: what makes shells complete words, and the answers to them.
//!
//! A shell runs this program again, with [`VARIABLE`] set, and shows what it prints. Names come from
//! the server ([`names`]), within a time that a person hardly notices: without an answer by then there
//! are no names, and never an error.

mod names;

use clap::{Command, ValueEnum};
use clap_complete::{
    CompleteEnv, CompletionCandidate,
    engine::ArgValueCompleter,
    env::{Bash, EnvCompleter, Fish, Zsh},
};

use crate::{
    error::{CommandError, Exit},
    kind::Kind,
    output::{Format, print_text},
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk completion bash > ~/.local/share/bash-completion/completions/ktk
  ktk completion zsh > ~/.zfunc/_ktk
  ktk completion fish > ~/.config/fish/completions/ktk.fish
  . <(ktk completion bash)             for this shell only";

/// By what the shell says which one it is.
const VARIABLE: &str = "KTK_COMPLETE";
/// What is called by what the user types.
const NAME: &str = "ktk";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    let written = shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script);
    written.map_err(|error| CommandError::new(Exit::Error, error.to_string()))?;
    print_text(&String::from_utf8_lossy(&script))
}

/// Answers a shell and ends; returns if none asks.
pub(crate) fn answer(command: fn() -> Command) {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// Completes a kind, or a name behind a kind and a slash.
pub(crate) fn kinds() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        let text = current.to_string_lossy();
        match text.split_once('/').and_then(|(kind, _)| kind.parse().ok()) {
            Some(kind) => behind_slash(kind, &text),
            None => matching(Kind::all().map(|kind| kind.plural().to_owned()), &text),
        }
    })
}

/// Completes a name of the kind that stands before it.
pub(crate) fn names_of_kind() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        let kind = names::words().iter().rev().skip(1).find_map(|word| word.parse().ok());
        kind.map_or_else(Vec::new, |kind| named(kind, &current.to_string_lossy()))
    })
}

/// Completes what a command acts on: `KIND/NAME`, `@last` and the like.
pub(crate) fn targets() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        let text = current.to_string_lossy();
        if let Some(kind) = text.split_once('/').and_then(|(kind, _)| kind.parse().ok()) {
            return behind_slash(kind, &text);
        }
        let kinds = Kind::all().map(|kind| format!("{kind}/"));
        matching(["@last", "@failed"].map(str::to_owned).into_iter().chain(kinds), &text)
    })
}

/// Completes a name of one kind, before which the kind may stand.
pub(crate) fn of(kind: Kind) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
        let text = current.to_string_lossy();
        match text.split_once('/').and_then(|(kind, _)| kind.parse::<Kind>().ok()) {
            Some(kind) => behind_slash(kind, &text),
            None => named(kind, &text),
        }
    })
}

/// Completes what `-o` takes.
pub(crate) fn formats() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        let words = Format::WORDS.into_iter().chain(["jsonpath=", "custom-columns="]);
        matching(words.map(str::to_owned), &current.to_string_lossy())
    })
}

fn behind_slash(kind: Kind, text: &str) -> Vec<CompletionCandidate> {
    let (word, name) = text.split_once('/').unwrap_or((text, ""));
    let names = named(kind, name).into_iter();
    names.map(|candidate| candidate.add_prefix(format!("{word}/"))).collect()
}

fn named(kind: Kind, text: &str) -> Vec<CompletionCandidate> {
    let fixed = match kind {
        Kind::Task | Kind::Context => ["@last", "@failed"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    matching(fixed.into_iter().chain(names::of(kind)), text)
}

fn matching(words: impl Iterator<Item = String>, text: &str) -> Vec<CompletionCandidate> {
    words.filter(|word| word.starts_with(text)).map(CompletionCandidate::new).collect()
}
