//! What everything stands on: programs, directories, addresses, and waiting for facts.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The `ktk` binary of the same build.
pub(crate) fn ktk() -> PathBuf {
    let test = std::env::current_exe().expect("a test runs");
    let path = test.ancestors().nth(2).expect("target directory").join("ktk");
    assert!(path.exists(), "{} is missing: build it first, or run `make test`", path.display());
    path
}

/// Where the servers are, and what Python needs; installed unless they are there.
pub(crate) fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let told = std::process::Command::new(ktk()).args(["dev", "tools"]).output();
        let told = String::from_utf8(told.expect("ktk runs").stdout).expect("UTF-8");
        let server = PathBuf::from(told.lines().next().expect("the path of nats-server"));
        server.ancestors().nth(2).expect("it lies in bin").to_owned()
    })
}

/// A directory for a run.
pub(crate) fn new_dir(what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ktk-{what}-{}", Uuid::new_v4().simple()))
}

/// Looks again and again until `look` gives something; panics when it does not within `limit`.
pub(crate) async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// The port in a URL: what follows the last colon.
pub(crate) fn port_of(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').expect("a port");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

pub(crate) fn by_way_of(url: &str, port: u16) -> String {
    url.replace(&format!(":{}", port_of(url)), &format!(":{port}"))
}
