//! Connections, from the moment they are accepted: how many there are, how much is read ahead of
//! each, how long one may take to say what it wants and to take what it is given, and TLS.

use std::{io, sync::Arc, task::Poll, time::Duration};

use axum::{Extension, Router};
use futures::poll;
use hyper::{
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer;

use super::{
    ClientAddress, Limits, message, metric,
    outlet::SEND_TIMEOUT,
    paced::Paced,
    place::{GRACE, Place, Places},
};
use crate::{ApiError, Code, tls::Identity};

/// What is read ahead of a connection, and with it how long the head of a request may be.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How long the head of a request may take that is not the first; and with it how long a connection
/// may ask for nothing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait when no connection can be accepted, as file descriptors are short.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// Connections that are told at once that there is no place for them; more are closed only.
const REFUSING_MAX: usize = 64;
/// How long that may take.
const REFUSING_TIMEOUT: Duration = Duration::from_secs(1);

/// The first byte of whatever begins TLS.
const HANDSHAKE: u8 = 22;

/// Serves `app` on `listener`, over TLS as `identity` if there is one, until `stop` is cancelled; then
/// lets the answers under way end.
///
/// # Errors
/// None at the moment: what cannot be accepted is told, and waited for.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: &Limits,
    identity: Option<Identity>,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Places::new(limits.sockets_max);
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
        if let Some(place) = places.take().await {
            let connection = Connection {
                app: Extension(ClientAddress(from)).layer(app.clone()),
                late: Instant::now() + limits.first_request_timeout,
                stop: stop.clone(),
                place,
            };
            open.spawn(connection.run(stream, identity.clone()));
            continue;
        }
        metric::refused("busy");
        // Without the handshake, which would take what there is not enough of, nothing can be said.
        if identity.is_none()
            && let Ok(place) = Arc::clone(&refusing).try_acquire_owned()
        {
            let refusal = refusal(limits.sockets_max);
            tokio::spawn(async move {
                tell(stream, &refusal).await;
                drop(place);
            });
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
struct Connection {
    app: App,
    /// When its first request must have come.
    late: Instant,
    stop: CancellationToken,
    place: Arc<Place>,
}

impl Connection {
    async fn run(self, stream: TcpStream, identity: Option<Identity>) {
        // Where it cannot be set, answers are a little late.
        stream.set_nodelay(true).ok();
        // Whoever has said something already is heard before it could have to go.
        timeout(GRACE, stream.readable()).await.ok();
        let Some(identity) = identity else {
            return self.serve(Paced::new(stream, SEND_TIMEOUT)).await;
        };
        self.place.listened();
        let greeted = tokio::select! {
            () = self.stop.cancelled() => return,
            () = self.place.evicted() => return metric::refused("busy"),
            greeted = timeout_at(self.late, greet(stream, &identity)) => greeted,
        };
        match greeted {
            Ok(Ok(Some(stream))) => self.serve(stream).await,
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => metric::refused("slow"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { app, late, stop, place } = self;
        let app = TowerToHyperService::new(app);
        let of_requests = Arc::clone(&place);
        let service = service_fn(move |request| {
            let asking = of_requests.ask();
            let answered = app.call(request);
            async move {
                let answer = answered.await;
                drop(asking);
                answer
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(READ_AHEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut served = std::pin::pin!(served);
        if let Poll::Ready(ended) = poll!(served.as_mut()) {
            return tell_of(ended);
        }
        place.listened();
        let ended = tokio::select! {
            biased;
            ended = &mut served => ended,
            () = is_late(late, &place) => return metric::refused("slow"),
            () = place.evicted() => {
                metric::refused("busy");
                // It has asked in the last moment.
                if !place.is_asking() {
                    return;
                }
                served.as_mut().graceful_shutdown();
                served.await
            }
            () = stop.cancelled() => {
                if !place.has_asked() {
                    return;
                }
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        tell_of(ended);
    }
}

fn tell_of(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended before its time");
    }
}

/// Waits until `late`, and for ever if there has been a request by then.
async fn is_late(late: Instant, place: &Place) {
    sleep_until(late).await;
    if place.has_asked() {
        std::future::pending::<()>().await;
    }
}

type Secured = tokio_rustls::server::TlsStream<Paced<TcpStream>>;

/// Shakes hands; `None` where the client speaks something else, which it is told.
async fn greet(stream: TcpStream, identity: &Identity) -> io::Result<Option<Secured>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
        let text = "this port speaks TLS: ask for https:// and wss://\n";
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{text}"
        );
        tell(stream, &answer).await;
        return Ok(None);
    }
    identity.acceptor().accept(Paced::new(stream, SEND_TIMEOUT)).await.map(Some)
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
async fn tell(mut stream: TcpStream, answer: &str) {
    let told = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that does not listen is not told.
    timeout(REFUSING_TIMEOUT, told).await.ok();
}
