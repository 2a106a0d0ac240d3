//! What people order: approvals, pauses, cancellations, and what the clock does.

use kantoku_domain::{
    Context, Dependency, Event, Id, Kind, Millis, Name, Namespace, NamespaceState, Reason,
    Recorded, Specification, Task, context, namespace,
    pause::Pauses,
    specification,
    task::{
        Approved, Cancel, Command, Expire, Expired, Label, Labelled, Outcome, Received, Revived,
        Status,
    },
};
use serde_json::json;

use crate::scenario::{
    Scenario, envelope, fail, finish, given, receive, skipped, spawned, spawning, uuid_like::id,
};

fn initialized() -> Scenario<Task> {
    given(&[Event::TaskSpawned(spawned(3))])
}

fn waiting_for(dependency: serde_json::Value) -> Scenario<Task> {
    let mut waiting = spawned(1);
    waiting.depends_on = serde_json::from_value::<Option<Dependency>>(dependency).expect("sound");
    given(&[Event::TaskSpawned(waiting)])
}

fn approve(name: &str, by: &str) -> Command {
    Command::Approve(Approved { name: name.into(), by: by.into() })
}

#[test]
fn approvals_are_counted_by_name_and_others_are_told_who_may() {
    let legal = json!({"approval": {"name": "legal", "count": 2, "by": ["anna", "bob", "eve"]}});
    let mut task = waiting_for(json!({"any": [legal, {"approval": "anyone"}]}));
    task.then_event(&approve("legal", "anna"));
    assert_eq!(task.when(&approve("legal", "anna")), Ok(None), "twice is once");
    let rejection = task.when(&approve("legal", "mallory")).expect_err("refused");
    assert_eq!(rejection.reason, Reason::NotAllowed);
    assert!(rejection.message.ends_with("may be given by anna, bob, eve"), "{rejection}");
    task.then_event(&approve("legal", "bob"));
    assert_eq!(task.when(&approve("legal", "eve")), Ok(None), "two were enough");
    task.then_event(&approve("anyone", "mallory"));
    assert_eq!(task.state.approvals("legal").collect::<Vec<_>>(), ["anna", "bob"]);

    let rejection = task.when(&approve("lega", "anna")).expect_err("refused");
    assert_eq!(rejection.reason, Reason::NotFound);
    assert!(rejection.message.ends_with("it waits for \"legal\", \"anyone\""), "{rejection}");
    initialized().then_rejected(&approve("legal", "anna"), Reason::NotFound);
}

#[test]
fn what_runs_or_has_ended_waits_for_no_approval() {
    let mut task = waiting_for(json!({"approval": {"name": "go", "count": 2}}));
    task.then_event(&receive(1, "a"));
    task.then_rejected(&approve("go", "anna"), Reason::WrongState);
    task.then_event(&finish(1, 7));
    task.then_rejected(&approve("go", "anna"), Reason::Terminal);
}

fn label(set: &[(&str, &str)], remove: &[&str], overwrite: bool) -> Command {
    let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let remove = remove.iter().map(|key| (*key).to_owned()).collect();
    Command::Label(Label { set, remove, overwrite })
}

#[test]
fn labels_are_put_on_and_taken_off_whatever_the_task_is() {
    let mut labelled = spawned(1);
    labelled.labels = [("team".into(), "a".into()), ("owner".into(), "eve".into())].into();
    let mut task = given::<Task>(&[Event::TaskSpawned(labelled.clone())]);
    let event = task.then_event(&label(&[("triage", "open"), ("team", "a")], &["nobody"], false));
    let told = |set: &[(&str, &str)], remove: &[&str]| {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let remove = remove.iter().map(|key| (*key).to_owned()).collect();
        Event::TaskLabelled(Labelled { set, remove })
    };
    assert_eq!(event, told(&[("triage", "open")], &[]), "only what is different is told");
    task.then_rejected(&label(&[("team", "b")], &[], false), Reason::AlreadyExists);
    let event = task.then_event(&label(&[("team", "b")], &["owner", "triage"], true));
    assert_eq!(event, told(&[("team", "b")], &["owner", "triage"]));
    assert_eq!(task.state.labels(), [("team".to_owned(), "b".to_owned())].into());
    task.then_event(&label(&[("owner", "bob")], &[], false));
    assert_eq!(task.state.labels()["owner"], "bob", "what was taken off may come again");
    assert_eq!(
        task.when(&Command::Spawn(Box::new(labelled))),
        Ok(None),
        "it is the task that was spawned"
    );
    task.then_event(&receive(1, "a"));
    task.then_event(&label(&[("seen", "running")], &[], false));
    task.then_event(&finish(1, 7));
    task.then_event(&label(&[("seen", "ended")], &[], true));
    assert_eq!(task.state.status, Status::Finished);
}

#[test]
fn labels_have_limits_and_a_task_that_is_not_there_has_none() {
    let mut task = initialized();
    let long = "x".repeat(Label::NAME_BYTES_MAX + 1);
    let longer = "x".repeat(Label::VALUE_BYTES_MAX + 1);
    for wrong in [
        label(&[], &[], false),
        label(&[("", "a")], &[], false),
        label(&[(&long, "a")], &[], false),
        label(&[("a", &longer)], &[], false),
        label(&[("a\0", "a")], &[], false),
        label(&[("a", "b")], &["a"], true),
    ] {
        task.then_rejected(&wrong, Reason::Invalid);
    }
    let names: Vec<String> = (0..=Label::LABELS_MAX).map(|n| n.to_string()).collect();
    let all: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    task.then_rejected(&label(&all, &[], false), Reason::Invalid);
    task.then_event(&label(&all[1..], &[], false));
    given::<Task>(&[]).then_rejected(&label(&[("a", "b")], &[], false), Reason::NotFound);
}

fn pause() -> Command {
    Command::Pause { reason: "migration".into() }
}

#[test]
fn a_paused_task_starts_no_attempt_and_old_announcements_are_void() {
    let mut task = initialized();
    assert_eq!(task.when(&Command::Resume), Ok(None), "nothing to resume");
    task.then_event(&pause());
    let since = task.state.paused.clone().expect("paused").since;
    assert_eq!(task.when(&pause()), Ok(None));
    assert_eq!(task.state.paused.as_ref().map(|it| it.since), Some(since), "the first counts");
    let rejection = task.when(&receive(1, "a")).expect_err("refused");
    assert_eq!(rejection.reason, Reason::Paused);
    assert!(rejection.message.contains("paused by tester since 1970"), "{rejection}");
    task.then_event(&Command::Resume);
    assert_eq!(task.when(&Command::Resume), Ok(None));
    task.then_rejected(&receive(1, "a"), Reason::StaleAttempt);
    let Command::Receive(claim) = receive(1, "a") else { panic!("a claim") };
    task.then_event(&Command::Receive(Received { round: 1, ..claim }));
    task.then_event(&pause());
    task.then_event(&finish(1, 7));
    assert_eq!(task.state.paused, None, "what has ended waits for nothing");
    task.then_rejected(&pause(), Reason::Terminal);
}

#[test]
fn contexts_specifications_and_namespaces_are_paused_once_and_resumed_once() {
    let mut context = given::<Context>(&[]);
    let pause = context::Command::Pause { reason: String::new() };
    context.then_event(&pause);
    assert_eq!(context.when(&pause), Ok(None));
    context.then_event(&context::Command::Resume);
    assert_eq!(context.when(&context::Command::Resume), Ok(None));

    let mut namespace = given::<NamespaceState>(&[]);
    let pause = namespace::Command::Pause { reason: "night".into() };
    namespace.then_event(&pause);
    assert_eq!(namespace.when(&pause), Ok(None));
    namespace.then_event(&namespace::Command::Resume);
    assert_eq!(namespace.state.paused, None);

    let pause = specification::Command::Pause { reason: String::new() };
    given::<Specification>(&[]).then_rejected(&pause, Reason::NotFound);
    let mut specification = given::<Specification>(&[]);
    specification.then_event(&specification::Command::Apply {
        name: "a".parse().expect("a name"),
        source: None,
        definition: serde_json::from_value(json!({"executable": {"type": "noop"}}))
            .expect("a definition"),
    });
    specification.then_event(&pause);
    assert_eq!(specification.when(&pause), Ok(None));
    specification.then_event(&specification::Command::Resume);
}

#[test]
fn the_widest_pause_is_the_one_that_is_told() {
    let namespace = Namespace::default();
    let name: Name = "a".parse().expect("a name");
    let (context, task) = (id(1), id(2));
    let of_namespace = Id::named(&namespace, Kind::Namespace, namespace.as_str());
    let of_specification = Id::named(&namespace, Kind::Specification, name.as_str());
    let paused = || match given::<NamespaceState>(&[])
        .then_event(&namespace::Command::Pause { reason: "night".into() })
    {
        Event::NamespacePaused(paused) => paused,
        other => panic!("paused, not {other:?}"),
    };
    let resumed = kantoku_domain::pause::Resumed { by: "tester".into() };
    let recorded = |id, event: Event| Recorded {
        stream_seq: 1,
        subject: String::new(),
        namespace: namespace.clone(),
        aggregate: event.kind(),
        id,
        version: 1,
        event,
        metadata: envelope(1).metadata(0),
    };
    let mut pauses = Pauses::default();
    let mut expected = Vec::new();
    for (id, event) in [
        (task, Event::TaskPaused(paused())),
        (context, Event::ContextPaused(paused())),
        (of_specification, Event::SpecificationPaused(paused())),
        (of_namespace, Event::NamespacePaused(paused())),
    ] {
        assert!(pauses.apply(&recorded(id, event.clone())));
        expected.push((id, event.kind()));
        let found = pauses.of(&namespace, &name, context, task).map(|(kind, _)| kind);
        assert_eq!(found, Some(event.kind()));
    }
    for (id, event) in [
        (of_namespace, Event::NamespaceResumed(resumed.clone())),
        (of_specification, Event::SpecificationResumed(resumed.clone())),
        (context, Event::ContextResumed(resumed)),
    ] {
        assert!(pauses.apply(&recorded(id, event)));
        expected.pop();
        let found = pauses.of(&namespace, &name, context, task).map(|(kind, _)| kind);
        assert_eq!(found, expected.last().map(|(_, kind)| *kind));
    }
    pauses.apply(&recorded(task, Event::TaskSkipped(skipped("input"))));
    assert_eq!(pauses.of(&namespace, &name, context, task), None);
}

fn timed(attempts: u32) -> Scenario<Task> {
    let mut timed = spawned(attempts);
    timed.timeouts.queue = Some(Millis(1_000));
    timed.timeouts.total = Some(Millis(60_000));
    given(&[Event::TaskSpawned(timed)])
}

#[test]
fn an_attempt_that_nobody_claims_in_time_ends_the_task() {
    let queue = |attempt| Command::Expire(Expire::Queue { attempt, round: 0 });
    let mut task = timed(3);
    task.then_event(&receive(1, "a"));
    task.then_rejected(&queue(1), Reason::StaleAttempt);
    task.then_event(&fail(1));
    task.then_rejected(&queue(1), Reason::StaleAttempt);
    task.then_rejected(
        &Command::Expire(Expire::Queue { attempt: 2, round: 1 }),
        Reason::StaleAttempt,
    );
    let Event::TaskFinished(finished) = task.then_event(&queue(2)) else { panic!("finished") };
    assert_eq!((finished.attempt, finished.outcome), (1, Outcome::Failed));
    assert_eq!(finished.expired, Some(Expired::Queue));
    let error = finished.error.expect("an error");
    assert_eq!((error.kind.as_str(), error.retryable), ("timeout", false));
    assert_eq!(error.message, "nobody has claimed attempt 2 within 1s (timeouts.queue)");
    task.then_rejected(&receive(2, "a"), Reason::Terminal);
    assert_eq!(task.state.custody.len(), 1, "it can be restarted with its outputs");
}

#[test]
fn the_total_time_ends_a_task_wherever_it_is_and_refuses_what_runs() {
    let total = Command::Expire(Expire::Total { round: 0 });
    let mut task = timed(3);
    task.then_event(&receive(1, "a"));
    let Event::TaskFinished(finished) = task.then_event(&total) else { panic!("finished") };
    assert_eq!((finished.attempt, finished.expired), (1, Some(Expired::Total)));
    task.then_rejected(&finish(1, 7), Reason::Terminal);
    assert_eq!(task.when(&fail(1)), Ok(None), "it has failed already");

    let mut task = timed(3);
    task.then_event(&Command::Skip(skipped("input")));
    task.then_rejected(&total, Reason::Terminal);
    task.then_event(&Command::Revive(Revived { root_cause: id(2), restarted_as: id(3) }));
    task.then_rejected(&total, Reason::StaleAttempt);
    task.then_event(&Command::Expire(Expire::Total { round: 1 }));

    let none = Command::Expire(Expire::Total { round: 0 });
    initialized().then_rejected(&none, Reason::WrongState);
}

#[test]
fn the_kind_of_a_failure_decides_over_another_attempt() {
    for (on, not_on, expected) in [
        (vec!["exit"], vec![], Status::Initialized),
        (vec!["http"], vec![], Status::Finished),
        (vec![], vec!["exit"], Status::Finished),
    ] {
        let mut choosy = spawned(3);
        choosy.retry.on = on.into_iter().map(str::to_owned).collect();
        choosy.retry.not_on = not_on.into_iter().map(str::to_owned).collect();
        let mut task = given::<Task>(&[Event::TaskSpawned(choosy.clone())]);
        task.then_event(&receive(1, "a"));
        task.then_event(&fail(1));
        assert_eq!(task.state.status, expected, "{:?}", choosy.retry);
    }
}

#[test]
fn a_cancellation_says_who_ordered_it_and_what_goes_with_it() {
    let mut task = initialized();
    let order = Cancel { dependents: vec![id(5)], ..Cancel::because("no need") };
    let Event::TaskCancelled(cancelled) = task.then_event(&Command::Cancel(order)) else {
        panic!("cancelled")
    };
    assert_eq!(cancelled.by.as_deref(), Some("tester"));
    assert_eq!(cancelled.dependents, [id(5)]);
    let order = Cancel { by: Some("anna".into()), ..Cancel::because("no need") };
    let Event::TaskCancelled(cancelled) = initialized().then_event(&Command::Cancel(order)) else {
        panic!("cancelled")
    };
    assert_eq!(cancelled.by.as_deref(), Some("anna"));
}

#[test]
fn an_order_that_comes_late_does_not_stop_what_came_back_since() {
    let stop = |round| Command::Cancel(Cancel { round, ..Cancel::because("enough") });
    let back = |task: &mut crate::scenario::Scenario<Task>| {
        task.then_event(&Command::Skip(skipped("input a")));
        task.then_event(&Command::Revive(Revived { root_cause: id(2), restarted_as: id(30) }));
    };
    let mut task = initialized();
    back(&mut task);
    task.then_rejected(&stop(Some(0)), Reason::StaleAttempt);
    task.then_event(&stop(Some(1)));

    let mut task = initialized();
    back(&mut task);
    task.then_event(&stop(None));
}

#[test]
fn the_children_of_a_task_that_has_ended_are_its_work_still() {
    let mut task = initialized();
    task.then_event(&receive(1, "a"));
    let event = task.then_event(&spawning(1, &["c", "d"]));
    let Event::TaskFinished(finished) = event else { panic!("finished") };
    let children: Vec<Id> = finished.children.iter().map(|child| child.id).collect();
    let cancel = Command::Cancel(Cancel::because("enough"));
    let Event::TaskChildrenCancelled(cancelled) = task.then_event(&cancel) else {
        panic!("the children")
    };
    assert_eq!(cancelled.children, children);
    assert_eq!(task.state.status, Status::Finished, "its own end stands");
    assert_eq!(task.when(&cancel), Ok(None));
}

#[test]
fn a_skip_is_revoked_by_the_restart_of_its_cause_and_by_nothing_else() {
    let revive = |cause| Command::Revive(Revived { root_cause: id(cause), restarted_as: id(30) });
    let mut task = initialized();
    assert_eq!(task.when(&revive(2)), Ok(None), "it waits");
    let mut given_up = skipped("input a");
    given_up.others = vec![id(4)];
    task.then_event(&Command::Skip(given_up.clone()));
    task.then_rejected(&revive(3), Reason::WrongState);
    task.then_event(&revive(4));
    assert_eq!(task.state.status, Status::Initialized);
    task.then_rejected(&receive(1, "a"), Reason::StaleAttempt);
    task.then_event(&Command::Skip(given_up));
    task.then_event(&revive(2));
    let Command::Receive(claim) = receive(1, "a") else { panic!("a claim") };
    task.then_event(&Command::Receive(Received { round: 2, ..claim }));
}
