//! Puts the processors of a stand together and runs them until they are told to stop.

use std::{io, net::Ipv4Addr};

use kantoku_service::{Health, router};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;

use crate::dev::{BoxError, Listening, ServeContext};

/// The API's port if it is free, else one of the next.
const PORT: u16 = 7300;
const PORTS_TRIED: u16 = 100;

/// Serves the stand's edge: `/livez`, `/readyz`, `/metrics`.
pub(crate) async fn run(context: ServeContext) -> Result<(), BoxError> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let listener = listen().await?;
    let address = listener.local_addr()?;
    let app = router(Health::default(), move || metrics.render());
    context.ready.send(Listening { api_url: format!("http://{address}"), ui_url: None });
    axum::serve(listener, app).with_graceful_shutdown(context.shutdown.cancelled_owned()).await?;
    Ok(())
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
