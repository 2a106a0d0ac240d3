//! What all commands of a client share: the global flags and the connection that they lead to.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use kantoku_api::{
    Client, ClientError,
    contract::{
        GetParams, Method, PolicyParams, SecretParams, Subscription, TIMEOUT_MAX, VersionParams,
    },
    tls::Trust,
};
use kantoku_domain::{Millis, NameError, Namespace, SecretNameError};

use crate::{
    complete, dev,
    error::{CommandError, Exit},
    looking_back::{Asks, LookingBack},
    output::Format,
    profile::{ApiKey, Profile},
};

/// Where the API is when nothing else says so.
const URL_DEFAULT: &str = "http://127.0.0.1:7300";
/// How long connecting and each call may take unless `--timeout` says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// The same for calls that are work for the server, such as applying thousands of documents.
const WORK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// The part of that which the server may spend on waiting.
const READ_SHARE: f64 = 0.9;
/// More than the longest wait that the server grants, which is cut off here call by call.
const CALL_MAX: Duration = Duration::from_millis(TIMEOUT_MAX.0 + 30_000);

/// The flags that every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Whose tasks, pipelines and so on [default: default]
    #[arg(short, long, global = true, env = "KTK_NAMESPACE")]
    namespace: Option<Namespace>,
    /// In all namespaces
    #[arg(short = 'A', long, global = true)]
    all_namespaces: bool,
    #[arg(short, long, global = true, value_name = "FORMAT", help = Format::HELP, add = complete::formats())]
    output: Option<Format>,
    /// Labels: those to look for, or those to give what is started. Repeatable
    #[arg(short, long, global = true, value_parser = label, value_delimiter = ',', value_name = "KEY=VALUE")]
    label: Vec<(String, String)>,
    /// How many items of a list at most; 0 for all [default: 10000]
    #[arg(long, global = true, value_name = "N")]
    limit: Option<u64>,
    /// Wait until the answer is as of this position of the stream or later
    #[arg(long, global = true, value_name = "SEQ")]
    min_seq: Option<u64>,
    /// How long to wait, e.g. 500ms, 10s, 5m [default: 10s for an answer, without end for tasks]
    #[arg(long, global = true, value_name = "DURATION")]
    timeout: Option<Millis>,
    /// Say nothing but errors and data
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Log what happens on stderr; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Where the API is [default: the profile's, the private stand that runs, port 7300]
    #[arg(long, global = true, env = "KTK_API_URL", hide_env_values = true, value_name = "URL")]
    api_url: Option<String>,
    /// The certificates of the authorities that may say who the API is, as PEM [default: those that
    /// this machine trusts]
    #[arg(long, global = true, env = "KTK_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Which server, namespace and key of `ktk config list` [default: the one in use]
    #[arg(long, global = true, env = "KTK_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    back: LookingBack,
}

impl GlobalArgs {
    /// `-o`
    pub(crate) fn output(&self) -> Format {
        self.output.unwrap_or_default()
    }

    /// What was said of server, namespace and profile, as the environment says it.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        let namespace = self.namespace.as_ref().map(ToString::to_string);
        let said = [
            ("KTK_API_URL", self.api_url.clone()),
            ("KTK_NAMESPACE", namespace),
            ("KTK_PROFILE", self.profile.clone()),
            ("KTK_TLS_CA", self.tls_ca.as_ref().map(|path| path.display().to_string())),
        ];
        said.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)))
    }

    /// `--profile`
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref().filter(|name| !name.is_empty())
    }

    /// `--timeout`, if it was given.
    pub(crate) fn timeout(&self) -> Option<Millis> {
        self.timeout
    }

    /// The level that logs start at unless `KTK_LOG` says otherwise.
    pub(crate) fn log_level(&self, normal: &'static str) -> &'static str {
        match self.verbose {
            _ if self.quiet => "error",
            0 => normal,
            1 => "info",
            2 => "debug",
            _ => "trace",
        }
    }
}

/// `KEY=VALUE`, as `-l` takes it.
fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("write KEY=VALUE, e.g. team=search")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// One run of `ktk` as a client.
pub(crate) struct Session {
    global: GlobalArgs,
    profile: Profile,
    output: Format,
    url: OnceLock<String>,
    client: tokio::sync::Mutex<Option<Client>>,
    farewell: Mutex<Option<String>>,
}

impl Session {
    /// What the flags and the environment leave open, `profile` says.
    pub(crate) fn new(global: GlobalArgs, profile: Profile) -> Result<Self, CommandError> {
        let output = global.output.map_or_else(|| profile.format(), |format| Ok(Some(format)))?;
        let output = output.unwrap_or_default();
        let (url, client, farewell) =
            (OnceLock::new(), tokio::sync::Mutex::new(None), Mutex::new(None));
        Ok(Self { global, profile, output, url, client, farewell })
    }

    /// The connection, which is made when it is first asked for.
    async fn client(&self) -> Result<Client, CommandError> {
        let mut client = self.client.lock().await;
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let within = self.answer_timeout();
        let key = ApiKey::find(&self.profile)?.map(|key| key.bearer());
        if key.is_some() {
            self.profile.check_way(self.url())?;
        }
        let trust = self.trust()?;
        let connecting = Client::connect_as(key.as_deref(), trust.as_ref(), self.url(), CALL_MAX);
        match tokio::time::timeout(within, connecting).await {
            Ok(connected) => Ok(client.insert(connected?).clone()),
            Err(_) => Err(self.no_answer(within)),
        }
    }

    /// Who may say who the API is, if that was said: the flag, the environment, the profile.
    pub(crate) fn trust(&self) -> Result<Option<Trust>, CommandError> {
        let said = self.global.tls_ca.clone().filter(|path| !path.as_os_str().is_empty());
        let path = said.or_else(|| self.profile.ca_file());
        let trust = path.map(|path| Trust::only(&path)).transpose();
        trust.map_err(|error| CommandError::new(Exit::Error, error.to_string()))
    }

    /// Gives the connection up, so that the next call makes another. False if there was none.
    pub(crate) async fn disconnect(&self) -> bool {
        self.client.lock().await.take().is_some()
    }

    /// Calls a method; an error when there is no answer within `--timeout`.
    pub(crate) async fn call<M: Method>(
        &self,
        params: &M::Params,
    ) -> Result<M::Answer, CommandError> {
        self.call_within::<M>(self.answer_timeout(), params).await
    }

    /// Calls a method that may take its time.
    pub(crate) async fn call_within<M: Method>(
        &self,
        within: Duration,
        params: &M::Params,
    ) -> Result<M::Answer, CommandError> {
        let client = self.client().await?;
        match tokio::time::timeout(within, client.call::<M>(params)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(self.no_answer(within)),
        }
    }

    /// Starts a subscription. It ends when the server ends it or the connection is lost.
    pub(crate) async fn subscribe<S: Subscription>(
        &self,
        params: &S::Params,
    ) -> Result<impl Stream<Item = Result<S::Item, CommandError>> + Unpin + use<S>, CommandError>
    {
        let client = self.client().await?;
        let within = self.answer_timeout();
        let items = match tokio::time::timeout(within, client.subscribe::<S>(params)).await {
            Ok(started) => started?,
            Err(_) => return Err(self.no_answer(within)),
        };
        let url = self.url().to_owned();
        Ok(items.map(move |item| {
            item.map_err(|error| {
                ClientError::Malformed { url: url.clone(), reason: error.to_string() }.into()
            })
        }))
    }

    /// For a subscription that ended although the server does not end it.
    pub(crate) fn connection_lost(&self) -> CommandError {
        let reason = "the connection was lost".to_owned();
        ClientError::Unreachable { url: self.url().to_owned(), reason }.into()
    }

    /// Where the API is: the flag, the environment, the profile, the private stand that runs,
    /// the default.
    pub(crate) fn url(&self) -> &str {
        self.url.get_or_init(|| {
            let said = self.global.api_url.clone().filter(|url| !url.is_empty());
            said.or_else(|| self.profile.api_url.clone()).unwrap_or_else(|| {
                dev::endpoints(&dev::default_state_dir())
                    .map_or_else(|| URL_DEFAULT.to_owned(), |endpoints| endpoints.api)
            })
        })
    }

    /// `-n`; the server's default when `None`, or all with `-A`.
    pub(crate) fn namespace(&self) -> Option<Namespace> {
        let named = self.global.namespace.as_ref().or(self.profile.namespace.as_ref());
        named.filter(|_| !self.global.all_namespaces).cloned()
    }

    /// Whether one namespace was named on the command line, and all as well. What the environment
    /// says is overruled.
    pub(crate) fn is_of_one_and_all(&self) -> bool {
        let of_environment = std::env::var("KTK_NAMESPACE").ok();
        let named = self.global.namespace.as_ref().map(Namespace::as_str);
        self.global.all_namespaces && named.is_some() && named != of_environment.as_deref()
    }

    /// `-A`
    pub(crate) fn all_namespaces(&self) -> bool {
        self.global.all_namespaces
    }

    /// Asks for the record `id`, as it was if that is wanted and the method knows.
    pub(crate) fn get<P: Asks>(&self, id: impl Into<String>) -> P {
        let params = GetParams {
            id: id.into(),
            namespace: self.namespace(),
            min_seq: self.min_seq(),
            timeout: self.read_timeout(),
        };
        P::of(params, &self.global.back)
    }

    /// `--at-seq` and `--at`
    pub(crate) fn looking_back(&self) -> &LookingBack {
        &self.global.back
    }

    /// Asks for the definition `NAME`, or for the version `NAME@VERSION` of it.
    pub(crate) fn version(&self, text: &str) -> Result<VersionParams, CommandError> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => {
                let wrong = || CommandError::usage(format!("{version:?} is no version, e.g. 2"));
                (name, Some(version.parse().map_err(|_| wrong())?))
            }
            None => (text, None),
        };
        Ok(VersionParams {
            name: name
                .parse()
                .map_err(|error: NameError| CommandError::usage(error.to_string()))?,
            version,
            namespace: self.namespace(),
            min_seq: self.min_seq(),
            timeout: self.read_timeout(),
        })
    }

    /// Asks for the policy `name`, as it holds now.
    pub(crate) fn policy(&self, name: &str) -> Result<PolicyParams, CommandError> {
        let VersionParams { name, version: None, namespace, min_seq, timeout } =
            self.version(name)?
        else {
            return Err(CommandError::usage("only the version of a policy that holds can be had"));
        };
        Ok(PolicyParams { name, namespace, min_seq, timeout })
    }

    /// Asks for the secret `name`.
    pub(crate) fn secret(&self, name: &str) -> Result<SecretParams, CommandError> {
        let wrong = |error: SecretNameError| CommandError::usage(error.to_string());
        let name = name.parse().map_err(wrong)?;
        Ok(SecretParams { name, namespace: self.namespace() })
    }

    /// How long the server waits for `--min-seq`: a little less than we wait for its answer.
    pub(crate) fn read_timeout(&self) -> Option<Millis> {
        self.min_seq().map(|_| {
            let wait = self.answer_timeout().mul_f64(READ_SHARE).min(TIMEOUT_MAX.duration());
            Millis(wait.as_millis() as u64)
        })
    }

    /// `-o`
    pub(crate) fn output(&self) -> Format {
        self.output
    }

    /// `-l`
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.global.label.iter().cloned().collect()
    }

    /// `--limit`
    pub(crate) fn limit(&self) -> Option<u64> {
        self.global.limit
    }

    /// `--min-seq`
    pub(crate) fn min_seq(&self) -> Option<u64> {
        self.global.min_seq
    }

    /// `--timeout`, if it was given.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.global.timeout.map(Millis::duration)
    }

    /// How long an answer may take.
    pub(crate) fn answer_timeout(&self) -> Duration {
        self.timeout().unwrap_or(TIMEOUT_DEFAULT)
    }

    /// How long the answer to something that is work for the server may take.
    pub(crate) fn work_timeout(&self) -> Duration {
        self.timeout().unwrap_or(WORK_TIMEOUT_DEFAULT)
    }

    /// Tells the user on stderr what goes on, unless `-q`. That nobody listens is no reason to fail.
    pub(crate) fn note(&self, text: &str) {
        if !self.global.quiet {
            writeln!(io::stderr(), "{text}").ok();
        }
    }

    /// Whether to draw on stderr what changes while one looks.
    pub(crate) fn is_live(&self) -> bool {
        !self.global.quiet && io::stderr().is_terminal()
    }

    /// Whether `-q` was given.
    pub(crate) fn is_quiet(&self) -> bool {
        self.global.quiet
    }

    /// What to say when the user interrupts the command from now on.
    pub(crate) fn on_interrupt(&self, farewell: impl Into<String>) {
        *self.farewell.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(farewell.into());
    }

    /// What to end with when the user has interrupted the command.
    pub(crate) fn interrupted(&self) -> CommandError {
        let farewell = self.farewell.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        CommandError::new(Exit::Interrupted, farewell.as_deref().unwrap_or("interrupted"))
    }

    fn no_answer(&self, within: Duration) -> CommandError {
        let reason = format!("no answer within {}", Millis(within.as_millis() as u64));
        ClientError::Unreachable { url: self.url().to_owned(), reason }.into()
    }
}
