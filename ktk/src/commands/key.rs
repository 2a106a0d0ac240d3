//! `ktk key`

use clap::Subcommand;
use kantoku_api::contract::{
    Key, KeyCreate, KeyCreateParams, KeyList, KeyPage, KeyRevoke, KeyRevokeParams, NoParams,
};
use kantoku_domain::{Millis, Namespace, access::Role};

use crate::{
    error::CommandError,
    output::{Format, Table, print_document, print_line, print_text},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk key create ci --role operator --namespaces team
  ktk key list
  ktk key create guest --role viewer --expires-in 720h -o json

The key itself is printed once, and kept nowhere: send it on over a safe way. Clients take it from
KTK_API_KEY. `ktk key revoke ID` ends one within five seconds.";

/// The keys that the API asks for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key, and print it
    Create(Create),
    /// Show the keys
    List,
    /// End a key
    Revoke {
        /// Its id, as `ktk key list` shows it
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Whose it is, or what for
    name: String,
    /// What it is good for: viewer, operator, developer or admin
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// The namespaces in which it holds [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    namespaces: Option<Vec<Namespace>>,
    /// How long it holds, e.g. 720h [default: until it is revoked]
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Millis>,
    /// How many calls a second it may make [default: 1000]
    #[arg(long, value_name = "N")]
    calls_per_second: Option<u32>,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::Create(args) => create(args, session).await,
        Command::List => list(&session.call::<KeyList>(&NoParams {}).await?, session),
        Command::Revoke { id } => {
            let revoked = session.call::<KeyRevoke>(&KeyRevokeParams { id }).await?;
            if !session.output().is_table() {
                return print_document(session.output(), &revoked);
            }
            print_line(&format!("key/{} revoked ({})", revoked.key.id, revoked.key.name))
        }
    }
}

async fn create(args: Create, session: &Session) -> Result<(), CommandError> {
    let Create { name, role, namespaces, expires_in, calls_per_second } = args;
    let params = KeyCreateParams { name, role, namespaces, expires_in, calls_per_second };
    let made = session.call::<KeyCreate>(&params).await?;
    if !session.output().is_table() {
        return print_document(session.output(), &made);
    }
    let Key { id, name, role, .. } = &made.key;
    session.note(&format!(
        "ktk: key/{id} of {name}, role {role}; this is the only time that it is told"
    ));
    print_line(&made.secret)
}

fn list(page: &KeyPage, session: &Session) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide => {
            let mut table =
                Table::with_header(["ID", "NAME", "ROLE", "NAMESPACES", "EXPIRES", "BY"]);
            for key in &page.items {
                let names = key.namespaces.iter().flatten().map(Namespace::as_str);
                let names = names.collect::<Vec<_>>().join(",");
                table.push(vec![
                    key.id.clone(),
                    key.name.clone(),
                    key.role.to_string(),
                    if key.namespaces.is_some() { names } else { "all".into() },
                    key.expires_at.map_or_else(|| "never".into(), |at| at.to_string()),
                    key.created_by.clone(),
                ]);
            }
            print_text(&table.take_text())
        }
        Format::Name => {
            page.items.iter().try_for_each(|key| print_line(&format!("key/{}", key.id)))
        }
        Format::Jsonl => page.items.iter().try_for_each(|key| print_document(Format::Jsonl, key)),
        format => print_document(format, page),
    }
}
