//! Restarts of a pipeline of 200 tasks: what the plan says is done, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_api::contract::{ContextGet, ContextWaited};
use kantoku_domain::{
    Event, Id, Kind, Recorded,
    restart::{Action, Plan},
    task::Outcome,
};
use kantoku_projections::document::ContextStatus;
use serde_json::{Value, json};

use super::grid::{FRAGILE, Grid, LAYERS, Tasks, WIDTH, after, name, names};

/// Shows a restart, does just that, and finds that to have happened and nothing else; how it
/// ended.
async fn restart(grid: &Grid, request: Value, expected: &Expected) -> ContextWaited {
    let before = grid.tasks();
    let head = grid.ground.bus.head().await.expect("the stream answers");
    let resources = grid.resources(head).await;
    let mut shown = request.clone();
    shown["dry_run"] = json!(true);
    let shown = grid.try_restart(&shown).await.expect("shown");
    assert_eq!(shown.stream_seq, None, "nothing was done");
    assert_eq!(grid.ground.bus.head().await.expect("the stream answers"), head);
    expected.check(&shown.plan, &before);

    let mut done = request;
    done["plan"] = serde_json::to_value(&shown.plan).expect("JSON");
    done["reason"] = json!("again");
    let done = grid.try_restart(&done).await.expect("accepted");
    assert_eq!((&done.plan, done.superseded.len()), (&shown.plan, 0));
    let min_seq = done.stream_seq.expect("it was done");
    grid.ground.call::<ContextGet>(json!({"id": grid.context_id, "min_seq": min_seq})).await;
    let ended = grid.end().await;
    let is_last = |recorded: &Recorded| recorded.stream_seq >= ended.as_of_seq;
    let all_read = |recorded: &Recorded| is_last(recorded).then_some(());
    grid.ground.events.until("all of it is read", all_read).await;
    expected.check_events(grid, &before, head);
    let now = grid.resources(ended.as_of_seq).await;
    for (id, document) in &resources {
        let is_touched = expected.touched().any(|step| {
            let old = before[step].0;
            *id == old.derive("x", old.partition()) || document.custodian == Some(old)
        });
        assert!(is_touched || now[id] == *document, "{document:?} became {:?}", now[id]);
    }
    ended
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
    let ended = restart(&grid, json!({"target": "failed"}), &expected).await;
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
    let again = restart(&grid, request, &expected).await;
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
    let better = restart(&grid, request, &expected).await;
    assert_eq!((better.context.status, counts(&better)), (ContextStatus::Failed, (185, 1, 14)));

    // What fails again is restarted again: its successor is what has failed now.
    let expected =
        Expected { rerun: names([other]), revive: names(after(other)), ..Expected::default() };
    let request = json!({"target": "failed", "outputs": "reuse"});
    let before = grid.tasks();
    let shown = grid.try_restart(&json!({"dry_run": true})).await.expect("shown");
    expected.check(&shown.plan, &before);
    grid.write(1, 7);
    let ended = restart(&grid, request, &expected).await;
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
