//! What is said of tasks that wait for more than other tasks, with the scheduler's word and
//! without.

use std::{collections::BTreeMap, sync::Arc};

use kantoku_domain::{
    Dependency, Kind, Millis, Namespace, Timestamp,
    admission::{Blocked, Key},
    dependency::{Approval, Ground, Status, Trigger, TriggerRule, Upstream},
    pause::Paused,
    standing::{Pausing, Stage, Standing},
    task::Outcome,
};
use kantoku_projections::{
    document::{Approval as Given, TaskStatus},
    reader::Graph,
};

use super::{
    moment::{Moment, Pauses, Present},
    roots::Roots,
    testing::{T0, graph, id_of, reads},
};
use crate::contract::WhyFact;

fn moment(graph: Graph) -> Moment {
    let (standings, pauses) = (BTreeMap::new(), Pauses::default());
    let scheduler = Present {
        service_id: "node-1".into(),
        kind: "node".into(),
        queue: None,
        handlers: "scheduler".into(),
        running: 0,
        slots: 0,
    };
    Moment { graph, standings, pauses, present: Some(vec![scheduler]), now: T0 }
}

fn standing(step: &str, stage: Stage) -> Standing {
    Standing {
        task_id: id_of(step),
        position: 9,
        stage,
        attempt: 1,
        round: 0,
        grounds: vec![],
        left_out: 0,
        paused: None,
        blocked: vec![],
        next_at: None,
    }
}

fn paused(reason: &str) -> Paused {
    Paused { by: "ann".into(), reason: reason.into(), since: T0 }
}

#[track_caller]
fn only(moment: &Moment, step: &str) -> WhyFact {
    let facts = Roots::of(moment, id_of(step)).facts();
    let [fact] = &facts[..] else { panic!("one fact: {facts:?}") };
    fact.clone()
}

fn two_of_three() -> Dependency {
    let by = ["ann", "bob", "cy"].map(str::to_owned).into();
    Dependency::Approval(Approval { name: "release".into(), count: 2, by })
}

#[test]
fn a_chain_ends_at_the_approval_that_its_first_task_waits_for() {
    let mut graph = graph(&[reads("a", &[]), reads("b", &["a"]), reads("c", &["b"])]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("a step");
    a.depends_on = Some(two_of_three());
    a.approvals.insert("release".into(), vec![Given { by: "ann".into(), at: T0 }]);
    let moment = moment(graph);
    let fact = only(&moment, "c");
    assert_eq!((fact.kind.as_str(), fact.task_id), ("approval", Some(id_of("a"))));
    let expected = format!(
        "step \"a\" waits: approval \"release\" has 1 of 2 (ann); it may be given by ann, bob, \
         cy. Give it: ktk approve task/{} release",
        id_of("a")
    );
    assert_eq!(fact.message, expected);
    assert_eq!(Roots::of(&moment, id_of("c")).ends, [id_of("a")], "the scheduler may know more");
    let told = moment.explain(&moment.graph.tasks[&id_of("a")]);
    assert_eq!(told.summary, "it waits for 1 of 1: approval \"release\"");
}

#[test]
fn a_time_that_has_not_come_is_told_with_when_that_is() {
    let later = T0.plus(std::time::Duration::from_secs(60));
    let mut graph = graph(&[reads("a", &[])]);
    graph.tasks.get_mut(&id_of("a")).expect("a step").depends_on = Some(Dependency::At(later));
    let fact = only(&moment(graph), "a");
    assert_eq!((fact.kind.as_str(), fact.at), ("time", Some(later)));
}

#[test]
fn of_several_that_would_do_it_is_said_how_many_are_enough() {
    let later = |seconds| Dependency::At(T0.plus(std::time::Duration::from_secs(seconds)));
    let mut graph = graph(&[reads("a", &[])]);
    let any = Dependency::Any(vec![later(1), later(2)]);
    graph.tasks.get_mut(&id_of("a")).expect("a step").depends_on = Some(any);
    let moment = moment(graph);
    let told = moment.explain(&moment.graph.tasks[&id_of("a")]);
    assert!(told.summary.starts_with("it waits for 1 of 2: "), "{}", told.summary);
    assert_eq!(told.facts.len(), 2);
    assert!(told.facts[0].message.contains("1 of 2 such things is enough"));
}

#[test]
fn a_rule_waits_for_those_before_and_for_no_others() {
    let mut graph = graph(&[reads("a", &[]), reads("b", &[]), reads("clean", &[])]);
    let upstream = ["a", "b"].map(|step| Upstream { task: id_of(step), inputs: vec![] });
    let when = Trigger { rule: TriggerRule::AllDone, upstream: upstream.into() };
    graph.tasks.get_mut(&id_of("clean")).expect("a step").when = Some(when);
    let a = graph.tasks.get_mut(&id_of("a")).expect("a step");
    (a.status, a.sub_status) = (TaskStatus::Finished, Some(Outcome::Failed));
    a.finished_at = Some(T0);
    graph.tasks.get_mut(&id_of("b")).expect("a step").status = TaskStatus::Received;
    let moment = moment(graph);
    let fact = only(&moment, "clean");
    assert_eq!((fact.kind.as_str(), fact.task_id), ("running", Some(id_of("b"))));
    let told = moment.explain(&moment.graph.tasks[&id_of("clean")]);
    assert_eq!(told.summary, "it waits for 1 of 2: the end of step \"b\"");
}

#[test]
fn the_successor_of_a_task_is_what_is_waited_for() {
    let mut graph = graph(&[reads("a", &[]), reads("a-again", &[]), reads("b", &[])]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("a step");
    (a.status, a.sub_status) = (TaskStatus::Finished, Some(Outcome::Failed));
    (a.finished_at, a.restarted_as) = (Some(T0), Some(id_of("a-again")));
    graph.tasks.get_mut(&id_of("a-again")).expect("a step").status = TaskStatus::Received;
    let b = graph.tasks.get_mut(&id_of("b")).expect("a step");
    b.depends_on = Some(Dependency::Task(id_of("a")));
    let moment = moment(graph);
    let told = moment.explain(&moment.graph.tasks[&id_of("a")]).summary;
    assert!(told.ends_with(&format!("; it was restarted as {}", id_of("a-again"))), "{told}");
    let fact = only(&moment, "b");
    assert_eq!((fact.kind.as_str(), fact.task_id), ("running", Some(id_of("a-again"))));
}

#[test]
fn without_a_scheduler_the_widest_pause_is_told() {
    let mut moment = moment(graph(&[reads("a", &[])]));
    let set = |moment: &mut Moment, kind: Kind| match kind {
        Kind::Task => {
            let task = moment.graph.tasks.get_mut(&id_of("a")).expect("a step");
            task.paused = Some(paused(""));
        }
        Kind::Context => moment.graph.context.paused = Some(paused("audit")),
        Kind::Specification => {
            let name = "test".parse().expect("a name");
            moment.pauses.specifications.insert(name, paused("broken"));
        }
        _ => moment.pauses.namespace = Some(paused("the night")),
    };
    let context = id_of("context");
    let expected = [
        (Kind::Task, "it is paused by ann".to_owned(), format!("task/{}", id_of("a"))),
        (Kind::Context, "its context is paused by ann".into(), format!("context/{context}")),
        (Kind::Specification, "its specification test is".into(), "specification/test".into()),
        (Kind::Namespace, "its namespace is paused".into(), "namespace/default".into()),
    ];
    for (kind, what, resume) in expected {
        set(&mut moment, kind);
        let fact = only(&moment, "a");
        assert_eq!((fact.kind.as_str(), fact.at), ("paused", Some(T0)));
        assert!(fact.message.contains(&what), "{}", fact.message);
        assert!(fact.message.ends_with(&format!("ktk resume {resume}")), "{}", fact.message);
    }
}

#[test]
fn a_task_that_was_announced_and_paused_says_so() {
    let mut graph = graph(&[reads("a", &[])]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("a step");
    (a.status, a.paused) = (TaskStatus::Ready, Some(paused("")));
    assert_eq!(only(&moment(graph), "a").kind, "paused");
}

fn key() -> Arc<Key> {
    Arc::new(Key {
        namespace: Namespace::default(),
        policy: "gpus".parse().expect("a name"),
        limit: "four".into(),
        value: "a100".into(),
    })
}

#[test]
fn a_limit_names_those_who_hold_it_by_their_steps() {
    let mut moment = moment(graph(&[reads("a", &[]), reads("b", &[]), reads("c", &["a"])]));
    let held_by = vec![id_of("b"), id_of("elsewhere")];
    let blocked = Blocked::Concurrency { key: key(), limit: 4, held: 4, held_by: held_by.clone() };
    let mut of_a = standing("a", Stage::Queued { since: T0 });
    of_a.blocked = vec![blocked];
    moment.standings.insert(id_of("a"), of_a);
    let fact = only(&moment, "c");
    assert_eq!((fact.kind.as_str(), fact.task_id), ("limit", Some(id_of("a"))));
    assert_eq!(fact.held_by, held_by);
    let expected = format!(
        "step \"a\" waits for limit four of policy gpus for \"a100\": 4 of 4 held by step \"b\", \
         task {} and 2 more",
        id_of("elsewhere")
    );
    assert_eq!(fact.message, expected);
    let told = moment.explain(&moment.graph.tasks[&id_of("a")]);
    assert_eq!(told.summary, format!("it could run since {T0}, and has to wait for others"));
}

#[test]
fn rates_reservations_and_queues_are_told() {
    let next = T0.plus(std::time::Duration::from_secs(9));
    let told = |blocked: Blocked| {
        let mut moment = moment(graph(&[reads("a", &[]), reads("b", &[])]));
        let mut of_a = standing("a", Stage::Queued { since: T0 });
        of_a.blocked = vec![blocked];
        moment.standings.insert(id_of("a"), of_a);
        only(&moment, "a")
    };
    let rate = told(Blocked::Rate { key: key(), count: 2, per: Millis(60_000), next });
    assert_eq!((rate.kind.as_str(), rate.at), ("limit", Some(next)));
    let reserved = told(Blocked::Reserved { key: key(), for_task: id_of("b") });
    assert!(reserved.message.contains("kept for step \"b\""), "{}", reserved.message);
    let window = told(Blocked::Window { queue: "default".into(), window: 8 });
    assert_eq!(window.kind, "no_executor", "{}", window.message);
}

#[test]
fn the_word_of_the_scheduler_goes_before_what_is_stored() {
    let mut graph = graph(&[reads("a", &[]), reads("b", &["a"])]);
    // The read model has not seen yet that a is done.
    graph.tasks.get_mut(&id_of("a")).expect("a step").status = TaskStatus::Received;
    let mut moment = moment(graph);
    let mut of_b = standing("b", Stage::Waiting);
    of_b.grounds = vec![Ground {
        name: "depends_on".into(),
        leaf: two_of_three(),
        negated: false,
        status: Status::Pending { next: None },
        one_of: None,
        message: "approval \"release\" has 0 of 2".into(),
    }];
    of_b.paused = Some(Pausing { kind: Kind::Context, paused: paused("audit") });
    of_b.left_out = 3;
    moment.standings.insert(id_of("b"), of_b);
    let facts = Roots::of(&moment, id_of("b")).facts();
    let kinds: Vec<&str> = facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["approval", "paused", "more"]);
    assert_eq!(facts[2].message, "3 more facts like these");
}

#[test]
fn what_the_scheduler_says_of_each_stage_is_told() {
    let later = T0.plus(std::time::Duration::from_secs(9));
    let told = |stage: Stage, next_at: Option<Timestamp>| {
        let mut moment = moment(graph(&[reads("a", &[])]));
        let of_a = Standing { next_at, ..standing("a", stage) };
        moment.standings.insert(id_of("a"), of_a);
        let fact = only(&moment, "a");
        (fact.kind.clone(), fact.at, moment.explain(&moment.graph.tasks[&id_of("a")]).summary)
    };
    let (kind, at, summary) = told(Stage::Backoff, Some(later));
    assert_eq!((kind.as_str(), at), ("backoff", Some(later)));
    assert_eq!(summary, format!("attempt 1 failed; the next may start at {later}"));
    let (kind, ..) = told(Stage::Announced { queue: "default".into(), since: T0 }, None);
    assert_eq!(kind, "no_executor");
    let (kind, at, summary) = told(Stage::Held { node: "gpu-1".into(), since: T0 }, None);
    assert_eq!((kind.as_str(), at), ("running", Some(T0)));
    assert_eq!(summary, format!("attempt 1 runs on gpu-1 since {T0}"));
    let (kind, _, summary) = told(Stage::Queued { since: T0 }, None);
    assert_eq!(kind, "due");
    assert!(summary.ends_with("about to be announced"), "{summary}");
}
