//! `ktk config`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    error::{CommandError, without_password},
    output::{Format, Table, print_document, print_line, print_text},
    profile::{self, Profile, Profiles},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk config set local api_url=http://127.0.0.1:7300
  ktk config set staging api_url=https://ktk.example.org namespace=search key_file=~/.ktk-key
  ktk config set staging ca_file=~/.ktk-ca.pem
  ktk config list
  ktk config use staging
  ktk config use -                    the one that was in use before
  ktk get tasks --profile local       for one command
  ktk config delete staging

Keys are never written to the file: it says in which file or variable they are.";

/// The profiles.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all profiles
    List,
    /// Put one to use
    Use {
        /// Which one; - for the one before
        #[arg(value_name = "NAME|-", allow_hyphen_values = true)]
        name: String,
    },
    /// Change one, or make it
    Set {
        /// Which one
        #[arg(value_name = "NAME")]
        name: String,
        /// What: `api_url`, `namespace`, `output`, `key_file`, `key_env`, `ca_file` or `plaintext`; an
        /// empty value takes it away
        #[arg(value_name = "KEY=VALUE", required = true, value_parser = pair)]
        pairs: Vec<(String, String)>,
    },
    /// Show the file
    View,
    /// Forget one
    Delete {
        /// Which one
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("write KEY=VALUE, with a KEY of {}", Profile::KEYS.join(", "));
    let (key, value) = text.split_once('=').ok_or_else(wrong)?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::List => list(&profile::read()?, session),
        Command::View => view(&profile::read()?, session),
        Command::Use { name } => {
            let name = profile::change(|profiles| profiles.put_to_use(&name))?;
            done(session, &name, "in use")
        }
        Command::Set { name, pairs } => {
            profile::change(|profiles| profiles.set(&name, &pairs))?;
            done(session, &name, "set")
        }
        Command::Delete { name } => {
            profile::change(|profiles| profiles.delete(&name))?;
            done(session, &name, "deleted")
        }
    }
}

fn done(session: &Session, name: &str, what: &str) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => print_line(&format!("profile/{name} {what}")),
        Format::Name => print_line(&format!("profile/{name}")),
        format => print_document(format, &json!({ "kind": "profile", "name": name, "done": what })),
    }
}

fn list(profiles: &Profiles, session: &Session) -> Result<(), CommandError> {
    let items = || profiles.by_name.iter().map(|(name, profile)| item(name, profile, profiles));
    match session.output() {
        Format::Table | Format::Wide if profiles.by_name.is_empty() => {
            session.note("there are no profiles; `ktk config set NAME KEY=VALUE` makes one");
            Ok(())
        }
        Format::Table | Format::Wide => print_text(&table(profiles)),
        Format::Name => {
            let mut names = profiles.by_name.keys();
            names.try_for_each(|name| print_line(&format!("profile/{name}")))
        }
        Format::Jsonl => items().try_for_each(|item| print_document(Format::Jsonl, &item)),
        format => print_document(format, &json!({ "items": items().collect::<Vec<_>>() })),
    }
}

fn item(name: &str, profile: &Profile, profiles: &Profiles) -> Value {
    let mut item = json!(shown(profile));
    item["name"] = name.into();
    item["in_use"] = (profiles.current.as_deref() == Some(name)).into();
    item
}

/// As it may be looked at: whoever wrote a password into a URL shows it to nobody.
fn shown(profile: &Profile) -> Profile {
    let api_url = profile.api_url.as_deref().map(without_password);
    Profile { api_url, ..profile.clone() }
}

fn table(profiles: &Profiles) -> String {
    let mut table = Table::with_header(["IN USE", "NAME", "API", "NAMESPACE", "OUTPUT", "KEY"]);
    for (name, profile) in &profiles.by_name {
        let profile = shown(profile);
        let used = match name {
            name if profiles.current.as_ref() == Some(name) => "yes",
            name if profiles.previous.as_ref() == Some(name) => "before",
            _ => "",
        };
        let of_variable = profile.key_env.map(|variable| format!("${variable}"));
        let of_file = || profile.key_file.map(|path| path.display().to_string());
        table.push(vec![
            used.to_owned(),
            name.clone(),
            profile.api_url.unwrap_or_default(),
            profile.namespace.map(|namespace| namespace.to_string()).unwrap_or_default(),
            profile.output.unwrap_or_default(),
            of_variable.or_else(of_file).unwrap_or_default(),
        ]);
    }
    table.take_text()
}

fn view(profiles: &Profiles, session: &Session) -> Result<(), CommandError> {
    if let Some(path) = profile::path() {
        session.note(&format!("ktk: this is in {}", path.display()));
    }
    let mut shown_profiles = profiles.clone();
    shown_profiles.by_name.values_mut().for_each(|profile| *profile = shown(profile));
    let format = match session.output() {
        Format::Table | Format::Wide | Format::Name => Format::Yaml,
        format => format,
    };
    print_document(format, &shown_profiles)
}
