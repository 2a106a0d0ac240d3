//! `ktk create`

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use console::Term;
use kantoku_api::{
    Code,
    contract::{SecretSet, SecretSetParams},
};
use kantoku_domain::{SecretName, SecretValue};

use crate::{
    error::{CommandError, Exit},
    output::{Format, print_document, print_line},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk create secret db-password                          asks for the value, and does not show it
  ktk create secret tls-key --from-file key.pem
  pass show db | ktk create secret db-password --replace

A value is never an argument, as everybody on a machine may see those. A line break at its end is left off.";

/// What no manifest declares.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A value that tasks are given by name: sealed, and never shown again
    Secret(Secret),
}

#[derive(Debug, clap::Args)]
struct Secret {
    /// What it is called
    name: SecretName,
    /// Where its value stands [default: stdin, or what is typed]
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Set it anew if it is there
    #[arg(long)]
    replace: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.what {
        What::Secret(args) => secret(args, session).await,
    }
}

async fn secret(args: Secret, session: &Session) -> Result<(), CommandError> {
    let Secret { name, from_file, replace } = args;
    let value = read(&name, from_file.as_deref())?;
    let anew = format!("ktk create secret {name} --replace");
    let is_there = format!("there is a secret {name} already");
    let params = SecretSetParams {
        name,
        value,
        if_revision: (!replace).then_some(0),
        namespace: session.namespace(),
    };
    let set = session.call::<SecretSet>(&params).await.map_err(|error| match error.api() {
        Some(api) if api.code == Code::Conflict && !replace => {
            CommandError::new(Exit::Refused, is_there).advise(anew)
        }
        _ => error,
    })?;
    match session.output() {
        Format::Table | Format::Wide => {
            print_line(&format!("secret/{} set (revision {})", set.name, set.revision))
        }
        Format::Name => print_line(&format!("secret/{}", set.name)),
        format => print_document(format, &set),
    }
}

/// The value: from a file, from stdin, or typed without being shown.
fn read(name: &SecretName, file: Option<&Path>) -> Result<SecretValue, CommandError> {
    let stdin = io::stdin();
    let text = match file {
        Some(path) => File::open(path).and_then(read_text).map_err(|error| {
            CommandError::usage(format!("{} cannot be read: {error}", path.display()))
        })?,
        None if stdin.is_terminal() => {
            let term = Term::stderr();
            let typed = term.write_str(&format!("{name}: ")).and_then(|()| term.read_secure_line());
            typed.map_err(|error| CommandError::usage(format!("nothing was typed: {error}")))?
        }
        None => read_text(stdin.lock())
            .map_err(|error| CommandError::usage(format!("stdin cannot be read: {error}")))?,
    };
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let value = SecretValue::new(line.unwrap_or(&text));
    value.map_err(|error| CommandError::usage(error.to_string()))
}

/// A text, no longer than one that is refused for its length.
fn read_text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(SecretValue::BYTES_MAX as u64 + 16).read_to_string(&mut text)?;
    Ok(text)
}
