//! `ktk auth`

use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use kantoku_streams::{NatsKey, NatsRole, Permissions, permissions};
use serde_json::json;

use crate::{
    error::{CommandError, Exit},
    output::{Format, print_document, print_text},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk auth nats-config                            look at what each role needs
  ktk auth nats-config --out nats                 make a user of each role: nats/kantoku.conf and the keys
  ktk auth nats-config --out nats --queue default --queue gpu
  ktk auth nats-config -o json                    the lists alone, for nsc and others

nats-server takes it in with `include nats/kantoku.conf`, processes with
`ktk serve --only executor --nats-nkey nats/executor.nk`.";

/// How long a key file may be.
const KEY_BYTES_MAX: u64 = 4096;
const CONFIG: &str = "kantoku.conf";

/// Who may do what in NATS.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a configuration of nats-server with a user for each kind of process, and what it may do
    NatsConfig(NatsConfig),
}

#[derive(Debug, clap::Args)]
struct NatsConfig {
    /// Write the configuration and the key of each user, which only you may read, to this directory.
    /// Keys that are there are kept
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The users: server, processor, api, executor, reader. Repeatable [default: all]
    #[arg(long = "user", value_name = "ROLE")]
    users: Vec<NatsRole>,
    /// A queue that executors serve. Repeatable
    #[arg(long = "queue", value_name = "NAME", default_value = "default")]
    queues: Vec<String>,
}

/// A user of nats-server.
struct User {
    role: NatsRole,
    public: String,
    permissions: Permissions,
}

pub(crate) fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    let Command::NatsConfig(NatsConfig { out, mut users, queues }) = args.command;
    if users.is_empty() {
        users = NatsRole::ALL.into();
    }
    users.sort_unstable();
    users.dedup();
    if let Some(out) = &out {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(out)
            .map_err(|error| failed("make", out, &error))?;
    }
    let users = users.into_iter().map(|role| {
        let public = match &out {
            Some(out) => key(&out.join(format!("{role}.nk")))?.public().to_owned(),
            None => format!("<public key of {role}>"),
        };
        Ok(User { role, public, permissions: permissions(role, &queues) })
    });
    let users = users.collect::<Result<Vec<_>, CommandError>>()?;
    if let Some(out) = &out {
        let path = out.join(CONFIG);
        fs::write(&path, config(&users)).map_err(|error| failed("write", &path, &error))?;
        let (path, out) = (path.display(), out.display());
        session.note(&format!("ktk: wrote {path}, and the keys of {} users to {out}", users.len()));
    } else {
        session.note("ktk: no keys were made; --out DIR makes them");
    }
    match session.output() {
        Format::Table | Format::Wide | Format::Name => print_text(&config(&users)),
        format => {
            print_document(format, &json!({ "users": users.iter().map(item).collect::<Vec<_>>() }))
        }
    }
}

fn item(user: &User) -> serde_json::Value {
    json!({
        "role": user.role.name(),
        "nkey": user.public,
        "publish": user.permissions.publish,
        "subscribe": user.permissions.subscribe,
        "allow_responses": true,
        "inbox": user.role.inbox(),
    })
}

/// The key in the file at `path`, which is made if it is missing.
fn key(path: &Path) -> Result<NatsKey, CommandError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut text));
    let unfit =
        |error| CommandError::new(Exit::Error, format!("{} is no key: {error}", path.display()));
    match read {
        Ok(_) => return NatsKey::read(&text).map_err(unfit),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read", path, &error)),
    }
    let made = NatsKey::make().map_err(unfit)?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        writeln!(file, "{}", made.seed())?;
        file.sync_all()
    });
    written.map_err(|error| failed("write", path, &error))?;
    Ok(made)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(Exit::Error, format!("cannot {what} {}: {error}", path.display()))
}

/// For `include` in the configuration of nats-server.
fn config(users: &[User]) -> String {
    let mut text = String::from(
        "# Kantoku: a user of NATS for each kind of process. Made by `ktk auth nats-config`; make it\n\
         # anew after an upgrade, the keys are kept.\n\
         #\n\
         # Beyond one machine the server speaks TLS, or all of this is read on the way:\n\
         #   tls { cert_file: \"/etc/nats/server.pem\", key_file: \"/etc/nats/server.key\" }\n\
         # and processes are told whom to believe: ktk serve --nats-tls-ca /etc/nats/ca.pem\n\
         authorization {\n  users: [\n",
    );
    for User { role, public, permissions } in users {
        // Writing to a string cannot fail.
        writeln!(text, "    # {role}\n    {{\n      nkey: \"{public}\"\n      permissions: {{")
            .ok();
        for (what, subjects) in
            [("publish", &permissions.publish), ("subscribe", &permissions.subscribe)]
        {
            writeln!(text, "        {what}: {{ allow: [").ok();
            for subject in subjects {
                writeln!(text, "          \"{subject}\"").ok();
            }
            text.push_str("        ] }\n");
        }
        text.push_str("        allow_responses: true\n      }\n    }\n");
    }
    text.push_str("  ]\n}\n");
    text
}
