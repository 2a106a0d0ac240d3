//! Puts the processors of a stand together and runs them until they are told to stop.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use kantoku_executor::{Executor, ExecutorConfig, ReaperConfig};
use kantoku_handlers::{Node, project};
use kantoku_preprocessors::{Pool, PoolConfig};
use kantoku_projections::{Database, Projector};
use kantoku_service::{Health, Identity, Ready, router, wait_for};
use kantoku_streams::{Bus, BusError, Settings};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cli::{REAPER, SCRIPT_WORKER},
    dev::{BoxError, Listening, ServeContext},
};

/// The API's port if it is free, else one of the next.
const PORT: u16 = 7300;
const PORTS_TRIED: u16 = 100;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// To Postgres.
const CONNECTIONS_MAX: u32 = 8;

/// Runs the processor node (scheduler, unfolder), the projector, an executor, and the health
/// endpoints.
pub(crate) async fn run(context: ServeContext) -> Result<(), BoxError> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    kantoku_streams::metric::describe();
    kantoku_preprocessors::describe_metrics();
    let node = Identity::take(&context.state_dir, "node", None)?;
    let executor = Identity::take(&context.state_dir, "executor", None)?;
    let health = Health::default();

    let listener = listen().await?;
    let api_url = format!("http://{}", listener.local_addr()?);
    let app = router(health.clone(), move || metrics.render());
    let edge = axum::serve(listener, app)
        .with_graceful_shutdown(context.shutdown.clone().cancelled_owned());
    let edge = tokio::spawn(edge.into_future());

    for part in ["nats", "postgres"] {
        health.report(part, Ready::No("not connected yet".into()));
    }
    let opened = wait_for("nats", &context.shutdown, async || {
        let settings = Settings::default();
        let url = &context.nats_url;
        let bus = Bus::open(url, &node.service_id, CONNECT_DEADLINE, &settings).await?;
        let processor_node = Node::open(&bus, &node.service_id).await?;
        let created = bus.created().await?;
        Ok::<_, BusError>((bus, processor_node, created))
    });
    let database = wait_for("postgres", &context.shutdown, async || {
        Database::open(&context.database_url, Database::SCHEMA, CONNECTIONS_MAX).await
    });
    if let (Some((bus, processor_node, created)), Some(database)) = (opened.await, database.await) {
        let scripts = Arc::new(Pool::new(PoolConfig::this_program([SCRIPT_WORKER])));
        let processors = TaskTracker::new();
        processors.spawn(processor_node.run(context.shutdown.clone()));
        let projector = Projector::new(database.clone(), created);
        processors.spawn(run_projector(
            bus.clone(),
            projector,
            node.service_id.clone(),
            health.clone(),
            context.shutdown.clone(),
        ));
        let reaper = ReaperConfig::this_program([REAPER]);
        let config = ExecutorConfig::new(executor.service_id.clone(), executor.boot_id, reaper);
        let runner = Executor::new(bus, Arc::clone(&scripts), config);
        processors.spawn(runner.run(context.shutdown.clone()));
        health.report("nats", Ready::Yes);
        health.report("postgres", Ready::Yes);
        context.ready.send(Listening { api_url, ui_url: None });
        processors.close();
        processors.wait().await;
        scripts.close().await;
        database.close().await;
    }
    edge.await??;
    Ok(())
}

/// A read model that does not match the stream is left as it is: the tasks go on without it.
async fn run_projector(
    bus: Bus,
    projector: Projector,
    service_id: String,
    health: Health,
    stop: CancellationToken,
) {
    if let Err(error) = project(&bus, &projector, &service_id, &stop).await {
        tracing::error!(%error, "the projector has halted");
        health.report("projector", Ready::No(error.to_string()));
    }
}

async fn listen() -> io::Result<TcpListener> {
    for port in PORT..PORT + PORTS_TRIED {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("all ports from {PORT} to {} are taken", PORT + PORTS_TRIED - 1),
    ))
}
