//! The connection to NATS.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use thiserror::Error;
use tokio::sync::watch;

use crate::{Login, Redial, warn_missing};

/// A connection over which nothing comes is tried so often, and given up when the second question
/// goes unanswered for as long: a server that hangs, or a network that swallows, closes nothing.
const PING_EVERY: Duration = Duration::from_secs(2);
/// How long one dial may take.
const DIAL_MAX: Duration = Duration::from_secs(3);

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// An address cannot be read. It is not repeated here, as it may hold a password.
    #[error(
        "address {index} in the list of NATS servers is no URL; use nats://host:4222, several separated by commas"
    )]
    Address {
        /// Which one, 1 for the first.
        index: usize,
    },
    /// No server let us in before the deadline.
    #[error("no NATS server at {servers} let us in within {} ms ({reason}); check that it runs and that the credentials are right", .deadline.as_millis())]
    Deadline {
        /// Hosts and ports, without credentials.
        servers: String,
        /// How long was tried.
        deadline: Duration,
        /// What the last attempt met.
        reason: String,
    },
    /// The options themselves are wrong.
    #[error(
        "the connection to NATS at {servers} cannot be set up ({kind}); check the addresses and TLS settings"
    )]
    Options {
        /// Hosts and ports, without credentials.
        servers: String,
        /// What kind of mistake.
        kind: async_nats::ConnectErrorKind,
    },
}

#[derive(Clone)]
enum Progress {
    Trying(String),
    Connected,
}

/// Connects to the servers in `urls` (separated by commas) under `name`, and keeps the connection:
/// when it is lost, it is made again for as long as the client lives, at the pace of [`Redial`].
/// Waits for the first connection until `deadline` has passed.
pub async fn connect(urls: &str, name: &str, deadline: Duration) -> Result<Client, ConnectError> {
    connect_as(&Login::default(), urls, name, deadline).await
}

/// The same as whom `as_whom` says.
pub(crate) async fn connect_as(
    as_whom: &Login,
    urls: &str,
    name: &str,
    deadline: Duration,
) -> Result<Client, ConnectError> {
    Dialing::start(as_whom, urls, name).await?.client(deadline).await
}

/// A connection that is being made, for as long as this lives.
pub struct Dialing {
    client: Client,
    servers: String,
    progress: watch::Receiver<Progress>,
}

impl Dialing {
    /// Begins to dial the servers in `urls` (separated by commas) under `name`, and is let in as whom
    /// `as_whom` says, or as what the addresses say.
    pub async fn start(as_whom: &Login, urls: &str, name: &str) -> Result<Self, ConnectError> {
        let addresses = parse(urls)?;
        let servers = redacted(&addresses);
        let (sender, progress) = watch::channel(Progress::Trying("no answer yet".into()));
        let shown = servers.clone();
        let client = as_whom
            .apply(login(&addresses))
            .name(name)
            .retry_on_initial_connect()
            .ping_interval(PING_EVERY)
            .connection_timeout(DIAL_MAX)
            // It counts from 1.
            .reconnect_delay_callback(|dial| Redial::wait_before(dial.saturating_sub(1)))
            .event_callback(move |event| {
                note(&event, &shown, &sender);
                std::future::ready(())
            })
            .connect(addresses)
            .await
            .map_err(|error| ConnectError::Options {
                servers: servers.clone(),
                kind: error.kind(),
            })?;
        Ok(Self { client, servers, progress })
    }

    /// The connection, once it is there; an error when it is not within `deadline`. Whoever asks
    /// again waits for the same one, and is dialled for no more often.
    pub async fn client(&self, deadline: Duration) -> Result<Client, ConnectError> {
        let mut progress = self.progress.clone();
        let connected = progress.wait_for(|progress| matches!(progress, Progress::Connected));
        if let Ok(Ok(_)) = tokio::time::timeout(deadline, connected).await {
            return Ok(self.client.clone());
        }
        let reason = match &*self.progress.borrow() {
            Progress::Trying(reason) => reason.clone(),
            Progress::Connected => return Ok(self.client.clone()),
        };
        Err(ConnectError::Deadline { servers: self.servers.clone(), deadline, reason })
    }
}

/// The first login in the addresses, if there is one: the client does not look for it there. A user
/// without a password is a token.
fn login(addresses: &[ServerAddr]) -> ConnectOptions {
    let of = |address: &ServerAddr| {
        Some((address.username()?.to_owned(), address.password().map(str::to_owned)))
    };
    match addresses.iter().find_map(of) {
        Some((user, Some(password))) => ConnectOptions::with_user_and_password(user, password),
        Some((token, None)) => ConnectOptions::with_token(token),
        None => ConnectOptions::new(),
    }
}

fn parse(urls: &str) -> Result<Vec<ServerAddr>, ConnectError> {
    urls.split(',')
        .enumerate()
        .map(|(i, url)| url.trim().parse().map_err(|_| ConnectError::Address { index: i + 1 }))
        .collect()
}

/// Hosts and ports only: a URL may hold a user's password or a token.
fn redacted(addresses: &[ServerAddr]) -> String {
    let shown: Vec<String> =
        addresses.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect();
    shown.join(", ")
}

fn note(event: &Event, servers: &str, progress: &watch::Sender<Progress>) {
    match event {
        Event::Connected => {
            tracing::info!(servers, "connected to NATS");
            progress.send_replace(Progress::Connected);
        }
        Event::Disconnected => {
            warn_missing("nats", "keep the connection", &format_args!("{servers} hung up"));
        }
        Event::SlowConsumer(id) => {
            tracing::warn!(subscription = id, "a subscription is too slow; messages were dropped");
        }
        Event::ServerError(error) => {
            let reason = error.to_string();
            if reason.to_lowercase().contains("permissions violation") {
                tracing::warn!(
                    reason,
                    "NATS does not allow it: is the login one for what this process runs? \
                     `ktk auth nats-config` says what each needs"
                );
            }
            failed(progress, reason);
        }
        Event::ClientError(error) => failed(progress, error.to_string()),
        Event::LameDuckMode => tracing::info!(servers, "NATS server is about to stop"),
        Event::Draining | Event::Closed => tracing::debug!(servers, %event, "connection to NATS"),
    }
}

fn failed(progress: &watch::Sender<Progress>, reason: String) {
    tracing::debug!(reason, "NATS reports an error");
    progress.send_if_modified(|progress| match progress {
        Progress::Trying(last) => {
            *last = reason;
            true
        }
        Progress::Connected => false,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn nobody_at_home_is_said_by_the_deadline_and_without_the_password() {
        let urls = "nats://me:secret@127.0.0.1:1, nats://127.0.0.1:2";
        let error = connect(urls, "test", Duration::from_millis(300)).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, ConnectError::Deadline { .. }), "{text}");
        assert!(text.contains("127.0.0.1:1, 127.0.0.1:2") && !text.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn a_bad_address_is_named_by_its_place_only() {
        let error = connect("nats://a:4222,nats://u:secret@:x", "test", Duration::from_secs(1))
            .await
            .unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, ConnectError::Address { index: 2 }), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn a_server_is_reached() {
        let Some(server) = Server::start().await else { return };
        let client = connect(server.url(), "test", Duration::from_secs(10)).await.unwrap();
        client.flush().await.unwrap();
    }
}
