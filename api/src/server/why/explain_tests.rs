//! What is said of tasks, whatever became of them.

use std::collections::BTreeMap;

use kantoku_projections::{
    document::ResourceStatus,
    reader::{Graph, GraphResource},
};

use kantoku_domain::Id;

use super::{
    super::{
        moment::{Pauses, Present},
        testing::{Given, T0, graph, id_of, output_of, reads},
    },
    *,
};

fn node() -> Present {
    Present {
        service_id: "node-1".into(),
        kind: "node".into(),
        queue: None,
        handlers: "scheduler unfolder".into(),
        running: 0,
        slots: 0,
    }
}

fn moment(graph: &Graph) -> Moment {
    let (graph, present) = (graph.clone(), Some(vec![node()]));
    let (standings, pauses) = (BTreeMap::new(), Pauses::default());
    Moment { graph, standings, pauses, present, now: T0 }
}

fn executor(queue: &str, running: u32) -> Present {
    let (service_id, kind) = ("e".into(), "executor".into());
    let (queue, handlers) = (Some(queue.into()), String::new());
    Present { service_id, kind, queue, handlers, running, slots: 8 }
}

#[track_caller]
fn facts(moment: &Moment, step: &str) -> Vec<(String, Option<Id>)> {
    let facts = moment.explain(&moment.graph.tasks[&id_of(step)]).facts;
    facts.into_iter().map(|fact| (fact.kind, fact.task_id)).collect()
}

fn fact(kind: &str, step: &str) -> (String, Option<Id>) {
    (kind.to_owned(), Some(id_of(step)))
}

#[test]
fn a_chain_is_followed_to_the_task_that_runs() {
    let chain: Vec<Given> = (0..20_000)
        .map(|n| {
            let before = if n == 0 { vec![] } else { vec![format!("s{}", n - 1)] };
            reads(&format!("s{n}"), &before.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect();
    let mut graph = graph(&chain);
    let first = graph.tasks.get_mut(&id_of("s0")).expect("a step");
    (first.status, first.node) = (TaskStatus::Received, Some("gpu-1".into()));
    let moment = moment(&graph);
    assert_eq!(facts(&moment, "s19999"), [fact("running", "s0")]);
    let told = moment.explain(&graph.tasks[&id_of("s1")]);
    assert_eq!(told.summary, "it waits for 1 of 1: input s0");
    assert_eq!(told.facts[0].message, "step \"s0\" runs on gpu-1");
}

#[test]
fn the_smallest_set_holds_each_root_once() {
    let mut graph = graph(&[
        reads("a", &[]),
        reads("b", &[]),
        reads("m", &["a"]),
        reads("n", &["a", "b"]),
        reads("last", &["m", "n"]),
    ]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("a step");
    a.status = TaskStatus::Received;
    let b = graph.tasks.get_mut(&id_of("b")).expect("a step");
    (b.status, b.sub_status) = (TaskStatus::Finished, Some(Outcome::Ok));
    graph.resources.get_mut(&output_of("b")).expect("it").has_value = true;
    assert_eq!(facts(&moment(&graph), "last"), [fact("running", "a")]);
}

#[test]
fn a_resource_that_nobody_will_resolve_comes_with_the_command_to_do_it() {
    let mut graph = graph(&[reads("a", &[]), reads("b", &["a"])]);
    let orphan = id_of("orphan");
    graph.tasks.get_mut(&id_of("a")).expect("it").reads.insert("page".into(), orphan);
    let told = moment(&graph).explain(&graph.tasks[&id_of("b")]);
    assert!(told.facts[0].message.contains("does not exist"), "{}", told.facts[0].message);

    let resource = GraphResource {
        id: orphan,
        status: ResourceStatus::Allocated,
        has_value: false,
        type_: kantoku_domain::Type::String,
        custodian: None,
    };
    graph.resources.insert(orphan, resource);
    let told = moment(&graph).explain(&graph.tasks[&id_of("b")]);
    let [fact] = &told.facts[..] else { panic!("one fact: {:?}", told.facts) };
    assert_eq!((fact.kind.as_str(), fact.resource_id), ("input", Some(orphan)));
    let message = &fact.message;
    assert!(message.contains("input page of step \"a\""), "{message}");
    assert!(message.contains("resource.initialize"), "{message}");
    assert!(message.contains(&orphan.to_string()), "{message}");
}

#[test]
fn a_ready_task_says_who_could_claim_it() {
    let mut graph = graph(&[reads("a", &[]), reads("b", &["a"])]);
    graph.tasks.get_mut(&id_of("a")).expect("it").status = TaskStatus::Ready;
    let mut moment = moment(&graph);
    assert_eq!(facts(&moment, "b"), [fact("no_executor", "a")]);
    let present = [("other", 0, "no_executor"), ("default", 8, "busy"), ("default", 7, "ready")];
    for (queue, running, kind) in present {
        moment.present = Some(vec![executor(queue, running)]);
        assert_eq!(facts(&moment, "b"), [fact(kind, "a")], "{queue} {running}");
    }
    moment.present = None;
    assert_eq!(facts(&moment, "b"), [fact("ready", "a")]);
}

#[test]
fn backoff_says_until_when_and_after_that_the_scheduler_is_next() {
    let mut graph = graph(&[reads("a", &[])]);
    let later = T0.plus(std::time::Duration::from_secs(9));
    let a = graph.tasks.get_mut(&id_of("a")).expect("it");
    a.not_before = Some(later);
    a.error = Some(Failure::new("exit", "exit code 3", true));
    let mut moment = moment(&graph);
    let told = moment.explain(&graph.tasks[&id_of("a")]);
    assert_eq!((told.facts[0].kind.as_str(), told.facts[0].at), ("backoff", Some(later)));
    assert!(told.facts[0].message.contains("exit code 3"));
    moment.now = later;
    assert_eq!(facts(&moment, "a"), [fact("due", "a")]);
    moment.present = Some(vec![]);
    assert_eq!(facts(&moment, "a"), [fact("no_scheduler", "a")]);
    let mut unfolding = node();
    unfolding.handlers = "unfolder timers".into();
    moment.present = Some(vec![unfolding]);
    assert_eq!(facts(&moment, "a"), [fact("no_scheduler", "a")]);
}

#[test]
fn a_skipped_task_points_to_what_failed_with_its_stderr() {
    let mut graph = graph(&[reads("a", &[]), reads("b", &["a"])]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("it");
    (a.status, a.sub_status) = (TaskStatus::Finished, Some(Outcome::Failed));
    let mut failure = Failure::new("exit", "exit code 3", true);
    failure.stderr_tail = Some("no such file\n".into());
    a.error = Some(failure);
    let b = graph.tasks.get_mut(&id_of("b")).expect("it");
    b.status = TaskStatus::Skipped;
    b.root_cause = Some(id_of("a"));
    b.reason = Some("input a".into());
    let told = moment(&graph).explain(&graph.tasks[&id_of("b")]);
    assert_eq!(told.summary, "it will not run: input a cannot arrive, because of step \"a\"");
    assert_eq!(told.facts[0].kind, "failed");
    let expected = "step \"a\" failed: exit code 3; it wrote: no such file";
    assert_eq!(told.facts[0].message, expected);
}

#[test]
fn a_cancelled_task_says_by_whom_and_why() {
    let mut graph = graph(&[reads("a", &[])]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("it");
    a.status = TaskStatus::Cancelled;
    a.reason = Some("wrong file".into());
    a.cancelled_by = Some("ada".into());
    let moment = moment(&graph);
    let told = moment.explain(&graph.tasks[&id_of("a")]);
    assert_eq!(told.summary, "it was cancelled by ada: wrong file");
    assert_eq!(facts(&moment, "a"), [fact("cancelled", "a")]);
}

#[test]
fn what_is_well_needs_no_facts() {
    let mut graph = graph(&[reads("a", &[])]);
    let a = graph.tasks.get_mut(&id_of("a")).expect("it");
    (a.status, a.sub_status) = (TaskStatus::Finished, Some(Outcome::Ok));
    assert_eq!(facts(&moment(&graph), "a"), []);
}

#[test]
fn many_facts_are_counted() {
    let names: Vec<String> = (0..150).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut given: Vec<Given> = names.iter().map(|name| reads(name, &[])).collect();
    given.push(reads("last", &names));
    let graph = graph(&given);
    let facts = moment(&graph).explain(&graph.tasks[&id_of("last")]).facts;
    assert_eq!((facts.len(), facts[100].message.as_str()), (101, "50 more facts like these"));
}
