//! Restarts of a pipeline of 200 tasks: what the plan says is done, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use kantoku_api::{
    ClientError,
    contract::{ContextGet, ContextRestart, ContextWait, ContextWaited, ResourceList, Restarted},
};
use kantoku_domain::{
    Event, Id, Kind, Recorded,
    restart::{Action, Plan},
    task::Outcome,
};
use kantoku_projections::document::{ContextStatus, ResourceDocument};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ground::Ground;

const LAYERS: usize = 10;
const WIDTH: usize = 20;
/// Two steps in the middle that fail unless there is a file for each: its content is what they
/// write. What comes after the one does not come after the other.
const FRAGILE: [usize; 2] = [5 * WIDTH, 5 * WIDTH + 10];

fn name(step: usize) -> String {
    format!("s{step:03}")
}

/// The steps that `step` reads: the one above it, and the one beside that.
fn reads(step: usize) -> Option<[usize; 2]> {
    let above = step.checked_sub(WIDTH)?;
    Some([above, above / WIDTH * WIDTH + (above + 1) % WIDTH])
}

/// The steps that come after `step`.
fn after(step: usize) -> BTreeSet<usize> {
    let mut after = BTreeSet::new();
    for later in step + 1..LAYERS * WIDTH {
        let comes_after = |read: &usize| *read == step || after.contains(read);
        if reads(later).is_some_and(|reads| reads.iter().any(comes_after)) {
            after.insert(later);
        }
    }
    after
}

fn names(steps: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    steps.into_iter().map(name).collect()
}

/// A run of the pipeline, and the files that decide about it.
struct Grid {
    ground: Ground,
    files: [PathBuf; 2],
    context_id: Id,
}

/// Of each step the task that is current, with the position of its last event.
type Tasks = BTreeMap<String, (Id, u64)>;

impl Grid {
    async fn start() -> Self {
        let mut ground = Box::pin(Ground::start("2s")).await;
        let pass = json!({
            "inputs": {"x": "number", "y": {"optional": "number"}}, "outputs": {"x": "number"},
            "executable": {"type": "noop"},
        });
        ground.apply("Specification", "pass", pass).await;
        let files = FRAGILE
            .map(|step| std::env::temp_dir().join(format!("ktk-grid-{}-{step}", Uuid::new_v4())));
        for (step, file) in FRAGILE.into_iter().zip(&files) {
            let fragile = json!({
                "inputs": {"x": "number", "y": {"optional": "number"}}, "outputs": {"x": "number"},
                "executable": {"type": "process", "command": [
                    "sh", "-c", "n=$(cat \"$0\") && echo \"{\\\"x\\\": $n}\"", file,
                ]},
            });
            ground.apply("Specification", &format!("fragile-{step}"), fragile).await;
        }
        let task = |step: usize| {
            let with = match reads(step) {
                None => json!({"x": step}),
                Some([x, y]) => {
                    json!({"x": format!("${}.x", name(x)), "y": format!("${}.x", name(y))})
                }
            };
            let fragile = FRAGILE.contains(&step).then(|| format!("fragile-{step}"));
            json!({"use": fragile.unwrap_or_else(|| "pass".into()), "with": with})
        };
        let steps = LAYERS * WIDTH;
        let tasks: serde_json::Map<_, _> = (0..steps).map(|n| (name(n), task(n))).collect();
        let last = steps - WIDTH..steps;
        let outputs: serde_json::Map<_, _> =
            last.map(|n| (name(n), json!(format!("${}.x", name(n))))).collect();
        let pipeline = json!({"tasks": tasks, "outputs": outputs});
        ground.apply("Pipeline", "grid", pipeline).await;
        ground.execute("executor");
        Self { ground, files, context_id: Id::default() }
    }

    /// Runs it to its end.
    async fn run(&mut self) -> ContextWaited {
        self.context_id = self.ground.run("grid", json!({})).await.context_id;
        self.end().await
    }

    async fn end(&self) -> ContextWaited {
        let params = json!({"id": self.context_id, "timeout": "2m"});
        let waited = self.ground.call::<ContextWait>(params).await;
        assert!(waited.done, "{:?}", waited.context);
        waited
    }

    fn write(&self, file: usize, value: u64) {
        fs::write(&self.files[file], value.to_string()).expect("written");
    }

    fn remove(&self, file: usize) {
        fs::remove_file(&self.files[file]).expect("removed");
    }

    /// Of each step the task that is current, as the events tell.
    fn tasks(&self) -> Tasks {
        let mut tasks = Tasks::new();
        let mut steps = BTreeMap::new();
        for recorded in self.ground.events.all() {
            if recorded.metadata.correlation_id != self.context_id {
                continue;
            }
            if let Event::TaskSpawned(spawned) = &recorded.event {
                let step = spawned.step.clone().expect("a step of the pipeline");
                steps.insert(recorded.id, step);
            }
            let is_state = !matches!(recorded.event, Event::TaskReady(_));
            if let Some(step) = steps.get(&recorded.id).filter(|_| is_state) {
                let place = tasks.entry(step.clone()).or_insert((recorded.id, 0));
                // A successor is spawned after the event that named it.
                if place.0 == recorded.id || matches!(recorded.event, Event::TaskSpawned(_)) {
                    *place = (recorded.id, recorded.stream_seq);
                }
            }
        }
        tasks
    }

    async fn resources(&self, min_seq: u64) -> BTreeMap<Id, ResourceDocument> {
        let params = json!({"limit": 1_000, "min_seq": min_seq});
        let page = self.ground.call::<ResourceList>(params).await;
        assert_eq!(page.next_cursor, None, "they fit on one page");
        page.items.into_iter().map(|document| (document.id, document)).collect()
    }

    async fn try_restart(&self, request: &Value) -> Result<Restarted, ClientError> {
        let mut params = request.clone();
        params["id"] = json!(self.context_id);
        self.ground.try_call::<ContextRestart>(params).await
    }

    /// Shows a restart, does just that, and finds that to have happened and nothing else; how it
    /// ended.
    async fn restart(&self, request: Value, expected: &Expected) -> ContextWaited {
        let before = self.tasks();
        let head = self.ground.bus.head().await.expect("the stream answers");
        let resources = self.resources(head).await;
        let mut shown = request.clone();
        shown["dry_run"] = json!(true);
        let shown = self.try_restart(&shown).await.expect("shown");
        assert_eq!(shown.stream_seq, None, "nothing was done");
        assert_eq!(self.ground.bus.head().await.expect("the stream answers"), head);
        expected.check(&shown.plan, &before);

        let mut done = request;
        done["plan"] = serde_json::to_value(&shown.plan).expect("JSON");
        done["reason"] = json!("again");
        let done = self.try_restart(&done).await.expect("accepted");
        assert_eq!((&done.plan, done.superseded.len()), (&shown.plan, 0));
        let min_seq = done.stream_seq.expect("it was done");
        self.ground.call::<ContextGet>(json!({"id": self.context_id, "min_seq": min_seq})).await;
        let ended = self.end().await;
        let is_last = |recorded: &Recorded| recorded.stream_seq >= ended.as_of_seq;
        let all_read = |recorded: &Recorded| is_last(recorded).then_some(());
        self.ground.events.until("all of it is read", all_read).await;
        expected.check_events(self, &before, head);
        let now = self.resources(ended.as_of_seq).await;
        for (id, document) in &resources {
            let is_touched = expected.touched().any(|step| {
                let old = before[step].0;
                *id == old.derive("x", old.partition()) || document.custodian == Some(old)
            });
            assert!(is_touched || now[id] == *document, "{document:?} became {:?}", now[id]);
        }
        ended
    }

    async fn stop(self) {
        for file in &self.files {
            fs::remove_file(file).ok();
        }
        Box::pin(self.ground.stop()).await;
    }
}

/// What is to become of which steps; all others are kept.
#[derive(Default)]
struct Expected {
    rerun: BTreeSet<String>,
    revive: BTreeSet<String>,
    skip: BTreeSet<String>,
}

impl Expected {
    fn touched(&self) -> impl Iterator<Item = &String> {
        self.rerun.iter().chain(&self.revive)
    }

    /// The plan has every task once, says why, and on which state of it that was decided.
    fn check(&self, plan: &Plan, tasks: &Tasks) {
        let mut planned: BTreeMap<Action, BTreeSet<String>> = BTreeMap::new();
        for entry in &plan.entries {
            let step = entry.step.clone().expect("a step");
            assert_eq!((entry.task_id, entry.position), tasks[&step], "{entry:?}");
            assert!(!entry.reason.is_empty(), "{entry:?}");
            assert!(planned.entry(entry.action).or_default().insert(step), "{entry:?}");
        }
        let of = |action: Action| planned.get(&action).cloned().unwrap_or_default();
        assert_eq!(of(Action::Rerun), self.rerun);
        assert_eq!(of(Action::Revive), self.revive);
        assert_eq!(of(Action::Skip), self.skip);
        assert_eq!(plan.entries.len(), LAYERS * WIDTH);
        let keep = of(Action::Keep).len();
        eprintln!(
            "the plan: {keep} keep, {} rerun, {} revive, {} skip",
            self.rerun.len(),
            self.revive.len(),
            self.skip.len()
        );
    }

    /// What happened since `head`: successors of those that run again, the revived, and nobody else.
    fn check_events(&self, grid: &Grid, before: &Tasks, head: u64) {
        let now = grid.tasks();
        let mut received = BTreeSet::new();
        let mut touched = BTreeSet::new();
        for recorded in grid.ground.events.all().iter().filter(|it| it.stream_seq > head) {
            if recorded.aggregate == Kind::Task {
                touched.insert(recorded.id);
            }
            if let Event::TaskReceived(_) = recorded.event {
                assert!(received.insert(recorded.id), "{} was received twice", recorded.id);
            }
        }
        let run: BTreeSet<Id> = self.touched().map(|step| now[step].0).collect();
        assert_eq!(received, run, "those of the plan run, each once");
        let replaced = self.rerun.iter().map(|step| before[step].0);
        assert_eq!(touched, run.iter().copied().chain(replaced).collect(), "and nobody else");
        for step in &self.rerun {
            assert_ne!(now[step].0, before[step].0, "{step} has a successor");
        }
        for step in &self.revive {
            assert_eq!(now[step].0, before[step].0, "{step} itself waited again");
        }
    }
}

/// How many tasks ended ok, failed and were skipped.
fn counts(waited: &ContextWaited) -> (u64, u64, u64) {
    let tasks = &waited.context.tasks;
    (tasks.ok, tasks.failed, tasks.skipped)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_failed_runs_again_and_then_all_from_a_step_on() {
    let mut grid = Box::pin(Grid::start()).await;
    let broken = FRAGILE[0];
    let cone = names(after(broken));
    assert_eq!(cone.len(), 14);
    grid.write(1, 7);
    let failed = grid.run().await;
    assert_eq!((failed.context.status, counts(&failed)), (ContextStatus::Failed, (185, 1, 14)));

    grid.write(0, 1_000);
    let expected = Expected { rerun: names([broken]), revive: cone.clone(), ..Expected::default() };
    let ended = grid.restart(json!({"target": "failed"}), &expected).await;
    assert_eq!((ended.context.status, counts(&ended)), (ContextStatus::Ok, (200, 0, 0)));
    assert_eq!(ended.context.outputs, failed.context.outputs, "the same resources");
    let below = name(broken + 4 * WIDTH);
    assert_eq!(ended.outputs[&below], json!(1_000));

    // An output is resolved once: to run again what has finished ok, fresh ones are needed.
    let request = json!({"target": {"from": name(broken)}, "outputs": "reuse"});
    let error = grid.try_restart(&request).await.expect_err("refused").to_string();
    assert!(error.contains("outputs reallocate"), "{error}");

    grid.write(0, 2_000);
    let rerun = &names([broken]) | &cone;
    let expected = Expected { rerun: rerun.clone(), ..Expected::default() };
    let request = json!({"target": {"from": name(broken)}, "outputs": "reallocate"});
    let again = grid.restart(request, &expected).await;
    assert_eq!((again.context.status, counts(&again)), (ContextStatus::Ok, (200, 0, 0)));
    assert_eq!(again.outputs[&below], json!(2_000));
    for (output, id) in &again.context.outputs {
        let is_moved = *id != ended.context.outputs[output];
        assert_eq!(is_moved, rerun.contains(output), "{output}");
        assert!(is_moved || again.outputs[output] == ended.outputs[output], "{output}");
    }
    Box::pin(grid.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_step_on_what_fails_elsewhere_stays_as_it_is() {
    let mut grid = Box::pin(Grid::start()).await;
    let [one, other] = FRAGILE;
    let failed = grid.run().await;
    assert_eq!((failed.context.status, counts(&failed)), (ContextStatus::Failed, (170, 2, 28)));

    grid.write(0, 1_000);
    let expected =
        Expected { rerun: names([one]), revive: names(after(one)), skip: names(after(other)) };
    let request = json!({"target": {"from": name(one)}, "outputs": "reuse"});
    let better = grid.restart(request, &expected).await;
    assert_eq!((better.context.status, counts(&better)), (ContextStatus::Failed, (185, 1, 14)));

    // What fails again is restarted again: its successor is what has failed now.
    let expected =
        Expected { rerun: names([other]), revive: names(after(other)), ..Expected::default() };
    let request = json!({"target": "failed", "outputs": "reuse"});
    let before = grid.tasks();
    let shown = grid.try_restart(&json!({"dry_run": true})).await.expect("shown");
    expected.check(&shown.plan, &before);
    grid.write(1, 7);
    let ended = grid.restart(request, &expected).await;
    assert_eq!((ended.context.status, counts(&ended)), (ContextStatus::Ok, (200, 0, 0)));

    // The same plan once more was overtaken by itself.
    let late = json!({"plan": shown.plan, "reason": "once more"});
    let error = grid.try_restart(&late).await.expect_err("refused").to_string();
    let successor = grid.tasks()[&name(other)].0.to_string();
    assert!(error.contains(&successor), "{error}: it names the winner");
    let all_ok = |recorded: &Recorded| !matches!(&recorded.event, Event::TaskFinished(it) if it.outcome == Outcome::Failed);
    let failures = grid.ground.events.all().iter().filter(|it| !all_ok(it)).count();
    assert_eq!(failures, 2, "each of the two failed once");
    grid.remove(0);
    Box::pin(grid.stop()).await;
}
