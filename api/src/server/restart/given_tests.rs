//! Plans that come back.

use kantoku_domain::{
    Timestamp,
    restart::{Moved, Request, plan},
    task::{self, Command},
};

use super::*;
use crate::server::past::{Past, output_of, step_id};

/// a → b → c, where b failed and c was skipped for it.
fn chain() -> Past {
    let mut past = Past::default();
    let [a, b, c] =
        [("a", &[][..]), ("b", &["a"]), ("c", &["b"])].map(|(step, reads)| past.spawn(step, reads));
    past.receive(a, 1);
    past.finish(a, 1);
    past.receive(b, 1);
    past.fail(b, 1, "exit", false);
    past.skip(c, b);
    past
}

fn shown(past: &Past, target: Target, outputs: OutputPolicy) -> Plan {
    let version = VersionPolicy::Same;
    let (specifications, now) = ([].into(), Timestamp::default());
    let request = Request { target, outputs, version, specifications, now };
    plan(&past.tasks().graph, &request).expect("a plan")
}

fn restart(past: &mut Past, step: &str) -> Id {
    let restart = task::Restart::default();
    past.order(step_id(step), &Command::Restart(Box::new(restart)));
    past.tasks().graph.nodes[&step_id(step)].restarted_as.expect("restarted")
}

#[track_caller]
fn refused(result: Result<(Plan, Vec<Superseded>), ApiError>) -> ApiError {
    result.expect_err("refused")
}

#[test]
fn a_plan_that_nobody_overtook_comes_back_as_it_was() {
    let past = chain();
    for outputs in [OutputPolicy::Reuse, OutputPolicy::Reallocate] {
        let plan = shown(&past, Target::Failed, outputs);
        let (left, superseded) = examine(plan.clone(), &past.tasks()).expect("it is one");
        assert_eq!((left, superseded), (plan, vec![]));
    }
}

#[test]
fn what_was_overtaken_is_named_and_left_out_and_the_rest_stays() {
    let mut past = chain();
    let other = past.spawn("other", &[]);
    past.receive(other, 1);
    past.fail(other, 1, "exit", false);
    let plan = shown(&past, Target::Failed, OutputPolicy::Reuse);
    let winner = restart(&mut past, "b");
    let (left, superseded) = examine(plan, &past.tasks()).expect("something is left");
    let told: Vec<_> = superseded.iter().map(|it| (it.task_id, it.reason.as_str())).collect();
    let of_b = format!("it was restarted meanwhile, as {winner}");
    let of_c = format!("it was skipped because of {}, which did not run again", step_id("b"));
    let mut expected = [(step_id("b"), of_b.as_str()), (step_id("c"), of_c.as_str())];
    expected.sort_unstable();
    assert_eq!(told, expected);
    let steps: Vec<_> = left.steps().map(|step| step.task_id).collect();
    assert_eq!(steps, [other]);
}

#[test]
fn a_plan_of_which_nothing_is_left_names_the_winner() {
    let mut past = chain();
    let plan = shown(&past, Target::Failed, OutputPolicy::Reuse);
    let winner = restart(&mut past, "b");
    let error = refused(examine(plan, &past.tasks()));
    assert_eq!((error.code, error.data.winner), (Code::Rejected, Some(winner)));
    assert_eq!(error.data.reason, "overtaken");
    assert!(error.message.contains(&winner.to_string()), "{}", error.message);
}

#[test]
fn a_plan_for_a_context_that_was_cancelled_since_is_off() {
    let past = chain();
    let plan = shown(&past, Target::Failed, OutputPolicy::Reuse);
    let mut tasks = past.tasks();
    tasks.graph.cancelled = true;
    assert_eq!(refused(examine(plan, &tasks)).data.reason, "overtaken");
}

#[test]
fn what_was_not_shown_is_refused() {
    let past = chain();
    let tasks = past.tasks();
    let of = |outputs| shown(&past, Target::Failed, outputs);
    let step = |plan: &mut Plan, name: &str| -> usize {
        let is_it = |entry: &Entry| entry.step.as_deref() == Some(name);
        plan.entries.iter().position(is_it).expect("a step")
    };
    let mut wrong = Vec::new();

    let mut unknown = of(OutputPolicy::Reuse);
    let at = step(&mut unknown, "b");
    unknown.entries[at].task_id = step_id("nobody");
    wrong.push((unknown, "which the context does not have"));

    let mut later = of(OutputPolicy::Reuse);
    let at = step(&mut later, "b");
    later.entries[at].position += 1;
    wrong.push((later, "and it is at"));

    let mut stolen = of(OutputPolicy::Reallocate);
    let at = step(&mut stolen, "b");
    stolen.entries[at].replaces = [("out".into(), output_of(step_id("a")))].into();
    wrong.push((stolen, "replaces other outputs"));

    let mut moved = of(OutputPolicy::Reuse);
    let to = Moved { task_id: step_id("b"), output: "out".into() };
    moved.results.insert("result".into(), to);
    wrong.push((moved, "to nowhere"));

    let mut twice = of(OutputPolicy::Reuse);
    let at = step(&mut twice, "b");
    let entry = twice.entries[at].clone();
    twice.entries.push(entry);
    wrong.push((twice, "twice"));

    let mut revived = of(OutputPolicy::Reuse);
    let at = step(&mut revived, "c");
    let (root_cause, restarted_as) = (step_id("a"), step_id("x"));
    revived.entries[at].revived = Some(task::Revived { root_cause, restarted_as });
    wrong.push((revived, "was not restarted as the plan says"));

    for (plan, why) in wrong {
        let error = refused(examine(plan, &tasks));
        assert_eq!((error.code, error.data.field.as_deref()), (Code::Invalid, Some("plan")));
        assert!(error.message.contains(why), "{}", error.message);
    }
}

#[test]
fn a_plan_is_for_what_is_asked_for() {
    let past = chain();
    let plan = shown(&past, Target::Failed, OutputPolicy::Reuse);
    let context_id = plan.context_id;
    let check = |context_id, target, outputs, version| {
        is_asked_for(&plan, context_id, target, outputs, version).map_err(|error| error.message)
    };
    assert_eq!(check(context_id, None, None, None), Ok(()));
    assert_eq!(check(context_id, Some(Target::Failed), None, Some(VersionPolicy::Same)), Ok(()));
    let wrong = [
        check(step_id("a"), None, None, None),
        check(context_id, Some(Target::All), None, None),
        check(context_id, None, Some(OutputPolicy::Reallocate), None),
        check(context_id, None, None, Some(VersionPolicy::Latest)),
    ];
    assert!(wrong.iter().all(Result::is_err), "{wrong:?}");
}
