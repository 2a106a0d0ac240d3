//! The command line of `ktk serve`.

use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use kantoku_api::server::AccessPolicy;
use kantoku_domain::Millis;
use kantoku_executor::ExecutorConfig;
use kantoku_streams::{Credentials, Login, NatsKey, NatsRole, Proof};

use super::{Config, Part, ServeError};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk serve                                       every part in one process
  ktk serve --only api,projector                  what clients talk to
  ktk serve --listen 0.0.0.0:7300 --host ktk.example.org --tls-cert chain.pem --tls-key key.pem
  ktk serve --only executor --queue gpu --slots 4 --labels gpu=a100 --service-id gpu-1
  ktk serve --only scheduler,unfolder,lease-keeper,timers
  ktk serve --secrets-key secrets.key --new-secrets-key      seals and opens secrets

The API asks for keys: `ktk serve --first-key admin.key` makes the first, `ktk key create` others.
The servers are named by KTK_NATS_URL and KTK_DATABASE_URL. A process that has been asked to end
(SIGTERM, Ctrl-C) takes nothing new, lets what runs end and says goodbye; asked again, it ends at once.";

/// How long a service id may be: durable consumers are named after it.
const SERVICE_ID_MAX: usize = 64;

/// The leases that can be kept: a third of one lies between two heartbeats.
const LEASE_MIN: Millis = Millis(300);
const LEASE_MAX: Millis = Millis(60 * 60 * 1_000);

/// Arguments of `ktk serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// What to run: scheduler, unfolder, lease-keeper, timers, executor, projector, sealer, api [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<Part>,
    /// The persistent id of this service; with parts that are services of their own, the beginning
    /// of their ids [default: drawn once and kept in the state directory]
    #[arg(long, env = "KTK_SERVICE_ID", value_name = "ID", value_parser = service_id)]
    service_id: Option<String>,
    /// What this service is known by
    #[arg(long, value_delimiter = ',', value_name = "KEY=VALUE,…", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The queue that the executor serves
    #[arg(long, default_value = "default")]
    queue: String,
    /// Attempts that the executor runs at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = slots)]
    slots: usize,
    /// Where service ids are kept and attempts have their directories
    /// [default: `$XDG_STATE_HOME/kantoku/serve`]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Where the API, health and metrics are [default: 127.0.0.1, port 7300, without the API 7400,
    /// or the next that is free]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Let whoever reaches the API do everything, without a key
    #[arg(long)]
    insecure: bool,
    /// Speak TLS, and show this certificate: PEM, the server's first, then those that lead to a root.
    /// Read again when the file changes
    #[arg(long, env = "KTK_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, as PEM
    #[arg(long, env = "KTK_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let keys come in over an address beyond this machine without TLS: a proxy, or the network, keeps
    /// them from being read
    #[arg(long, conflicts_with = "tls_cert")]
    plaintext: bool,
    /// Where the API has no keys yet: make one for an admin, and write it to this file, which only
    /// its owner may read
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    first_key: Option<PathBuf>,
    /// Where the key is that secrets are sealed under; the same for the api and all executors. Repeatable:
    /// the first seals, the others open what was sealed under them before
    #[arg(
        long = "secrets-key",
        env = "KTK_SECRETS_KEY",
        value_name = "FILE",
        value_delimiter = ','
    )]
    secrets_keys: Vec<PathBuf>,
    /// Make the first of these files where it is missing; only its owner may read it
    #[arg(long, requires = "secrets_keys")]
    new_secrets_key: bool,
    /// A name under which clients ask for the API, besides those of this machine; * for any.
    /// Repeatable
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// An origin of web pages that may use the API, e.g. `https://kantoku.example`; * for any.
    /// Repeatable
    #[arg(long = "origin", value_name = "URL")]
    origins: Vec<String>,
    /// NATS
    #[arg(long, env = "KTK_NATS_URL", hide_env_values = true, value_name = "URL")]
    nats_url: Option<String>,
    /// The key of the NATS user to log in as, as `ktk auth nats-config` makes it for what this process
    /// runs: executor, api, processor; server for several of these
    #[arg(long, env = "KTK_NATS_NKEY", value_name = "FILE", conflicts_with = "nats_creds")]
    nats_nkey: Option<PathBuf>,
    /// The credentials of the NATS user to log in as, as `nsc` makes them
    #[arg(long, env = "KTK_NATS_CREDS", value_name = "FILE")]
    nats_creds: Option<PathBuf>,
    /// Speak TLS with NATS, and let the authorities in this file of PEM say who that is
    #[arg(long, env = "KTK_NATS_TLS_CA", value_name = "FILE")]
    nats_tls_ca: Option<PathBuf>,
    /// The monitoring address of the NATS server: it alone tells when the server writes to the disk,
    /// and so what is at risk
    #[arg(long, env = "KTK_NATS_MONITOR_URL", value_name = "URL")]
    nats_monitor_url: Option<String>,
    /// Postgres; for the api and the projector
    #[arg(long, env = "KTK_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// How many servers of a NATS cluster keep each stream: 1, 3 or 5; the same for every process
    #[arg(long, env = "KTK_REPLICAS", value_name = "N", default_value_t = 1, value_parser = replicas)]
    replicas: usize,
    /// How long an executor may be silent before others get its attempts: the lease-keeper grants
    /// no less, the executor asks for it
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = lease)]
    lease: Millis,
    /// How long what runs may take to end
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    drain: Millis,
}

impl ServeArgs {
    /// What is to be run. `give_up` is how long missing servers are waited for at the start.
    pub(crate) fn config(self, give_up: Option<Millis>) -> Result<Config, ServeError> {
        let parts: BTreeSet<Part> =
            if self.only.is_empty() { Part::ALL.into() } else { self.only.into_iter().collect() };
        let missing = |flag: &str, variable: &str| {
            ServeError::Usage(format!("{flag} is missing; {variable} does as well"))
        };
        if self.database_url.is_none() && parts.iter().any(|part| part.needs_database()) {
            return Err(missing("--database-url", "KTK_DATABASE_URL"));
        }
        if let Some(address) = self.listen
            && parts.contains(&Part::Api)
            && !address.ip().is_loopback()
            && !(self.tls_cert.is_some() || self.plaintext || self.insecure)
        {
            return Err(ServeError::Usage(format!(
                "keys would come to {address} in the clear: give it a certificate with --tls-cert and \
                 --tls-key, or say --plaintext where nobody can listen; --insecure asks for no keys"
            )));
        }
        let state_dir = self.state_dir.or_else(default_state_dir).ok_or_else(|| {
            ServeError::Usage("--state-dir is missing: there is no home directory".into())
        })?;
        Ok(Config {
            service_id: self.service_id,
            labels: self.labels.into_iter().collect(),
            queue: self.queue,
            slots: self.slots,
            state_dir,
            listen: self.listen,
            hosts: self.hosts,
            origins: self.origins,
            access: if self.insecure { AccessPolicy::Open } else { AccessPolicy::Keys },
            first_key: self.first_key,
            tls: self.tls_cert.zip(self.tls_key),
            secrets_keys: self.secrets_keys,
            new_secrets_key: self.new_secrets_key,
            nats_url: self.nats_url.ok_or_else(|| missing("--nats-url", "KTK_NATS_URL"))?,
            nats_login: login(&parts, self.nats_nkey, self.nats_creds, self.nats_tls_ca)?,
            nats_monitor_url: self.nats_monitor_url,
            nats_sync: None,
            database_url: self.database_url,
            replicas: self.replicas,
            give_up: give_up.map(Millis::duration),
            lease: self.lease.duration(),
            drain: self.drain.duration(),
            parts,
        })
    }
}

/// How NATS lets in a process of these parts.
fn login(
    parts: &BTreeSet<Part>,
    key: Option<PathBuf>,
    credentials: Option<PathBuf>,
    ca_file: Option<PathBuf>,
) -> Result<Login, ServeError> {
    let unfit = |path: &Path, error: &dyn fmt::Display| {
        ServeError::Usage(format!("{} lets nobody in: {error}", path.display()))
    };
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| unfit(path, &error));
    let proof = match (key, credentials) {
        (Some(path), _) => {
            let key = NatsKey::read(&read(&path)?).map_err(|error| unfit(&path, &error))?;
            Some(Proof::Key(key))
        }
        (None, Some(path)) => {
            let found = Credentials::read(&read(&path)?).map_err(|error| unfit(&path, &error))?;
            Some(Proof::Credentials(found))
        }
        (None, None) => None,
    };
    // Whoever logs in otherwise may do everything, as far as is known.
    let role = proof.as_ref().map_or(NatsRole::Server, |_| Part::nats_role(parts));
    Ok(Login { proof, role, ca_file })
}

fn default_state_dir() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let state = set.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))?;
    Some(state.join("kantoku/serve"))
}

fn service_id(text: &str) -> Result<String, String> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > SERVICE_ID_MAX || !text.chars().all(is_fit) {
        return Err(format!("use 1 to {SERVICE_ID_MAX} characters of A-Z a-z 0-9 - _"));
    }
    Ok(text.to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("write KEY=VALUE, e.g. gpu=a100")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn slots(text: &str) -> Result<usize, String> {
    let most = ExecutorConfig::SLOTS_MAX;
    let slots = text.parse().ok().filter(|slots| (1..=most).contains(slots));
    slots.ok_or_else(|| format!("use a number from 1 to {most}"))
}

fn replicas(text: &str) -> Result<usize, String> {
    let replicas = text.parse().ok().filter(|replicas| [1, 3, 5].contains(replicas));
    replicas.ok_or_else(|| "use 1, 3 or 5".into())
}

fn lease(text: &str) -> Result<Millis, String> {
    let lease: Millis = text.parse()?;
    if lease < LEASE_MIN || lease > LEASE_MAX {
        return Err(format!("use {LEASE_MIN} to {LEASE_MAX}"));
    }
    Ok(lease)
}
