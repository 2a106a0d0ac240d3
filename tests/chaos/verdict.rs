//! What is to be found in a run that is over.

use std::{collections::BTreeSet, io, path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};

use crate::{
    client::Told,
    ground::{DEADLINE, tools},
    journal::now_us,
    labels::broken_words,
    nats::DEAD,
    quiet::quiet,
    world::World,
};

const CHECK_MAX: Duration = Duration::from_secs(600);
const FOUND: i32 = 7;

/// What is to be told of a run.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) seed: u64,
    pub(crate) time: Duration,
    /// Microseconds since 1970.
    pub(crate) started: u64,
    pub(crate) faults: Vec<Value>,
    pub(crate) kills: u64,
    /// Positions of what is no event.
    pub(crate) poison: Vec<u64>,
    pub(crate) told: Told,
}

/// What is to be said of a run.
#[derive(Default)]
pub(crate) struct Verdict {
    /// The last position; 0 when no rest was found.
    pub(crate) events: u64,
    pub(crate) rested_within: Duration,
    /// The checker's.
    pub(crate) summary: Value,
    /// Whatever contradicts what is promised; nothing if all is well.
    pub(crate) findings: Vec<String>,
}

/// Waits up to `rest_max` until all is done, then has everything looked at.
pub(crate) async fn judge(world: &World, rest_max: Duration, account: &Account) -> Verdict {
    let over = Instant::now();
    let rest = quiet(world, rest_max).await;
    let mut verdict = Verdict { rested_within: over.elapsed(), ..Verdict::default() };
    match rest {
        Ok(events) => verdict.events = events,
        Err(open) => verdict.findings.push(open),
    }
    let Told { ok, unknown, failed, .. } = account.told;
    let about = json!({
        "seed": account.seed, "seconds": account.time.as_secs(), "started": account.started,
        "ended": now_us(), "nats_url": world.nats_url(), "database_url": world.database_url(),
        "faults": account.faults, "kills": account.kills, "poison": account.poison,
        "commands": ok + unknown + failed,
    });
    std::fs::write(world.dir.join("run.json"), about.to_string()).expect("written");
    verdict.findings.extend(findings(world, &account.poison).await);
    let (wrong, summary) = checked(world).await;
    verdict.findings.extend(wrong);
    verdict.summary = summary;
    verdict
}

async fn findings(world: &World, poison: &[u64]) -> Vec<String> {
    let mut found = world.fallen().await;
    found.extend(unequal_tables(world).await);
    match letters(world).await {
        Ok(letters) => {
            let garbage: BTreeSet<u64> = poison.iter().copied().collect();
            for position in garbage.difference(&letters) {
                found.push(format!("no dead letter tells of the garbage at {position}"));
            }
            for position in letters.difference(&garbage) {
                found.push(format!("the event at {position} is among the dead letters"));
            }
        }
        Err(error) => found.push(format!("the dead letters cannot be read: {error}")),
    }
    match broken_words(&world.dir, world.database_url()).await {
        Ok(broken) => found.extend(broken),
        Err(error) => found.push(format!("labels cannot be counted: {error}")),
    }
    found
}

/// The tables that differ from those that are made anew from the stream.
pub(crate) async fn unequal_tables(world: &World) -> Vec<String> {
    let end = Instant::now() + 2 * DEADLINE;
    let mut started = world.ask("projection.verify", json!({})).await;
    loop {
        let operation = world.ask("operation.get", json!({"id": started["operation_id"]})).await;
        match operation["status"].as_str() {
            Some("running") if Instant::now() < end => sleep(Duration::from_millis(100)).await,
            Some("done") => {
                let equal = operation["equal"].as_object().cloned().unwrap_or_default();
                let unequal = equal.iter().filter(|(_, equal)| **equal != Value::Bool(true));
                let mut told: Vec<String> =
                    unequal.map(|(table, _)| format!("table {table} is not a rebuild's")).collect();
                if equal.is_empty() {
                    told.push("no table was compared".into());
                }
                return told;
            }
            // Postgres may just have been too busy.
            Some("failed") if Instant::now() < end => {
                started = world.ask("projection.verify", json!({})).await;
            }
            _ => return vec![format!("the tables cannot be compared: {operation}")],
        }
    }
}

/// The positions that dead letters tell of.
async fn letters(world: &World) -> io::Result<BTreeSet<u64>> {
    let mut positions = BTreeSet::new();
    let mut nats = world.nats().await?;
    for seq in 1..=nats.last_seq(DEAD).await? {
        let Some(letter) = nats.at(DEAD, seq).await? else { continue };
        let of = letter.headers.lines().find_map(|line| line.strip_prefix("Ktk-Stream-Seq:"));
        if let Some(position) = of.and_then(|of| of.trim().parse().ok()) {
            positions.insert(position);
        }
    }
    Ok(positions)
}

/// What `tests/checker`, which knows nothing of our code, makes of the run in `dir`: findings, and
/// its summary.
async fn checked(world: &World) -> (Vec<String>, Value) {
    match check(world, &world.dir).await {
        Ok(Checked { code: 0, summary, .. }) => (Vec::new(), summary),
        Ok(Checked { code: FOUND, said, summary }) => (vec![said], summary),
        Ok(Checked { code, said, .. }) => {
            (vec![format!("the checker could not check ({code}): {said}")], Value::Null)
        }
        Err(error) => (vec![format!("the checker cannot be run: {error}")], Value::Null),
    }
}

struct Checked {
    code: i32,
    said: String,
    summary: Value,
}

async fn check(world: &World, dir: &Path) -> io::Result<Checked> {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("checker");
    let run = Command::new("python3")
        .arg(checker)
        .arg("--run")
        .arg(dir)
        .args(["--nats", world.nats_url(), "--database", world.database_url()])
        .env("PYTHONPATH", tools().join("python"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(CHECK_MAX, run).await??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok(Checked {
        code: output.status.code().unwrap_or(-1),
        summary: summary.unwrap_or_default(),
        said: format!("{said}{errors}"),
    })
}
