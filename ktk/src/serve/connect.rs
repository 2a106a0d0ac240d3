//! Waiting for the servers that everything stands on.

use std::{fmt::Display, time::Duration};

use kantoku_domain::Timestamp;
use kantoku_projections::{Database, Error};
use kantoku_service::{Health, Ready, wait_for};
use kantoku_streams::{Bus, BusError, ConnectError, Dialing, Settings, SetupError};
use tokio_util::sync::CancellationToken;

use super::{Config, ServeError};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// To Postgres.
const CONNECTIONS_MAX: u32 = 8;

/// The servers.
pub(super) struct Connected {
    pub(super) bus: Bus,
    /// When the stream of events was created.
    pub(super) created: Timestamp,
    /// Unless no part needs it.
    pub(super) database: Option<Database>,
}

/// Waits for the servers; `None` when `stop` is cancelled first. Their URLs are never shown.
pub(super) async fn connect(
    config: &Config,
    name: &str,
    health: &Health,
    stop: &CancellationToken,
) -> Result<Option<Connected>, ServeError> {
    let nats = Awaited { what: "nats", give_up: config.give_up, health, stop };
    let postgres = Awaited { what: "postgres", ..nats };
    let settings = Settings {
        replicas: config.replicas,
        monitor_url: config.nats_monitor_url.clone(),
        sync: config.nats_sync.clone(),
        login: config.nats_login.clone(),
        ..Settings::default()
    };
    // Dialled at its own pace, however often it is asked whether it is there.
    let dialing = Dialing::start(&settings.login, &config.nats_url, name).await;
    let dialing = dialing
        .map_err(|error| ServeError::Unsuitable { what: nats.what, reason: error.to_string() })?;
    let bus = nats.find(
        async || {
            let client = dialing.client(CONNECT_DEADLINE).await?;
            let bus = Bus::over(client, &settings).await?;
            let created = bus.created().await?;
            Ok::<_, BusError>((bus, created))
        },
        |error| {
            matches!(
                error,
                BusError::Connect(ConnectError::Address { .. } | ConnectError::Options { .. })
                    | BusError::Setup(SetupError::Version { .. } | SetupError::Mismatch { .. })
            )
        },
    );
    let database = async {
        let Some(url) = config.database_url.as_deref().filter(|_| config.needs_database()) else {
            return Ok(Some(None));
        };
        let open = async || Database::open(url, Database::SCHEMA, CONNECTIONS_MAX).await.map(Some);
        postgres.find(open, |error| matches!(error, Error::Url | Error::Schema(_))).await
    };
    let (bus, database) = tokio::try_join!(bus, database)?;
    Ok(bus.zip(database).map(|((bus, created), database)| Connected { bus, created, database }))
}

/// A server that is waited for.
#[derive(Clone, Copy)]
struct Awaited<'a> {
    what: &'static str,
    give_up: Option<Duration>,
    health: &'a Health,
    stop: &'a CancellationToken,
}

impl Awaited<'_> {
    /// Tries until it is found, is found to be hopeless, or the time is over.
    async fn find<T, E: Display>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, E>,
        is_hopeless: impl Fn(&E) -> bool,
    ) -> Result<Option<T>, ServeError> {
        let what = self.what;
        let mut last = "no answer yet".to_owned();
        self.health.report(what, Ready::No(last.clone()));
        let waiting = wait_for(what, self.stop, async || match attempt().await {
            Ok(found) => Ok(Ok(found)),
            Err(error) if is_hopeless(&error) => {
                Ok(Err(ServeError::Unsuitable { what, reason: error.to_string() }))
            }
            Err(error) => {
                last = error.to_string();
                self.health.report(what, Ready::No(last.clone()));
                Err(error)
            }
        });
        let found = match self.give_up {
            None => waiting.await,
            Some(within) => match tokio::time::timeout(within, waiting).await {
                Ok(found) => found,
                Err(_) => return Err(ServeError::Unreachable { what, within, reason: last }),
            },
        };
        let found = found.transpose()?;
        if found.is_some() {
            self.health.report(what, Ready::Yes);
        }
        Ok(found)
    }
}
