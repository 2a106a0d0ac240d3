//! What is read of pauses, approvals, rules and policies.

use kantoku_domain::{
    Dependency, Event, Id, Kind, Millis, Namespace, TriggerRule,
    dependency::{Approval, Cause, Trigger, Upstream},
    pause, policy,
    restart::OutputPolicy,
    specification, task,
};
use kantoku_projections::{
    Error,
    document::{
        ContextDocument, ContextStatus, DependencyStatus, PolicyDocument, ResourceDocument,
        SpecificationDocument, TaskDocument, TaskStatus,
    },
    query::Condition,
    reader::{Filter, Query},
};
use serde_json::json;

use crate::{
    given::{CREATED, Run, derived, failed, id, open, skipped, spawned},
    stand::Stand,
};

#[tokio::test]
async fn pauses_and_approvals_are_seen_on_all_that_they_are_for() {
    let Some(mut stand) = Stand::start().await else { return };
    let Run { context, a, b, .. } = open(&mut stand.stream, 1);
    let gated = derived(context, "gated");
    let gate = Approval { name: "go".into(), count: 2, by: vec![] };
    let mut task = spawned(context, gated, "gated", &[]);
    task.depends_on = Some(Dependency::Approval(gate));
    stand.stream.push(context, gated, Event::TaskSpawned(task));
    stand.stream.ready(context, a, 1);
    let since = CREATED;
    let paused = || pause::Paused { by: "ann".into(), reason: "lunch".into(), since };
    let resumed = || pause::Resumed { by: "bob".into() };
    stand.stream.push(context, a, Event::TaskPaused(paused()));
    stand.stream.push(context, context, Event::ContextPaused(paused()));

    let task = stand.task(a).await;
    assert_eq!((task.status, task.attempt), (TaskStatus::Initialized, 0), "nobody may claim it");
    assert_eq!(task.paused, Some(paused()));
    assert_eq!(stand.context(context).await.paused, Some(paused()));
    let count = async |paused| {
        let filter = Filter { paused: Some(paused), ..Filter::default() };
        let tasks = stand.reader.count::<TaskDocument>(&filter).await.unwrap().0;
        let contexts = stand.reader.count::<ContextDocument>(&filter).await.unwrap().0;
        (tasks.values().sum::<u64>(), contexts.values().sum::<u64>())
    };
    assert_eq!((count(true).await, count(false).await), ((1, 1), (3, 0)));
    let filter = Filter { paused: Some(true), ..Filter::default() };
    assert!(filter.matches(&task) && !filter.matches(&stand.task(b).await));
    let query = Query { filter, limit: 1, ..Query::default() };
    let refused = stand.reader.records::<ResourceDocument>(&query).await;
    assert!(matches!(refused, Err(Error::Query { field: "paused", .. })));

    stand.stream.push(context, a, Event::TaskResumed(resumed()));
    stand.stream.push(context, context, Event::ContextResumed(resumed()));
    assert_eq!(stand.task(a).await.paused, None);
    assert_eq!(stand.context(context).await.paused, None);

    for (by, status) in [("ann", DependencyStatus::Pending), ("bob", DependencyStatus::Ready)] {
        let approved = task::Approved { name: "go".into(), by: by.into() };
        stand.stream.push(context, gated, Event::TaskApproved(approved));
        assert_eq!(stand.awaited(gated).await, [("depends_on".to_owned(), status)]);
    }
    let task = stand.task(gated).await;
    let given: Vec<&str> = task.approvals["go"].iter().map(|it| it.by.as_str()).collect();
    assert_eq!(given, ["ann", "bob"]);
    let graph = stand.reader.graph(&Namespace::default(), context, 100).await.unwrap();
    assert_eq!(graph.tasks[&gated].approvals, task.approvals);
}

#[tokio::test]
async fn a_step_that_a_rule_left_out_is_no_failure() {
    let Some(mut stand) = Stand::start().await else { return };
    let Run { context, a, b, c } = open(&mut stand.stream, 1);
    let mend = derived(context, "mend");
    let mut task = spawned(context, mend, "mend", &[("in", derived(b, "out"))]);
    let upstream =
        vec![Upstream { task: a, inputs: vec![] }, Upstream { task: b, inputs: vec!["in".into()] }];
    task.when = Some(Trigger { rule: TriggerRule::AnyFailed, upstream });
    stand.stream.push(context, mend, Event::TaskSpawned(task));
    let awaited = |status| {
        let names = ["in".to_owned(), "when: any_failed".to_owned()];
        names.map(|name| (name, status))
    };
    assert_eq!(stand.awaited(mend).await, awaited(DependencyStatus::Pending));
    let dependency = &stand.task(mend).await.dependencies[1];
    assert_eq!(
        serde_json::to_value(dependency).unwrap(),
        json!({"name": "when: any_failed", "data": {"any": [{"failed": a}, {"failed": b}]},
               "status": "PENDING"})
    );

    // It may do without its input as soon as its rule holds.
    stand.stream.run(context, a, 1);
    stand.stream.finish(context, a, failed(1));
    assert_eq!(stand.awaited(mend).await, awaited(DependencyStatus::Ready));
    let again = stand.restart(context, a, "a", OutputPolicy::Reuse);
    assert_eq!(stand.awaited(mend).await, awaited(DependencyStatus::Pending));
    for task in [again, b, c] {
        stand.finish(context, task);
    }
    let (arrived, failed) = (DependencyStatus::Ready, DependencyStatus::Failed);
    let expected = [("in".to_owned(), arrived), ("when: any_failed".to_owned(), failed)];
    assert_eq!(stand.awaited(mend).await, expected);
    let by_rule = task::Skipped { cause: Cause::Rule, ..skipped(b, "when: any_failed") };
    stand.stream.push(context, mend, Event::TaskSkipped(by_rule));
    let found = stand.context(context).await;
    assert_eq!((found.tasks.skipped, found.tasks.skipped_by_rule), (1, 1));
    assert_eq!(found.status, ContextStatus::Ok);
}

#[tokio::test]
async fn policies_hold_until_they_are_deleted_and_specifications_may_wait() {
    let Some(mut stand) = Stand::start().await else { return };
    let namespace = Namespace::default();
    let (policy_id, name) = (id(9), "limits".parse().unwrap());
    let apply = |stand: &mut Stand, version, every| {
        let definition = policy::Definition {
            ageing: Some(policy::Ageing { every: Millis(every) }),
            ..policy::Definition::default()
        };
        let digest = format!("sha256:{version}");
        let applied =
            policy::Applied { name: "limits".parse().unwrap(), version, digest, definition };
        stand.stream.push(policy_id, policy_id, Event::PolicyApplied(applied));
    };
    apply(&mut stand, 1, 10);
    apply(&mut stand, 2, 20);
    stand.project().await;
    let found = stand.reader.version::<PolicyDocument>(&namespace, &name, None).await.unwrap();
    assert_eq!(found.document.ageing.map(|it| it.every), Some(Millis(20)));
    let deleted = policy::Deleted { by: "ann".into() };
    stand.stream.push(policy_id, policy_id, Event::PolicyDeleted(deleted));
    stand.project().await;
    let gone = stand.reader.version::<PolicyDocument>(&namespace, &name, None).await;
    assert!(matches!(gone, Err(Error::NotFound { kind: "policy", .. })));
    let list = async |stand: &Stand| {
        stand
            .reader
            .versions::<PolicyDocument>(&namespace, &Condition::always(), 10, None)
            .await
            .unwrap()
            .items
    };
    assert!(list(&stand).await.is_empty());
    let found = stand.reader.version::<PolicyDocument>(&namespace, &name, Some(2)).await.unwrap();
    assert_eq!(found.document.deleted.map(|it| it.by).as_deref(), Some("ann"));
    apply(&mut stand, 3, 30);
    stand.project().await;
    assert_eq!(list(&stand).await[0].version, 3);

    let specification = Id::named(&namespace, Kind::Specification, "text/words");
    let all = Id::named(&namespace, Kind::Namespace, namespace.as_str());
    for version in 1..=2 {
        let applied = specification::Applied {
            name: "text/words".parse().unwrap(),
            version,
            digest: format!("sha256:{version}"),
            source: None,
            definition: serde_json::from_value(json!({"executable": {"type": "noop"}})).unwrap(),
        };
        stand.stream.push(specification, specification, Event::SpecificationApplied(applied));
    }
    let paused = || pause::Paused { by: "ann".into(), reason: String::new(), since: CREATED };
    stand.stream.push(specification, specification, Event::SpecificationPaused(paused()));
    let position = stand.stream.push(all, all, Event::NamespacePaused(paused()));
    stand.project().await;
    let name = "text/words".parse().unwrap();
    let version = async |stand: &Stand, version| {
        let found = stand.reader.version::<SpecificationDocument>(&namespace, &name, version).await;
        found.unwrap().document.paused
    };
    assert_eq!(version(&stand, None).await, Some(paused()));
    assert_eq!(version(&stand, Some(1)).await, Some(paused()), "all versions wait");
    let page = stand
        .reader
        .versions::<SpecificationDocument>(&namespace, &Condition::always(), 10, None)
        .await
        .unwrap();
    assert_eq!(page.items[0].paused, Some(paused()));
    let found = stand.reader.namespace(&namespace).await.unwrap().document;
    assert_eq!((found.paused, found.stream_seq), (Some(paused()), position));
    let other = stand.reader.namespace(&"other".parse().unwrap()).await.unwrap().document;
    assert_eq!((other.paused, other.stream_seq), (None, 0));

    let resumed = || pause::Resumed { by: "ann".into() };
    stand.stream.push(specification, specification, Event::SpecificationResumed(resumed()));
    stand.stream.push(all, all, Event::NamespaceResumed(resumed()));
    stand.project().await;
    assert_eq!(version(&stand, None).await, None);
    assert_eq!(stand.reader.namespace(&namespace).await.unwrap().document.paused, None);
}
