//! A limit while processors are killed: never more at once than it allows, and not for long fewer.

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

use super::{
    DEADLINE,
    ground::{Ground, NODE, STAND_BY},
};

const LIMIT: usize = 4;
const TASKS: usize = 100;
const EXECUTORS: [&str; 3] = ["executor-1", "executor-2", "executor-3"];
/// No shorter than what is in the hands of an executor that was killed is with others again.
const LEASE: Duration = Duration::from_secs(5);
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

/// For how long at most something was so.
#[derive(Default)]
struct Longest {
    since: Option<Timestamp>,
    longest: Duration,
}

impl Longest {
    fn is(&mut self, so: bool, now: Timestamp) {
        if let Some(since) = self.since {
            self.longest = self.longest.max(now.since(since));
        }
        self.since = if so { self.since.or(Some(now)) } else { None };
    }
}

/// What an observer of the stream sees of limited tasks.
#[derive(Default)]
struct Observed {
    tasks: BTreeMap<Id, At>,
    now: Timestamp,
    running_max: usize,
    /// Those that are announced count, too.
    busy_max: usize,
    /// Fewer run, or are busy, than could.
    few_run: Longest,
    few_busy: Longest,
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
            Event::TaskSpawned(_) => (recorded.id, At::Waiting),
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
        self.tasks.insert(id, at);
        // The order of the stream counts; clocks of several processes are read beside it.
        self.now = self.now.max(recorded.metadata.at);
        let running = self.count(At::Running);
        let busy = running + self.count(At::Announced);
        let left = self.tasks.len() - self.count(At::Ended);
        self.running_max = self.running_max.max(running);
        self.busy_max = self.busy_max.max(busy);
        self.few_run.is(running < LIMIT.min(left), self.now);
        self.few_busy.is(busy < LIMIT.min(left), self.now);
    }

    fn count(&self, at: At) -> usize {
        self.tasks.values().filter(|it| **it == at).count()
    }
}

fn ended(ground: &Ground) -> usize {
    let events = ground.events.all();
    events.iter().filter(|it| matches!(it.event, Event::TaskFinished(_))).count()
}

/// Kills these services and starts them again, some of them late, until all is done; how often.
async fn kill_until_done(ground: &mut Ground, services: &[&'static str]) -> usize {
    let mut random = StdRng::seed_from_u64(SEED);
    let start = Instant::now();
    let mut down = BTreeSet::new();
    let mut kills = 0;
    while ended(ground) < TASKS {
        assert!(start.elapsed() < 3 * DEADLINE, "{} of {TASKS} have ended", ended(ground));
        sleep(Duration::from_millis(random.random_range(100..700))).await;
        let service_id = services[random.random_range(0..services.len())];
        if down.remove(service_id) {
            ground.start_again(service_id);
            continue;
        }
        ground.processes.kill(service_id).await;
        kills += 1;
        if random.random_bool(0.3) {
            down.insert(service_id);
        } else {
            sleep(Duration::from_millis(random.random_range(0..300))).await;
            ground.start_again(service_id);
        }
    }
    kills
}

/// What was to be seen of a limit while these services were killed.
async fn observe(services: &[&'static str]) -> Observed {
    let mut ground = Box::pin(Ground::start(&format!("{}s", LEASE.as_secs()))).await;
    let nap = json!({
        "executable": {"type": "sleep", "duration": "500ms"},
        "retry": {"attempts": 1, "backoff": "1ms", "losses_max": 100},
    });
    ground.apply("Specification", "nap", nap).await;
    let limits = json!({"limits": {"naps": {"specification": "nap", "concurrency": LIMIT}}});
    ground.apply("Policy", "few", limits).await;
    for service_id in EXECUTORS {
        ground.execute(service_id);
    }
    if services.contains(&STAND_BY) {
        ground.start_again(STAND_BY);
    }
    let tasks = vec![json!({"specification": "nap"}); TASKS];
    ground.call::<TaskSpawnBatch>(json!({ "tasks": tasks })).await;
    let kills = kill_until_done(&mut ground, services).await;
    let observed = Observed::of(&ground.events.all());
    Box::pin(ground.stop()).await;
    let Observed { running_max, busy_max, lost, few_run, few_busy, .. } = &observed;
    eprintln!(
        "limit {LIMIT}, {TASKS} tasks, seed {SEED}: {kills} kills, {lost} attempts lost; up to \
         {running_max} ran and {busy_max} were busy; fewer than could be ran for {:?} at most, and \
         were busy for {:?}",
        few_run.longest, few_busy.longest
    );
    assert_eq!((observed.tasks.len(), observed.count(At::Ended)), (TASKS, TASKS));
    assert!(kills > 5 && *lost > 0, "nothing was put to the test");
    observed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_and_is_used_while_executors_are_killed() {
    let observed = Box::pin(observe(&EXECUTORS)).await;
    let Observed { running_max, busy_max, few_run, few_busy, .. } = observed;
    assert_eq!((running_max, busy_max), (LIMIT, LIMIT), "more than the limit, or it was not used");
    let longest = few_busy.longest.max(few_run.longest);
    assert!(longest <= LEASE + SLACK, "{longest:?}: slots were not given again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_while_the_scheduler_is_killed_too() {
    let [one, two, three] = EXECUTORS;
    let observed = Box::pin(observe(&[NODE, one, NODE, two, NODE, three])).await;
    let Observed { running_max, busy_max, .. } = observed;
    assert_eq!((running_max, busy_max), (LIMIT, LIMIT), "more than the limit, or it was not used");
}

/// Each of the two takes over whenever the other is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_while_two_schedulers_are_killed_in_turn() {
    let [one, two, three] = EXECUTORS;
    let services = [NODE, STAND_BY, one, NODE, STAND_BY, two, three];
    let observed = Box::pin(observe(&services)).await;
    let Observed { running_max, busy_max, .. } = observed;
    assert_eq!((running_max, busy_max), (LIMIT, LIMIT), "more than the limit, or it was not used");
}
