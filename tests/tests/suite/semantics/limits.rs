//! A limit while executors are killed: never more at once than it allows, and not for long fewer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use kantoku_api::contract::TaskSpawnBatch;
use kantoku_domain::{Event, Id, Recorded, Timestamp, task::Outcome};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use tokio::time::sleep;

use super::ground::Ground;

const LIMIT: usize = 4;
const TASKS: usize = 100;
const EXECUTORS: [&str; 3] = ["executor-1", "executor-2", "executor-3"];
const LEASE: Duration = Duration::from_secs(2);
/// What two busy cores take to start a process, and to announce what an end makes room for.
const SLACK: Duration = Duration::from_secs(3);
const SEED: u64 = 11;

/// Where a task is, as the events tell, without the rules of the domain.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Waiting,
    Announced,
    Running,
    Ended,
}

/// What an observer of the stream sees of limited tasks.
#[derive(Default)]
struct Observed {
    tasks: BTreeMap<Id, At>,
    now: Timestamp,
    /// Since when fewer are busy than could be.
    idle_since: Option<Timestamp>,
    idle_max: Duration,
    running_max: usize,
    busy_max: usize,
    lost: usize,
}

impl Observed {
    fn of(events: &[Arc<Recorded>]) -> Self {
        let mut observed = Self::default();
        for recorded in events {
            observed.take(recorded);
        }
        observed
    }

    fn take(&mut self, recorded: &Recorded) {
        let (id, at) = match &recorded.event {
            Event::TaskSpawned(spawned) if spawned.specification.name.as_str() == "nap" => {
                (recorded.id, At::Waiting)
            }
            Event::TaskReady(ready) => (ready.task_id, At::Announced),
            Event::TaskReceived(_) => (recorded.id, At::Running),
            Event::TaskAttemptFailed(failed) => {
                assert!(failed.error.is_loss(), "{failed:?}");
                self.lost += 1;
                (recorded.id, At::Waiting)
            }
            Event::TaskFinished(finished) => {
                assert_eq!(finished.outcome, Outcome::Ok, "{finished:?}");
                (recorded.id, At::Ended)
            }
            _ => return,
        };
        // Clocks of several processes are behind the stream: its order counts.
        self.now = self.now.max(recorded.metadata.at);
        if let Some(since) = self.idle_since {
            self.idle_max = self.idle_max.max(self.now.since(since));
        }
        self.tasks.insert(id, at);
        let (running, busy) =
            (self.count(At::Running), self.count(At::Running) + self.count(At::Announced));
        self.running_max = self.running_max.max(running);
        self.busy_max = self.busy_max.max(busy);
        self.idle_since = match self.idle_since {
            _ if busy >= LIMIT || self.count(At::Waiting) == 0 => None,
            since => since.or(Some(self.now)),
        };
    }

    fn count(&self, at: At) -> usize {
        self.tasks.values().filter(|it| **it == at).count()
    }
}

/// Kills executors and starts them again until all is done; how often.
async fn kill_until(ground: &mut Ground, is_over: impl Fn(&Ground) -> bool) -> usize {
    let mut random = StdRng::seed_from_u64(SEED);
    let start = Instant::now();
    let mut kills = 0;
    while !is_over(ground) {
        assert!(start.elapsed() < super::DEADLINE * 3, "{:?}", ended(ground).len());
        sleep(Duration::from_millis(random.random_range(200..1_200))).await;
        let service_id = EXECUTORS[random.random_range(0..EXECUTORS.len())];
        ground.processes.kill(service_id).await;
        kills += 1;
        sleep(Duration::from_millis(random.random_range(0..500))).await;
        ground.execute(service_id);
    }
    kills
}

fn ended(ground: &Ground) -> BTreeSet<Id> {
    let is_end = |recorded: &&Arc<Recorded>| matches!(recorded.event, Event::TaskFinished(_));
    ground.events.all().iter().filter(is_end).map(|recorded| recorded.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_and_is_used_while_executors_are_killed() {
    let mut ground = Box::pin(Ground::start(&format!("{}s", LEASE.as_secs()))).await;
    let nap = json!({
        "executable": {"type": "sleep", "duration": "300ms"},
        "retry": {"attempts": 1, "backoff": "1ms", "losses_max": 100},
    });
    ground.apply("Specification", "nap", nap).await;
    let limits = json!({"limits": {"naps": {"specification": "nap", "concurrency": LIMIT}}});
    ground.apply("Policy", "few", limits).await;
    for service_id in EXECUTORS {
        ground.execute(service_id);
    }
    let tasks = vec![json!({"specification": "nap"}); TASKS];
    ground.call::<TaskSpawnBatch>(json!({ "tasks": tasks })).await;
    let kills = kill_until(&mut ground, |ground| ended(ground).len() == TASKS).await;

    let observed = Observed::of(&ground.events.all());
    let Observed { idle_max, running_max, busy_max, lost, .. } = observed;
    eprintln!(
        "limit {LIMIT}, {TASKS} tasks, seed {SEED}: {kills} kills, {lost} attempts lost, up to \
         {running_max} ran and {busy_max} were busy, for {idle_max:?} at most fewer than could be"
    );
    assert_eq!((observed.tasks.len(), observed.count(At::Ended)), (TASKS, TASKS));
    assert!(kills > 5 && lost > 0, "nothing was put to the test");
    assert_eq!((running_max, busy_max), (LIMIT, LIMIT), "more than the limit, or it was not used");
    assert!(idle_max <= LEASE + SLACK, "{idle_max:?}: slots were not given again");
    Box::pin(ground.stop()).await;
}
