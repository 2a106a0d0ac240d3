//! Puts the parts of Kantoku together and runs them until they are told to stop: the one composition
//! root, for `ktk serve` and for `ktk dev up`.
//!
//! What is reached from outside is there from the first moment ([`edge`]); then the servers are
//! waited for ([`connect`]); then all services start ([`start`]), and end together ([`crew`]).

mod args;
mod config;
mod connect;
mod crew;
mod edge;
mod error;
mod member;
mod part;
mod process;
mod secrets_key;
mod signals;
mod start;
mod team;

use std::{collections::BTreeSet, pin::pin, time::Duration};

use kantoku_service::Health;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::{connect::connect, edge::Edge, member::Member, signals::Signals, start::Ground};
use crate::{
    dev::{BoxError, Listening, ServeContext},
    output::{Format, print_document},
};

pub(crate) use args::{EXAMPLES, ServeArgs};
pub(crate) use config::Config;
pub(crate) use error::ServeError;
pub(crate) use part::{Part, Service};

/// The label by which a processor node says which handlers it runs, separated by spaces.
pub(crate) const HANDLERS_LABEL: &str = kantoku_streams::ServiceEntry::HANDLERS;

/// These parts, on the servers of a stand.
pub(crate) async fn run_on_stand(
    context: ServeContext,
    parts: BTreeSet<Part>,
) -> Result<(), BoxError> {
    let config = Config::of_stand(&context, parts);
    let ServeContext { shutdown, ready, .. } = context;
    let tell = |url: &str| ready.send(Listening { api_url: url.to_owned(), ui_url: None });
    Box::pin(run(&config, &shutdown, tell)).await.map_err(BoxError::from)
}

/// What the command line asks for, until a signal ends it. With a format for programs, one document
/// says where it is once it is up.
pub(crate) async fn run_until_signal(config: Config, output: Format) -> Result<(), ServeError> {
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let tell = |url: &str| {
        let metrics = format!("{url}/metrics");
        let api = config.runs(Part::Api).then_some(url);
        let document = serde_json::json!({
            "endpoints": { "api": api, "metrics": metrics },
            "pid": std::process::id(),
        });
        if !output.is_table()
            && let Err(error) = print_document(Format::Jsonl, &document)
        {
            tracing::warn!(%error, "nobody was told where this is");
        }
    };
    let mut work = pin!(run(&config, &stop, tell));
    tokio::select! {
        done = &mut work => return done,
        signal = signals.next() => tracing::info!(signal, "draining; a second signal ends it at once"),
    }
    stop.cancel();
    tokio::select! {
        done = work => done,
        signal = signals.next() => {
            tracing::warn!(signal, "ended at once");
            Ok(())
        }
    }
}

/// Runs until `stop` is cancelled; `tell` is called with the root URL once everything is up.
async fn run(
    config: &Config,
    stop: &CancellationToken,
    tell: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let metrics = process::install()?;
    let members = Member::all(config)?;
    let name = members.iter().map(|member| member.identity.service_id.as_str());
    let name = name.collect::<Vec<_>>().join(" ");
    let health = Health::default();
    let edge = Edge::open(config, health.clone(), metrics).await?;
    let done = work(config, &members, &name, &health, &edge, stop, tell).await;
    done.and(edge.close().await)
}

/// Everything between the first and the last moment in which the process is reached from outside.
async fn work(
    config: &Config,
    members: &[Member],
    name: &str,
    health: &Health,
    edge: &Edge,
    stop: &CancellationToken,
    tell: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let connected = Box::pin(connect(config, name, health, stop)).await?;
    let Some(connected) = connected else { return Ok(()) };
    let secret_keys = secrets_key::read(&config.secrets_keys, config.new_secrets_key)?;
    let ground = Ground { config, secret_keys, connected: &connected, health, edge, stop };
    let crew = ground.start(members).await?;
    let mut run = pin!(crew.run(stop, config.drain));
    tokio::select! {
        done = &mut run => return done,
        () = until_ready(health) => tell(&edge.url()),
    }
    run.await
}

/// Waits until every part is ready, but not for ever: one that has halted waits for somebody to
/// look, and meanwhile the others work.
async fn until_ready(health: &Health) {
    const LOOK_EVERY: Duration = Duration::from_millis(5);
    const LIMIT: Duration = Duration::from_secs(30);
    let start = Instant::now();
    while !health.missing().is_empty() {
        if start.elapsed() >= LIMIT {
            tracing::warn!(missing = ?health.missing(), "not all parts are ready");
            return;
        }
        sleep(LOOK_EVERY).await;
    }
}
