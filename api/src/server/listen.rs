//! Connections, from the moment they are accepted: how many there are, how much is read ahead of
//! each, and how long one may take to say what it wants.

use std::{io, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer;

use super::{ClientAddress, Limits, message, metric};
use crate::{ApiError, Code};

/// What is read ahead of a connection, and with it how long the head of a request may be.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How long the head of a request may take; and with it how long a connection may ask for nothing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait when no connection can be accepted, as file descriptors are short.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// Connections that are told at once that there is no place for them; more are closed only.
const REFUSING_MAX: usize = 64;
/// How long that may take.
const REFUSING_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `app` on `listener` until `stop` is cancelled; then lets the answers under way end.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: &Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let sockets = Arc::new(Semaphore::new(limits.sockets_max));
    let refusing = Arc::new(Semaphore::new(REFUSING_MAX));
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted at the moment");
                sleep(ACCEPT_DELAY).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&sockets).try_acquire_owned() {
            let app = Extension(ClientAddress(from)).layer(app.clone());
            open.spawn(connection(stream, app, stop.clone(), place));
            continue;
        }
        metric::refused("busy");
        if let Ok(place) = Arc::clone(&refusing).try_acquire_owned() {
            let refusal = refusal(limits.sockets_max);
            tokio::spawn(refuse(stream, refusal, place));
        }
    }
    open.close();
    open.wait().await;
    Ok(())
}

/// Whether the failure is that of a client that went away.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// What is served, which knows where its connection comes from.
type App = <Extension<ClientAddress> as Layer<Router>>::Service;

/// One connection, until it ends or is no more one of HTTP.
async fn connection(
    stream: TcpStream,
    app: App,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    // Where it cannot be set, answers are a little late.
    stream.set_nodelay(true).ok();
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_AHEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended before its time");
    }
}

/// The answer to whatever would be asked.
fn refusal(sockets_max: usize) -> String {
    let message = format!(
        "the server has {sockets_max} connections open, which is its limit; close some, or try \
         again in a second"
    );
    let error = ApiError::new(Code::Limit, message).reason("busy");
    let body = message::response(None, &Err(error));
    let length = body.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Answers before anything was read, and reads on for a moment: what a client has sent and nobody
/// has read would take the answer away from it.
async fn refuse(mut stream: TcpStream, refusal: String, _place: OwnedSemaphorePermit) {
    let told = async {
        stream.write_all(refusal.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that does not listen is not told.
    timeout(REFUSING_TIMEOUT, told).await.ok();
}
