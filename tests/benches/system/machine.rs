//! What is true of all figures of a session: the machine, the versions, the durability.

use std::{fs, thread::available_parallelism};

use serde_json::{Map, Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::stand::Up;

/// The fields that every line has.
pub(crate) async fn describe(up: &Up) -> Map<String, Value> {
    let info = up.info().await;
    let durability = format!(
        "NATS file storage, sync {}; Postgres with fsync, the read model with synchronous_commit off",
        info.sync
    );
    let fields = [
        ("durability", json!(durability)),
        ("nats", json!(info.nats_version)),
        ("postgres", json!(postgres(up).await)),
        ("machine", json!(machine())),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn postgres(up: &Up) -> String {
    let mut database = PgConnection::connect(&up.endpoints.postgres).await.expect("connected");
    let version = sqlx::query_scalar("SHOW server_version").fetch_one(&mut database).await;
    version.expect("a version")
}

/// `2 × Some CPU, 24 GB, Linux 6.1`
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
        value.unwrap_or("unknown").to_owned()
    };
    let cores = available_parallelism().map_or(0, usize::from);
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let kib = field(&read("/proc/meminfo"), "MemTotal");
    let gib = kib.trim_end_matches(" kB").parse::<f64>().map_or(0.0, |kib| kib / 1_048_576.0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} × {cpu}, {gib:.0} GB, Linux {}", kernel.trim())
}
