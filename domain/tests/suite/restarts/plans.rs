//! The planner: what becomes of each task and why, and that it is what happens.

use kantoku_domain::{
    Aggregate, Envelope, Event, Id, Reason, Rejection, Timestamp, context,
    dependency::{Trigger, TriggerRule, Upstream},
    restart::{
        Action, Node, Order, OutputPolicy, Plan, Request, Target, Unfolding, VersionPolicy, plan,
        successor_id,
    },
    task::{Cancel, Command, Outcome, Status},
};

use super::world::{World, context_id, output_of, step, step_id};
use crate::scenario::uuid_like::id;

pub(super) fn request(target: Target, outputs: OutputPolicy) -> Request {
    Request {
        target,
        outputs,
        version: VersionPolicy::Same,
        specifications: [].into(),
        now: Timestamp::default(),
    }
}

fn ask(world: &World, target: Target, outputs: OutputPolicy) -> Result<Plan, Rejection> {
    plan(&world.graph(), &request(target, outputs))
}

/// What becomes of each step, by name.
fn actions(plan: &Plan) -> Vec<(&str, Action)> {
    plan.entries.iter().map(|it| (it.step.as_deref().unwrap_or_default(), it.action)).collect()
}

fn reason<'a>(plan: &'a Plan, step: &str) -> &'a str {
    let entry = plan.entries.iter().find(|it| it.step.as_deref() == Some(step));
    &entry.expect("an entry").reason
}

/// a → b → c, where b fails.
fn chain() -> World {
    let mut world = World::new(&["b"], &[]);
    for planned in [step("a", &[], &[]), step("b", &["a"], &[]), step("c", &["b"], &[])] {
        world.name(planned);
    }
    world.outputs.insert("result".into(), output_of(step_id("c")));
    world.run(&mut |_| 0);
    world.failing.clear();
    world
}

fn carry_out(world: &mut World, plan: &Plan) -> Order {
    let order = plan.order("again", None, &[].into());
    world.order(&order).expect("accepted").expect("an event");
    world.run(&mut |_| 0);
    order
}

#[track_caller]
fn is_ok(world: &World, id: Id) {
    assert_eq!(world.task(id).outcome, Some(Outcome::Ok), "{:?}", world.task(id));
}

const REUSE: OutputPolicy = OutputPolicy::Reuse;
const REALLOCATE: OutputPolicy = OutputPolicy::Reallocate;

#[test]
fn what_failed_runs_again_and_what_was_skipped_for_it_comes_back() {
    let mut world = chain();
    let [a, b, c] = ["a", "b", "c"].map(step_id);
    let before = world.position(a);
    let plan = ask(&world, Target::Failed, REUSE).expect("a plan");
    assert_eq!(actions(&plan), [("a", Action::Keep), ("b", Action::Rerun), ("c", Action::Revive)]);
    assert_eq!(reason(&plan, "b"), "it failed");
    assert_eq!(reason(&plan, "c"), "it was skipped because of step \"b\", which runs again");
    assert!(plan.entries.iter().all(|it| it.position == world.position(it.task_id)));
    assert!(plan.results.is_empty());

    let order = carry_out(&mut world, &plan);
    assert!(matches!(order, Order::Task(task, _) if task == b), "one event on its own subject");
    assert_eq!(world.position(a), before, "untouched");
    let successor = world.task(b).restarted_as.expect("restarted");
    is_ok(&world, successor);
    is_ok(&world, c);
    assert_eq!(world.task(successor).spawned.as_ref().expect("it").outputs["out"].id, output_of(b));
    let nothing = ask(&world, Target::Failed, REUSE).expect_err("all is well");
    assert_eq!(nothing.reason, Reason::WrongState);
}

#[test]
fn with_fresh_outputs_all_that_reads_them_runs_again() {
    let mut world = chain();
    let [a, b, c] = ["a", "b", "c"].map(step_id);
    let plan = ask(&world, Target::Task(b), REALLOCATE).expect("a plan");
    assert_eq!(actions(&plan), [("a", Action::Keep), ("b", Action::Rerun), ("c", Action::Rerun)]);
    assert_eq!(reason(&plan, "c"), "step \"b\" runs again, and it reads its fresh outputs");
    let Order::Context(_, _) = carry_out(&mut world, &plan) else { panic!("of the context") };
    let [new_b, new_c] = [b, c].map(|it| world.task(it).restarted_as.expect("restarted"));
    is_ok(&world, new_b);
    is_ok(&world, new_c);
    let reads = world.task(new_c).spawned.as_ref().expect("it").inputs["b"].resource();
    assert_eq!(reads, Some(output_of(new_b)));
    assert_eq!(world.outputs["result"], output_of(new_c), "the pipeline's result has moved");
    assert_eq!(world.settled.len(), 1);
    assert_eq!(world.settled[0].superseded, []);
    assert_eq!(world.task(a).restarted_as, None);

    // Now all is well, and runs again from the start.
    let plan = ask(&world, Target::From(a), REALLOCATE).expect("a plan");
    assert_eq!(actions(&plan), ["a", "b", "c"].map(|it| (it, Action::Rerun)));
    carry_out(&mut world, &plan);
    is_ok(&world, world.head(c));
    assert_ne!(world.head(c), new_c);
    assert_eq!(world.outputs["result"], output_of(world.head(c)));
}

#[test]
fn a_plan_that_was_shown_is_the_plan_that_is_run() {
    let mut world = chain();
    let plan = ask(&world, Target::All, REALLOCATE).expect("a plan");
    let shown = serde_json::to_string(&plan).expect("JSON");
    let plan: Plan = serde_json::from_str(&shown).expect("readable");
    carry_out(&mut world, &plan);
    for entry in plan.steps() {
        is_ok(&world, world.task(entry.task_id).restarted_as.expect("restarted"));
    }
}

#[test]
fn what_stays_impossible_stays_skipped() {
    let mut world = World::new(&["a", "b"], &[]);
    for planned in [
        step("a", &[], &[]),
        step("b", &[], &[]),
        step("both", &["a", "b"], &[]),
        step("last", &["both"], &[]),
    ] {
        world.name(planned);
    }
    world.run(&mut |_| 0);
    world.failing.clear();
    let first = world.task(step_id("both")).skipped.clone().expect("skipped").root_cause;
    let (first, second) = if first == step_id("a") { ("a", "b") } else { ("b", "a") };
    let plan = ask(&world, Target::Task(step_id(first)), REUSE).expect("a plan");
    assert_eq!(reason(&plan, "both"), format!("it would be skipped again: input {second}"));
    assert_eq!(reason(&plan, "last"), "it would be skipped again: input both");
    let before = world.position(step_id("both"));
    carry_out(&mut world, &plan);
    assert_eq!(world.position(step_id("both")), before);

    let rejection = ask(&world, Target::Task(step_id("last")), REUSE).expect_err("refused");
    assert!(rejection.message.contains("would be skipped again: input both"), "{rejection}");
    // Now that the other runs again, too, all of it comes back.
    let plan = ask(&world, Target::Failed, REUSE).expect("a plan");
    let revived: Vec<_> = plan.entries.iter().filter(|it| it.action == Action::Revive).collect();
    assert_eq!(revived.len(), 2);
    carry_out(&mut world, &plan);
    is_ok(&world, step_id("last"));
}

#[test]
fn the_custodian_of_a_delegated_output_is_named_and_both_run_again_on_fresh_ones() {
    let mut world = World::new(&["p/child"], &["p"]);
    world.name(step("p", &[], &[]));
    world.name(step("reader", &["p"], &[]));
    world.run(&mut |_| 0);
    world.failing.clear();
    let p = step_id("p");
    let child = world.task(p).children[0];
    assert_eq!(world.task(step_id("reader")).skipped.as_ref().expect("skipped").root_cause, child);

    let rejection = ask(&world, Target::Task(p), REUSE).expect_err("refused");
    assert_eq!(rejection.reason, Reason::NotCustodian);
    assert!(rejection.message.contains(&format!("ktk restart task/{child}")), "{rejection}");

    let plan = ask(&world, Target::Failed, REUSE).expect("a plan");
    assert_eq!(
        actions(&plan),
        [("p", Action::Keep), ("p/child", Action::Rerun), ("reader", Action::Revive)]
    );
    let plan = ask(&world, Target::Task(p), REALLOCATE).expect("a plan");
    let mut both = actions(&plan);
    both.sort_unstable();
    assert_eq!(both, [("p", Action::Rerun), ("p/child", Action::Skip), ("reader", Action::Rerun)]);
    assert_eq!(reason(&plan, "p/child"), "its parent runs again and spawns another in its place");
    carry_out(&mut world, &plan);
    is_ok(&world, world.head(step_id("reader")));
    // The old child has failed, but nobody cares for it any more.
    let nothing = ask(&world, Target::Failed, REUSE).expect_err("nothing to do");
    assert_eq!(nothing.message, "nothing of the context has failed");
}

#[test]
fn a_child_alone_runs_again_with_fresh_outputs_and_its_readers_follow() {
    let mut world = World::new(&["p/child"], &["p"]);
    world.name(step("p", &[], &[]));
    world.name(step("reader", &["p"], &[]));
    world.run(&mut |_| 0);
    world.failing.clear();
    let child = world.task(step_id("p")).children[0];
    let plan = ask(&world, Target::Task(child), REALLOCATE).expect("a plan");
    assert_eq!(
        actions(&plan),
        [("p", Action::Keep), ("p/child", Action::Rerun), ("reader", Action::Rerun)]
    );
    carry_out(&mut world, &plan);
    is_ok(&world, world.head(step_id("reader")));
}

/// The steps that will be found overtaken if nothing else happens.
fn foreseen(world: &World, restarted: &context::Restarted) -> Vec<context::Superseded> {
    let mut unfolding = Unfolding::new(restarted.clone());
    while let Some(id) = unfolding.next(1).first().map(|step| step.task_id) {
        let (task, position) = &world.tasks[&id];
        if unfolding.look(id, *position, task, None).is_some() {
            unfolding.assume(id);
        }
    }
    match unfolding.settled() {
        Some(context::Command::SettleRestart(settled)) => settled.superseded,
        other => panic!("every step is decided: {other:?}"),
    }
}

#[test]
fn a_step_that_somebody_overtook_is_reported_and_so_is_what_depends_on_it() {
    let mut world = chain();
    let [b, c] = ["b", "c"].map(step_id);
    let plan = ask(&world, Target::Task(b), REALLOCATE).expect("a plan");
    let event = world.order(&plan.order("again", None, &[].into())).expect("accepted");
    let Some(Event::ContextRestarted(restarted)) = event else { panic!("{event:?}") };
    assert_eq!(foreseen(&world, &restarted), [], "nobody was faster yet");
    // Before the first step, somebody restarts b himself.
    let reuse = ask(&world, Target::Task(b), REUSE).expect("a plan");
    let other = reuse.order("mine", None, &[].into());
    world.order(&other).expect("accepted").expect("an event");
    let winner = world.task(b).restarted_as.expect("restarted");
    let expected_by_then = foreseen(&world, &restarted);
    world.run(&mut |_| 0);
    assert_eq!(world.settled[0].superseded, expected_by_then);
    let superseded: Vec<_> =
        world.settled[0].superseded.iter().map(|it| (it.task_id, it.reason.as_str())).collect();
    let mut expected = [
        (b, format!("it was restarted meanwhile, as {winner}")),
        (c, format!("what it was to read comes from {b}, which was overtaken")),
    ];
    expected.sort_unstable();
    assert_eq!(superseded, expected.each_ref().map(|(id, why)| (*id, why.as_str())));
    is_ok(&world, winner);
    is_ok(&world, c);
    assert!(world.context.restarting.is_empty());
}

#[test]
fn of_two_plans_for_one_state_the_first_wins() {
    let mut world = chain();
    let b = step_id("b");
    let plan = ask(&world, Target::Task(b), REALLOCATE).expect("a plan");
    let order = |plan: &Plan| plan.order("again", None, &[].into());
    let Ok(Some(Event::ContextRestarted(first))) = world.order(&order(&plan)) else {
        panic!("restarted")
    };
    let rejection = world.order(&order(&plan)).expect_err("refused");
    assert_eq!(rejection.reason, Reason::AlreadyRestarted);
    assert_eq!(rejection.winner, Some(successor_id(first.id, b)));
    world.run(&mut |_| 0);
    let rejection = ask(&world, Target::Task(b), REALLOCATE).expect_err("refused");
    assert_eq!(rejection.winner, Some(successor_id(first.id, b)));
    let head = world.head(b);
    let plan = ask(&world, Target::Task(head), REALLOCATE).expect("a plan");
    world.order(&order(&plan)).expect("another state").expect("an event");
}

#[test]
fn what_is_given_up_meanwhile_runs_on_the_fresh_outputs_all_the_same() {
    let mut world = World::new(&["d"], &[]);
    world.name(step("b", &[], &[]));
    world.run(&mut |_| 0);
    world.name(step("c", &["b", "d"], &[]));
    world.run(&mut |_| 0);
    let [b, c, d] = ["b", "c", "d"].map(step_id);
    let plan = ask(&world, Target::Task(b), REALLOCATE).expect("a plan");
    assert_eq!(actions(&plan), [("b", Action::Rerun), ("c", Action::Rerun)]);
    world.order(&plan.order("again", None, &[].into())).expect("accepted").expect("an event");
    let skip = Command::Skip(crate::scenario::skipped_because_of(d, "input d"));
    world.send(c, &skip).expect("accepted").expect("given up");
    world.name(step("d", &[], &[]));
    world.run(&mut |_| 0);
    assert_eq!(world.settled[0].superseded, []);
    let successor = world.task(c).restarted_as.expect("restarted");
    assert!(world.task(successor).skipped.as_ref().is_some_and(|it| it.root_cause == d));
}

#[test]
fn what_was_overtaken_is_free_for_another_plan() {
    let mut world = World::new(&["b"], &[]);
    world.name(step("b", &[], &[]));
    world.name(step("c", &["b"], &[]));
    world.run_some(2, &mut |_| 0);
    let [b, c] = ["b", "c"].map(step_id);
    world.send(c, &Command::Cancel(Cancel::because("enough"))).expect("accepted").expect("stops");
    world.run(&mut |_| 0);
    world.failing.clear();
    let order = |plan: &Plan| plan.order("again", None, &[].into());
    let plan = ask(&world, Target::Task(b), REALLOCATE).expect("a plan");
    world.order(&order(&plan)).expect("accepted").expect("an event");
    let other = ask(&world, Target::Task(b), REUSE).expect("a plan");
    world.order(&order(&other)).expect("accepted").expect("it is the first to reach the task");
    world.run(&mut |_| 0);
    let superseded = world.settled[0].superseded.iter().map(|it| it.task_id);
    let mut superseded: Vec<_> = superseded.collect();
    superseded.sort_unstable();
    let mut both = vec![b, c];
    both.sort_unstable();
    assert_eq!(superseded, both);
    assert_eq!(world.task(c).restarted_as, None, "and nobody else has its place");
    let plan = ask(&world, Target::All, REALLOCATE).expect("a plan");
    carry_out(&mut world, &plan);
    is_ok(&world, world.task(c).restarted_as.expect("restarted"));
}

#[test]
fn a_plan_from_outside_is_not_trusted() {
    let mut world = chain();
    let plan = ask(&world, Target::Task(step_id("b")), REALLOCATE).expect("a plan");
    let send = |world: &mut World, plan: Plan| {
        let restart = context::Restart { plan, reason: String::new(), by: None };
        world.send_to_context(&context::Command::Restart(Box::new(restart)))
    };
    let mut twice = plan.clone();
    twice.entries.extend(plan.entries.clone());
    let mut backwards = plan.clone();
    backwards.entries.reverse();
    let mut empty = plan.clone();
    empty.entries.retain(|it| it.action == Action::Keep);
    for wrong in [twice, backwards, empty] {
        assert_eq!(send(&mut world, wrong).expect_err("refused").reason, Reason::Invalid);
    }
    // A task that was kept because it finished ok cannot be made to resolve its output again.
    let mut greedy = plan;
    greedy.outputs = REUSE;
    greedy.entries[0].action = Action::Rerun;
    send(&mut world, greedy).expect("each step is decided by its task").expect("an event");
    world.run(&mut |_| 0);
    assert_eq!(world.settled[0].superseded[0].task_id, step_id("a"));
    assert_eq!(world.task(step_id("a")).restarted_as, None);
}

#[test]
fn a_context_that_was_cancelled_goes_on_with_its_restart() {
    let mut world = World::default();
    world.name(step("a", &[], &[]));
    world.name(step("b", &["a"], &[]));
    world.run_some(2, &mut |_| 0);
    let cancel = context::Command::Cancel { reason: "enough".into() };
    world.send_to_context(&cancel).expect("accepted").expect("an event");
    for step in ["a", "b"] {
        world.send(step_id(step), &Command::Cancel(Cancel::because("enough"))).expect("accepted");
    }
    world.run(&mut |_| 0);
    let plan = ask(&world, Target::All, REUSE).expect("a plan");
    assert!(plan.reopens);
    assert_eq!(actions(&plan), [("a", Action::Rerun), ("b", Action::Rerun)]);
    carry_out(&mut world, &plan);
    assert!(!world.context.cancelled);
    is_ok(&world, world.head(step_id("b")));
}

#[test]
fn what_waits_or_runs_is_stopped_when_what_it_reads_is_replaced() {
    let mut world = World::default();
    world.name(step("a", &[], &[]));
    world.name(step("b", &["a"], &[]));
    world.name(step("c", &["b"], &[]));
    let b = step_id("b");
    while world.tasks.get(&b).is_none_or(|(task, _)| task.status != Status::Received) {
        world.run_some(1, &mut |_| 0);
    }
    let rejection = ask(&world, Target::Task(b), REALLOCATE).expect_err("refused");
    assert!(rejection.message.contains("cancel it first"), "{rejection}");
    let plan = ask(&world, Target::Task(step_id("a")), REALLOCATE).expect("a plan");
    assert_eq!(
        reason(&plan, "b"),
        "step \"a\" runs again, and it reads its fresh outputs; what it does now is stopped"
    );
    world.order(&plan.order("again", None, &[].into())).expect("accepted");
    // All steps are unfolded before b can end.
    world.run(&mut |turns| turns.min(1) - 1);
    for entry in plan.steps() {
        is_ok(&world, world.head(entry.task_id));
    }
}

#[test]
fn a_task_that_waits_alone_is_stopped_and_runs_again_with_all_of_its_context() {
    let mut world = World::new(&[], &[]);
    world.name(step("a", &[], &[]));
    world.run_some(1, &mut |_| 0);
    let a = step_id("a");
    assert_eq!(world.task(a).status, Status::Initialized);
    let plan = ask(&world, Target::All, REALLOCATE).expect("a plan");
    assert_eq!(actions(&plan), [("a", Action::Rerun)]);
    carry_out(&mut world, &plan);
    assert_eq!(world.task(a).status, Status::Cancelled);
    is_ok(&world, world.task(a).restarted_as.expect("restarted"));
}

#[test]
fn what_cannot_be_asked_for_is_refused_with_the_reason() {
    let world = chain();
    let refused = |request| plan(&world.graph(), &request).expect_err("refused");
    let rejection = refused(request(Target::Task(id(99)), REUSE));
    assert_eq!(rejection.reason, Reason::NotFound);
    let rejection = refused(request(Target::From(step_id("a")), REUSE));
    assert!(rejection.message.contains("restart it with outputs reallocate"), "{rejection}");
    let latest = Request { version: VersionPolicy::Latest, ..request(Target::Failed, REUSE) };
    let rejection = refused(latest.clone());
    assert_eq!(rejection.message, "version latest of a does not exist");
    let definition = serde_json::json!({"executable": {"type": "noop"}});
    let other =
        serde_json::json!({"name": "a", "version": 2, "digest": "d", "definition": definition});
    let other = serde_json::from_value(other).expect("a version");
    let unfit =
        Request { specifications: [("a".parse().expect("a name"), other)].into(), ..latest };
    let rejection = refused(unfit);
    assert!(
        rejection.message.starts_with("step \"b\": version 2 of a does not fit"),
        "{rejection}"
    );
    let mut cancelled = chain();
    let planned = cancelled.tasks.remove(&step_id("c")).expect("there").0;
    let mut graph = cancelled.graph();
    let mut node = Node::of(step_id("c"), 0, &planned).expect("a node");
    (node.status, node.skipped) = (Status::Absent, None);
    graph.nodes.insert(node.id, node);
    let rejection = plan(&graph, &request(Target::All, REALLOCATE)).expect_err("refused");
    assert!(rejection.message.contains("spawned in a moment"), "{rejection}");
}

#[test]
fn those_that_wait_near_or_far_are_found() {
    let mut world = World::new(&[], &[]);
    for planned in
        [step("a", &[], &[]), step("b", &["a"], &[]), step("c", &[], &["b"]), step("d", &[], &[])]
    {
        world.name(planned);
    }
    world.run_some(4, &mut |_| 0);
    let mut found = world.graph().live_dependents(step_id("a"));
    let mut expected = ["b", "c"].map(step_id);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    world.run(&mut |_| 0);
    assert_eq!(world.graph().live_dependents(step_id("a")), []);
}

/// A pipeline of 200 steps: 40 rows of 5, each step reading two of the row before; one in the
/// middle fails.
fn wide() -> World {
    let mut world = World::new(&["20-2"], &[]);
    for row in 0..40_usize {
        for column in 0..5_usize {
            let reads = |column: usize| format!("{}-{}", row - 1, column % 5);
            let reads: Vec<String> =
                if row == 0 { vec![] } else { vec![reads(column), reads(column + 1)] };
            let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
            world.name(step(&format!("{row}-{column}"), &reads, &[]));
        }
    }
    world.run(&mut |_| 0);
    world.failing.clear();
    world
}

#[test]
fn a_failure_in_the_middle_of_200_tasks() {
    for (target, outputs) in [
        (Target::Failed, REUSE),
        (Target::Failed, REALLOCATE),
        (Target::From(step_id("20-2")), REUSE),
        (Target::From(step_id("20-2")), REALLOCATE),
    ] {
        let mut world = wide();
        let positions: Vec<_> = world.tasks.iter().map(|(id, it)| (*id, it.1)).collect();
        let plan = ask(&world, target, outputs).expect("a plan");
        let count = |action| plan.entries.iter().filter(|it| it.action == action).count();
        let (reruns, revivals) = (count(Action::Rerun), count(Action::Revive));
        assert_eq!(plan.entries.len(), 200);
        assert_eq!(count(Action::Skip), 0);
        assert_eq!(reruns + revivals, 1 + (2 + 3 + 4) + 16 * 5, "{target:?} {outputs:?}");
        assert_eq!(reruns == 1, outputs == REUSE);
        carry_out(&mut world, &plan);
        for entry in &plan.entries {
            let (task, position) = &world.tasks[&entry.task_id];
            match entry.action {
                Action::Keep => assert_eq!(*position, entry.position),
                Action::Rerun => is_ok(&world, task.restarted_as.expect("restarted")),
                _ => is_ok(&world, entry.task_id),
            }
        }
        let restarted =
            world.tasks.values().filter(|(task, _)| task.restarted_as.is_some()).count();
        assert_eq!(restarted, reruns, "exactly those");
        assert!(positions.len() + reruns == world.tasks.len());
    }
}

#[test]
fn a_step_that_tolerates_failures_is_judged_by_its_rule() {
    let mut world = World::new(&["a"], &[]);
    world.name(step("a", &[], &[]));
    let mut tidy = step("tidy", &["a"], &[]);
    let upstream = vec![Upstream { task: step_id("a"), inputs: vec!["a".into()] }];
    tidy.task.when = Some(Trigger { rule: TriggerRule::AllDone, upstream: upstream.clone() });
    let mut report = step("report", &["a"], &[]);
    report.task.when = Some(Trigger { rule: TriggerRule::NoneFailed, upstream });
    world.name(tidy);
    world.name(report);
    world.run(&mut |_| 0);
    world.failing.clear();
    let plan = ask(&world, Target::Failed, REUSE).expect("a plan");
    assert_eq!(plan.entries[0].action, Action::Rerun);
    assert_eq!(reason(&plan, "tidy"), "it finished ok although step \"a\" had not");
    assert_eq!(reason(&plan, "report"), "it was skipped because of step \"a\", which runs again");
    carry_out(&mut world, &plan);
    is_ok(&world, step_id("report"));
    assert_eq!(plan.context_id, context_id());
}

/// A chain of 20,000 steps whose first failed: planned and unfolded, each step looked at twice.
#[test]
fn a_large_context_is_planned_and_unfolded_in_no_time() {
    const STEPS: usize = 20_000;
    let name = |n: usize| n.to_string();
    let mut graph =
        kantoku_domain::restart::Graph { context_id: context_id(), ..Default::default() };
    let mut tasks = std::collections::BTreeMap::new();
    for n in 0..STEPS {
        let before = n.checked_sub(1).map(name);
        let reads: Vec<&str> = before.iter().map(String::as_str).collect();
        let planned = step(&name(n), &reads, &[]);
        let end = if n == 0 {
            Command::Cancel(Cancel::because("enough"))
        } else {
            Command::Skip(crate::scenario::skipped_because_of(step_id("0"), "input"))
        };
        let mut task = kantoku_domain::Task::default();
        for command in [Command::Spawn(Box::new(planned.task)), end] {
            let event = task.decide(&command, &crate::scenario::envelope(1));
            task.evolve(&event.expect("accepted").expect("an event"));
        }
        graph.nodes.insert(planned.id, Node::of(planned.id, 2, &task).expect("a node"));
        tasks.insert(planned.id, task);
    }
    let plan = plan(&graph, &request(Target::All, REALLOCATE)).expect("a plan");
    assert_eq!(plan.steps().count(), STEPS);
    let Order::Context(_, command) = plan.order("again", None, &[].into()) else { panic!("many") };
    let event = kantoku_domain::Context::default().decide(&command, &crate::scenario::envelope(2));
    let Ok(Some(Event::ContextRestarted(restarted))) = event else { panic!("restarted") };
    let mut unfolding = Unfolding::new(restarted);
    while unfolding.settled().is_none() {
        let steps: Vec<Id> = unfolding.next(64).iter().map(|step| step.task_id).collect();
        for id in steps {
            let task = tasks.get_mut(&id).expect("there");
            let command = unfolding.look(id, 2, task, None).expect("to be restarted");
            let envelope = Envelope { aggregate_id: id, ..crate::scenario::envelope(3) };
            let event = task.decide(&command, &envelope).expect("accepted").expect("an event");
            task.evolve(&event);
            assert_eq!(unfolding.look(id, 3, task, None), None, "done");
        }
    }
}
