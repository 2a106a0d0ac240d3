//! What holds for every graph, every failure, every restart, in whatever order turns are taken.

use kantoku_domain::{
    Id, Task,
    dependency::{Cause, Readiness, Trigger, TriggerRule, Upstream},
    restart::{Action, Entry, OutputPolicy, Plan, Target, plan},
    task::{Cancel, Command, Outcome, Planned, Restart, Skipped, Status},
};
use proptest::prelude::*;

use super::{
    plans::request,
    world::{World, step, step_id},
};

/// How a random step reads, waits, runs.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
struct Shape {
    reads: u8,
    after: u8,
    rule: usize,
    fails: bool,
    fails_again: bool,
    delegates: bool,
    child_fails: bool,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let chance = |percent| prop::bool::weighted(f64::from(percent) / 100.0);
    let shape =
        (any::<u8>(), any::<u8>(), 0..12_usize, chance(25), chance(10), chance(20), chance(30));
    let shape =
        shape.prop_map(|(reads, after, rule, fails, fails_again, delegates, child_fails)| Shape {
            reads,
            after,
            rule,
            fails,
            fails_again,
            delegates,
            child_fails,
        });
    prop::collection::vec(shape, 1..8)
}

fn planned(n: usize, shape: &Shape) -> Planned {
    let names: Vec<String> = (0..n).map(|n| n.to_string()).collect();
    let chosen = |bits: u8| -> Vec<&str> {
        let is_chosen = |n: &usize| bits >> (n % 8) & 1 == 1;
        (0..n).rev().filter(is_chosen).take(2).map(|n| names[n].as_str()).collect()
    };
    let (reads, after) = (chosen(shape.reads), chosen(shape.after));
    let mut planned = step(&n.to_string(), &reads, &after);
    // Most steps have the usual rule.
    if let Some(rule) = TriggerRule::ALL.get(shape.rule).filter(|it| **it != TriggerRule::AllOk) {
        let of_input = |read: &&str| Upstream { task: step_id(read), inputs: vec![(*read).into()] };
        let of_step = |after: &&str| Upstream { task: step_id(after), inputs: vec![] };
        let only_after = after.iter().filter(|it| !reads.contains(it));
        let upstream: Vec<_> = reads.iter().map(of_input).chain(only_after.map(of_step)).collect();
        if !upstream.is_empty() {
            planned.task.when = Some(Trigger { rule: *rule, upstream });
            planned.task.depends_on = None;
        }
    }
    planned
}

fn world(shapes: &[Shape]) -> World {
    let mut world = World::default();
    for (n, shape) in shapes.iter().enumerate() {
        world.name(planned(n, shape));
        if shape.fails {
            world.failing.insert(n.to_string());
        }
        if shape.delegates {
            world.delegating.insert(n.to_string());
        }
        if shape.child_fails {
            world.failing.insert(format!("{n}/child"));
        }
    }
    world
}

fn targets(tasks: &[Id], choice: usize) -> Target {
    let task = tasks[choice / 4 % tasks.len()];
    match choice % 4 {
        0 => Target::Task(task),
        1 => Target::From(task),
        2 => Target::Failed,
        _ => Target::All,
    }
}

fn policies() -> impl Strategy<Value = OutputPolicy> {
    prop_oneof![Just(OutputPolicy::Reuse), Just(OutputPolicy::Reallocate)]
}

/// Turns in an order that `seed` decides: a linear congruential generator, constants of Knuth's
/// MMIX.
fn turns(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |turns| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % turns
    }
}

fn is_at_rest(world: &World) {
    for (id, (task, _)) in &world.tasks {
        assert!(task.status.is_terminal(), "{id} is {:?}: {task:?}", task.status);
    }
    for (id, (task, _)) in &world.tasks {
        if let Some(successor) = task.restarted_as {
            let spawned = world.task(successor).spawned.as_ref().expect("it was unfolded");
            assert_eq!(spawned.restart_parent, Some(*id));
        }
    }
    assert!(world.context.restarting.is_empty(), "every restart is settled");
}

/// It finished, or a rule chose otherwise, one that is about how others will end: some task to
/// blame has ended well.
fn has_run(world: &World, task: &Task) -> bool {
    let is_ok = |id: Id| world.task(id).outcome == Some(Outcome::Ok);
    let by_rule = |skipped: &Skipped| skipped.causes().any(is_ok);
    task.status == Status::Finished || task.skipped.as_ref().is_some_and(by_rule)
}

fn as_told(world: &World, entry: &Entry, task: &Task) -> bool {
    if entry.reason.contains("it will be skipped again") {
        task.status == Status::Skipped
    } else {
        has_run(world, task)
    }
}

fn check_outcome(world: &World, plan: &Plan) -> Result<(), TestCaseError> {
    for entry in &plan.entries {
        let (task, position) = &world.tasks[&entry.task_id];
        match entry.action {
            Action::Keep => prop_assert_eq!(*position, entry.position, "kept: {:?}", entry),
            Action::Skip => {
                prop_assert_eq!(*position, entry.position, "left out: {:?}", entry);
                prop_assert_eq!(task.restarted_as, None);
            }
            Action::Revive => {
                prop_assert!(as_told(world, entry, task), "revived: {:?} {:?}", entry, task);
                prop_assert_eq!(task.restarted_as, None);
            }
            Action::Rerun => {
                let successor = world.task(task.restarted_as.expect("restarted"));
                prop_assert!(as_told(world, entry, successor), "{:?} {:?}", entry, successor);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Nobody interferes, and what runs again ends well: then exactly the plan happens.
    #[test]
    fn a_plan_is_what_happens(
        shapes in shapes(), choice in 0..64_usize, outputs in policies(), seed in any::<u64>(),
    ) {
        let mut world = world(&shapes);
        let mut choose = turns(seed);
        world.run(&mut choose);
        is_at_rest(&world);
        world.failing.clear();
        // Again and again, until all is well or nothing more can be asked for.
        for round in 0..3 {
            let tasks: Vec<Id> = world.tasks.keys().copied().collect();
            let request = request(targets(&tasks, choice + 7 * round), outputs);
            let Ok(plan) = plan(&world.graph(), &request) else { continue };
            prop_assert!(plan.steps().any(|step| step.action == Action::Rerun), "{:#?}", plan);
            let order = plan.order("again", None, &[].into());
            prop_assert!(matches!(world.order(&order), Ok(Some(_))), "{:?}", plan);
            world.run(&mut choose);
            is_at_rest(&world);
            let superseded = world.settled.iter().find(|it| !it.superseded.is_empty());
            prop_assert_eq!(superseded, None, "{:#?}", plan);
            check_outcome(&world, &plan)?;
        }
    }

    /// After what failed was restarted and ended well, nothing is skipped because of a failure.
    #[test]
    fn restarting_what_failed_mends_everything(shapes in shapes(), seed in any::<u64>()) {
        let mut world = world(&shapes);
        let mut choose = turns(seed);
        world.run(&mut choose);
        world.failing.clear();
        for _ in 0..20 {
            let request = request(Target::Failed, OutputPolicy::Reuse);
            let Ok(plan) = plan(&world.graph(), &request) else { break };
            world.order(&plan.order("again", None, &[].into())).expect("accepted");
            world.run(&mut choose);
        }
        for (id, (task, _)) in &world.tasks {
            if task.skipped.is_some() {
                let now = world.readiness(*id);
                let by_rule =
                    matches!(&now, Readiness::Failed(hopeless) if hopeless.cause == Cause::Rule);
                prop_assert!(by_rule, "{:?} was skipped, and is now {:?}", task, now);
            }
        }
    }

    /// Everybody orders everything at once: no output is resolved twice, everything ends.
    #[test]
    fn whatever_is_ordered_at_once_comes_to_rest(
        shapes in shapes(),
        orders in prop::collection::vec((0..64_usize, 0..6_usize, 0..12_usize, policies()), 1..8),
        seed in any::<u64>(),
    ) {
        let mut world = world(&shapes);
        let mut choose = turns(seed);
        for (choice, what, pause, outputs) in orders {
            world.run_some(pause * 4, &mut choose);
            if world.tasks.is_empty() {
                continue;
            }
            let tasks: Vec<Id> = world.tasks.keys().copied().collect();
            let task = tasks[choice / 4 % tasks.len()];
            match what {
                0 => drop(world.send(task, &Command::Cancel(Cancel::because("enough")))),
                1 => {
                    let restart = Restart { outputs, ..Restart::default() };
                    drop(world.send(task, &Command::Restart(Box::new(restart))));
                }
                _ => {
                    let request = request(targets(&tasks, choice), outputs);
                    if let Ok(plan) = plan(&world.graph(), &request) {
                        // A plan may be old by the time when it is ordered.
                        world.run_some(pause, &mut choose);
                        drop(world.order(&plan.order("again", None, &[].into())));
                    }
                }
            }
            if shapes[choice % shapes.len()].fails_again {
                world.failing.clear();
            }
        }
        world.run(&mut choose);
        is_at_rest(&world);
        // Every result of a task that ended well is there, by itself or by whom it delegated to.
        for (task, _) in world.tasks.values() {
            let is_ok = task.outcome == Some(Outcome::Ok) && task.delegated.is_empty();
            let outputs = task.spawned.iter().flat_map(|it| it.outputs.values());
            for output in outputs.filter(|_| is_ok) {
                prop_assert_eq!(world.resolved.get(&output.id), Some(&1));
            }
        }
    }
}
