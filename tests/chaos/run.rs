//! A run: load and faults for a time, then rest, then the judge.

use std::{fmt, path::PathBuf, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use crate::{
    client::Told,
    faults::{Faults, Suffered},
    journal::now_us,
    load::{Load, manifests},
    proxy::Line,
    roles::ALL,
    schedule::Schedule,
    verdict::{Account, Verdict, judge},
    world::World,
};

const CLIENTS: u64 = 12;
/// How long it may take until everything has come to its end once nothing goes wrong any more.
const REST_MAX: Duration = Duration::from_secs(180);

/// What became of a run.
pub(crate) struct Report {
    seed: u64,
    time: Duration,
    cycles: usize,
    kills: u64,
    told: Told,
    verdict: Verdict,
    dir: PathBuf,
}

/// Runs for `time`, then looks.
pub(crate) async fn run(seed: u64, time: Duration) -> Report {
    let world = World::start("chaos").await;
    eprintln!("chaos: seed {seed}, {} s, in {}", time.as_secs(), world.dir.display());
    for role in ALL {
        world.serve(role, &[]).await;
    }
    world.ask("manifest.apply", json!({"documents": manifests()})).await;
    let (started, end) = (now_us(), Instant::now() + time);
    let port = world.port("api").await;
    let clients = Load { seed, clients: CLIENTS }.start(port, &world.dir);
    let schedule = Schedule::of(seed, time);
    let faults = Faults::new(&world, &ALL);
    tokio::join!(faults.run(&schedule.processes, end), faults.run(&schedule.servers, end));
    let Suffered { record, kills, poison } = faults.suffered();
    for server in [ktk::dev::Server::Nats, ktk::dev::Server::Postgres] {
        world.set_line(None, server, Line::Open).await;
    }

    let told = clients.stop().await;
    let cycles = record.len();
    let account = Account { seed, time, started, faults: record, kills, poison, told };
    let mut verdict = judge(&world, REST_MAX, &account).await;
    if told.ok == 0 {
        verdict.findings.push("no command was accepted".into());
    }
    let dir = world.dir.clone();
    world.stop(!verdict.findings.is_empty()).await;
    Report { seed, time, cycles, kills, told, verdict, dir }
}

impl Report {
    /// Says what became of it; fails when something was found.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        eprintln!("{self}");
        for finding in &self.verdict.findings {
            eprintln!("chaos: found: {finding}");
        }
        assert!(
            self.verdict.findings.is_empty(),
            "seed {}: {} findings; what is left of the run is in {}; again: make chaos SECONDS={} SEED={}",
            self.seed,
            self.verdict.findings.len(),
            self.dir.display(),
            self.time.as_secs(),
            self.seed
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { ok, unknown, failed, read } = self.told;
        write!(
            f,
            "chaos: seed {}, {} s: {} cycles, {} kills, {ok} commands acknowledged, {unknown} unknown, \
             {failed} refused, {read} reads, {} events, at rest after {:.1} s, {} findings; checker: {}",
            self.seed,
            self.time.as_secs(),
            self.cycles,
            self.kills,
            self.verdict.events,
            self.verdict.rested_within.as_secs_f64(),
            self.verdict.findings.len(),
            self.verdict.summary
        )
    }
}
