//! What can be known of how safely the server keeps what it has acknowledged.
//!
//! Clients cannot ask how often it writes to the disk: that takes its system account, which services
//! have no business with, or its monitoring port.

use std::{fmt, time::Duration};

use async_nats::{Client, jetstream::Context};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{Fault, Settings, subject};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// When the server writes what it has acknowledged to the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before it acknowledges.
    Always,
    /// Every so often.
    Interval(Duration),
    /// It is not known, for this reason.
    Unknown(String),
}

/// How safely the server keeps events, as far as that can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Safety {
    /// The server's version.
    pub version: String,
    /// How many servers keep each event.
    pub replicas: usize,
    /// When each of them writes to its disk.
    pub sync: Sync,
    /// How many consumers the server allows the stream of events, where that is known.
    pub consumers_max: Option<usize>,
}

/// The part of a server's `/varz` that matters here.
#[derive(Deserialize)]
struct Varz {
    server_id: String,
    #[serde(default)]
    jetstream: JetStreamz,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JetStreamz {
    config: Configz,
    limits: Limitz,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Configz {
    /// In nanoseconds.
    sync_interval: u64,
    sync_always: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Limitz {
    default_max_consumers: usize,
}

/// Looks at the server and at the stream of events, which is there.
pub(crate) async fn inspect(
    client: &Client,
    context: &Context,
    settings: &Settings,
) -> Result<Safety, Fault> {
    let stream = context.get_stream(subject::EVENTS).await;
    let stream =
        stream.map_err(|error| Fault::unreachable("look at the stream of events", error))?;
    let info = stream.cached_info();
    let server = client.server_info();
    let varz = match &settings.monitor_url {
        Some(url) => varz(url, &server.server_id).await,
        None => {
            Err("the server tells it at its monitoring address only, and none was named".into())
        }
    };
    let (told, consumers_max) = match varz {
        Ok(found) => (found.sync(), Some(found.jetstream.limits.default_max_consumers)),
        Err(reason) => (Sync::Unknown(reason), None),
    };
    Ok(Safety {
        version: server.version,
        replicas: info.config.num_replicas.max(1),
        sync: match (&settings.sync, told) {
            (Some(configured), Sync::Unknown(_)) => configured.clone(),
            (_, told) => told,
        },
        // 0 is no limit.
        consumers_max: consumers_max.filter(|max| *max > 0),
    })
}

impl Varz {
    fn sync(&self) -> Sync {
        let Configz { sync_interval, sync_always } = self.jetstream.config;
        match sync_interval {
            _ if sync_always => Sync::Always,
            0 => Sync::Unknown("the monitoring address says nothing of it".into()),
            nanos => Sync::Interval(Duration::from_nanos(nanos)),
        }
    }
}

impl Safety {
    /// What is lost, and when; `None` if nothing that was acknowledged can be.
    pub fn at_risk(&self) -> Option<String> {
        let when = match self.replicas {
            1 => "the machine of the NATS server loses power or its kernel crashes",
            _ => "the machines of most NATS servers lose power at once",
        };
        let advice = "set `sync_interval: always` in the `jetstream` part of its configuration";
        match &self.sync {
            Sync::Always => None,
            Sync::Interval(interval) => Some(format!(
                "what was acknowledged within the last {interval:?} is lost when {when} (not when \
                 the server is killed); where that must not be, {advice}"
            )),
            Sync::Unknown(reason) => Some(format!(
                "what was acknowledged lately may be lost when {when}: whether the server writes \
                 before it acknowledges is not known, as {reason}; {advice}, and name the address \
                 by KTK_NATS_MONITOR_URL"
            )),
        }
    }

    /// Says it in the log.
    pub(crate) fn tell(&self) {
        let Self { version, replicas, sync, consumers_max } = self;
        tracing::info!(version, replicas, %sync, consumers_max, "the store of events");
        if let Some(at_risk) = self.at_risk() {
            tracing::warn!(replicas, %sync, "{at_risk}");
        }
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Interval(interval) => write!(f, "every {interval:?}"),
            Self::Unknown(_) => f.write_str("unknown"),
        }
    }
}

/// Asks the monitoring address `url` (`http://host:port`) of the server with this id.
async fn varz(url: &str, server_id: &str) -> Result<Varz, String> {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    // It is not repeated, as it may hold what is nobody's business.
    let host = host.ok_or("its monitoring address is not of the form http://host:8222")?;
    let answer = timeout(ANSWER_TIMEOUT, get(host)).await;
    let answer = answer.map_err(|_| "its monitoring address does not answer".to_owned())?;
    let answer = answer.map_err(|error| format!("its monitoring address fails: {error}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let varz: Varz = serde_json::from_str(body)
        .map_err(|_| "its monitoring address does not give a server's /varz".to_owned())?;
    if varz.server_id != server_id {
        return Err("the monitoring address is another server's than the one that is used".into());
    }
    Ok(varz)
}

/// HTTP 1.0: the answer comes in one piece and ends with the connection.
async fn get(host: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("GET /varz HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bus, testing::Server};

    const DEADLINE: Duration = Duration::from_secs(20);

    async fn safety(server: &Server, monitor_url: Option<&str>, sync: Option<Sync>) -> Safety {
        let monitor_url = monitor_url.map(str::to_owned);
        let settings = Settings { monitor_url, sync, ..Settings::default() };
        let bus = Bus::open(server.url(), "test", DEADLINE, &settings).await.unwrap();
        bus.safety().clone()
    }

    #[tokio::test]
    async fn the_monitoring_address_tells_when_the_server_writes() {
        let configured = Some(Sync::Interval(Duration::from_millis(100)));
        for (lines, expected) in [
            ("", Sync::Interval(Duration::from_secs(120))),
            ("sync_interval: always", Sync::Always),
            ("sync_interval: \"1s\"", Sync::Interval(Duration::from_secs(1))),
        ] {
            let Some(server) = Server::start_with_monitor(lines).await else { return };
            let found = safety(&server, server.monitor_url(), configured.clone()).await;
            assert_eq!((&found.sync, found.replicas), (&expected, 1));
            assert_eq!(found.consumers_max, Some(1_000), "as this version has it");
            assert_eq!(found.at_risk().is_none(), expected == Sync::Always);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_learnt_is_said_to_be_unknown() {
        let Some(server) = Server::start_with_monitor("").await else { return };
        let Some(other) = Server::start_with_monitor("").await else { return };
        let nobody = Some("http://127.0.0.1:1");
        for (url, reason) in [
            (None, "none was named"),
            (nobody, "fails"),
            (Some("https://x"), "not of the form"),
            (other.monitor_url(), "another server's"),
        ] {
            let found = safety(&server, url, None).await;
            let Sync::Unknown(told) = &found.sync else { panic!("{found:?}") };
            assert!(told.contains(reason), "{told}");
            assert!(found.at_risk().unwrap().contains("KTK_NATS_MONITOR_URL"));
        }
        let found = safety(&server, None, Some(Sync::Always)).await;
        assert_eq!((found.at_risk(), found.sync), (None, Sync::Always), "as it was configured");
    }
}
