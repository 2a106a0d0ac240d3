//! Puts the parts of Kantoku together and runs them until they are told to stop: the one composition
//! root, for `ktk serve` and for `ktk dev up`.
//!
//! What is reached from outside is there from the first moment ([`edge`]); then the servers are
//! waited for ([`connect`]); then all services start, and end together ([`crew`]).

mod args;
mod config;
mod connect;
mod crew;
mod edge;
mod error;
mod member;
mod part;
mod process;
mod signals;
mod team;

use kantoku_service::Health;
use tokio_util::sync::CancellationToken;

use self::{connect::connect, crew::Crew, edge::Edge, member::Member, signals::Signals};
use crate::{
    dev::{BoxError, Listening, ServeContext},
    output::{Format, print_document},
};

pub(crate) use args::{EXAMPLES, ServeArgs};
pub(crate) use config::Config;
pub(crate) use error::ServeError;
pub(crate) use part::{Part, Service};

/// The label by which a processor node says which handlers it runs, separated by spaces.
pub(crate) const HANDLERS_LABEL: &str = "handlers";

/// Every part, on the servers of a stand.
pub(crate) async fn run_on_stand(context: ServeContext) -> Result<(), BoxError> {
    let config = Config::of_stand(&context);
    let ServeContext { shutdown, ready, .. } = context;
    let tell = |url: &str| ready.send(Listening { api_url: url.to_owned(), ui_url: None });
    run(&config, &shutdown, tell).await.map_err(BoxError::from)
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
    let mut work = std::pin::pin!(run(&config, &stop, tell));
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
    let done = match connect(config, &name, &health, stop).await {
        Ok(Some(connected)) => {
            let crew = Crew::start(config, &members, connected, &health, &edge, stop).await;
            match crew {
                Ok(crew) => {
                    tell(&edge.url());
                    crew.run(stop, config.drain).await
                }
                Err(error) => Err(error),
            }
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    done.and(edge.close().await)
}
