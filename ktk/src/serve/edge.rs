//! Where a process is reached: health and metrics from its first moment, the API once it is there.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use kantoku_api::{
    server::{Limits, serve},
    tls::Identity,
};
use kantoku_service::{Health, router};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::{Config, Part, ServeError};

/// The API's port if it is free, else one of the next.
const API_PORT: u16 = 7300;
/// The same for processes without the API, so that they do not take its place.
const HEALTH_PORT: u16 = 7400;
const PORTS_TRIED: u16 = 100;

/// The open port of a process.
pub(super) struct Edge {
    address: SocketAddr,
    is_secure: bool,
    api: Arc<OnceLock<Router>>,
    stop: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
}

impl Edge {
    /// Listens, and answers for health and metrics.
    pub(super) async fn open(
        config: &Config,
        health: Health,
        metrics: PrometheusHandle,
    ) -> Result<Self, ServeError> {
        let identity = match &config.tls {
            Some((certificate, key)) => Some(Identity::read(certificate, key)?),
            None => None,
        };
        let listener = match config.listen {
            Some(address) => TcpListener::bind(address)
                .await
                .map_err(|source| ServeError::Listen { address, source })?,
            None => listen(if config.runs(Part::Api) { API_PORT } else { HEALTH_PORT }).await?,
        };
        let address = listener.local_addr()?;
        let api = Arc::new(OnceLock::new());
        let later = Arc::clone(&api);
        let app = router(health, move || metrics.render())
            .fallback(move |request| answer(Arc::clone(&later), request));
        let stop = CancellationToken::new();
        let is_secure = identity.is_some();
        if let Some(identity) = identity.clone() {
            tokio::spawn(identity.keep(stop.clone()));
        }
        let (limits, stopped) = (Limits::default(), stop.clone());
        let serving = async move { serve(listener, app, &limits, identity, stopped).await };
        tracing::info!(%address, is_secure, "listening");
        Ok(Self { address, is_secure, api, stop, serving: tokio::spawn(serving) })
    }

    /// The root of all that is answered here.
    pub(super) fn url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers for the API as well from now on.
    pub(super) fn add(&self, api: Router) {
        // It is added once.
        self.api.set(api).ok();
    }

    /// Accepts nothing more, and lets the answers that are under way end.
    pub(super) async fn close(self) -> Result<(), ServeError> {
        self.stop.cancel();
        match self.serving.await {
            Ok(served) => Ok(served?),
            Err(error) => Err(io::Error::other(error).into()),
        }
    }
}

async fn answer(api: Arc<OnceLock<Router>>, request: Request) -> Response {
    let Some(mut router) = api.get().cloned() else {
        let headers = [(header::RETRY_AFTER, "1")];
        let text = "this is not here, or not yet; /readyz says what is waited for\n";
        return (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response();
    };
    router.call(request).await.into_response()
}

async fn listen(first: u16) -> Result<TcpListener, ServeError> {
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, first));
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && address.port() + 1 < first + PORTS_TRIED =>
            {
                address.set_port(address.port() + 1);
            }
            Err(source) => return Err(ServeError::Listen { address, source }),
        }
    }
}
