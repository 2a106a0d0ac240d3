//! A thousand clients that open connections and take their time, and one that asks.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use kantoku_api::server::{ApiConfig, Limits};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::{
    DEADLINE, Served,
    raw::post,
    socket::Socket,
    tls::{Authority, Secured},
};

/// How many there are, where the system allows as many files.
const SLOW: u64 = 1_000;
/// Both ends of their connections are of this process, and it has others.
const FILES_EACH: u64 = 2;
const FILES_MORE: u64 = 1_000;

/// Fewer than there are slow ones: some have to go so that others get in.
const PLACES: usize = 400;
/// When a new connection must have asked for something.
const FIRST_REQUEST: Duration = Duration::from_secs(4);
/// When the body of a request must be there.
const BODY: Duration = Duration::from_secs(6);
const SILENCE: Duration = Duration::from_secs(3);

/// How often each of them sends a byte.
const EVERY: Duration = Duration::from_millis(400);
/// What is asked meanwhile, and how long all but the slowest of it may take.
const CALLS: usize = 200;
const CALL_MAX: Duration = Duration::from_secs(1);

/// How many slow clients there can be.
fn count() -> u64 {
    let wanted = SLOW * FILES_EACH + FILES_MORE;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).expect("raised");
    }
    let count = SLOW.min(hard.saturating_sub(FILES_MORE) / FILES_EACH);
    if count < SLOW {
        eprintln!("{count} slow sockets instead of {SLOW}: the system allows {hard} open files");
    }
    count
}

/// Sends `begin`, and then a byte now and then, until it is cut.
async fn drip(address: SocketAddr, begin: &[u8]) {
    // One that finds no place is cut before it begins.
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    if stream.write_all(begin).await.is_err() {
        return;
    }
    let mut answer = [0; 1024];
    loop {
        match timeout(EVERY, stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Err(_) if stream.write_all(b"a").await.is_err() => return,
            // If it is told why, it goes on.
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_sockets_do_not_stop_a_real_call_and_are_cut() {
    let count = count();
    let mut config = ApiConfig::new("api-1");
    config.limits = Limits {
        sockets_max: PLACES,
        first_request_timeout: FIRST_REQUEST,
        body_timeout: BODY,
        ping_every: Duration::from_secs(1),
        silence_max: SILENCE,
        ..Limits::default()
    };
    let limits = config.limits.clone();
    let served = Box::pin(Served::with(config)).await;
    let authority = Authority::new();
    let secured = Secured::start(&served.api, &authority.identity("localhost"), limits).await;
    let (address, secure) = (served.address, secured.address);

    // Those that follow what happens and never read it.
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut socket = Socket::open(&served).await;
        socket.send(r#"{"jsonrpc":"2.0","method":"event.subscribe","id":1}"#).await;
        deaf.push(socket);
    }
    let body = format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: 100000\r\n\r\n"
    );
    let head = format!("GET /v1/tasks HTTP/1.1\r\nHost: {address}\r\nX-Slow: ");
    let mut slow = JoinSet::new();
    for n in 0..count {
        let (to, begin) = match n % 5 {
            0 => (address, Vec::new()),
            1 | 2 => (address, head.clone().into_bytes()),
            3 => (address, body.clone().into_bytes()),
            // A handshake that has 512 bytes to come.
            _ => (secure, vec![22, 3, 1, 2, 0]),
        };
        slow.spawn(async move { drip(to, &begin).await });
    }

    let request =
        json!({"jsonrpc": "2.0", "id": 1, "method": "resource.allocate", "params": {"count": 1}});
    let request = request.to_string();
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let begin = Instant::now();
        let answer = timeout(DEADLINE, post(address, &request)).await.expect("an answer");
        took.push(begin.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.json()["result"]["ids"][0].is_string(), "{}", answer.body);
    }
    took.sort_unstable();
    let (median, p99) = (took[CALLS / 2], took[CALLS - CALLS / 100 - 1]);
    eprintln!("{count} slow sockets; {CALLS} calls: median {median:?}, p99 {p99:?}");
    assert!(p99 < CALL_MAX, "{took:?}");

    let begin = Instant::now();
    let all_are_cut = async { while slow.join_next().await.is_some() {} };
    timeout(DEADLINE, all_are_cut).await.expect("all of them are cut");
    let slack = Duration::from_secs(10);
    assert!(begin.elapsed() < BODY.max(FIRST_REQUEST) + slack, "{:?}", begin.elapsed());
    // A client that does not read says no pong, and its subscription ends with its connection.
    let nothing_is_held = async {
        while served.api.held_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, nothing_is_held).await.expect("what they held is given back");
    drop(deaf);
    secured.stop().await;
    served.stop().await;
}
