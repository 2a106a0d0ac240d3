//! What is read while tasks are restarted.

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Namespace, context,
    dependency::Cause,
    restart::{OutputPolicy, Target, VersionPolicy, successor_id},
    task,
};
use kantoku_projections::{
    Error,
    document::{ContextStatus, DependencyStatus, ResourceStatus, TaskStatus},
    reader::{Filter, Query},
};

use crate::{
    given::{Run, delegating, derived, failed, id, open, skipped},
    stand::Stand,
};

#[tokio::test]
async fn a_restart_with_outputs_reused_mends_what_had_failed() {
    let Some(mut stand) = Stand::start().await else { return };
    let Run { context, a, b, c } = open(&mut stand.stream, 1);
    stand.stream.run(context, a, 1);
    stand.stream.finish(context, a, failed(1));
    for task in [b, c] {
        stand.stream.push(context, task, Event::TaskSkipped(skipped(a, "input in")));
    }
    assert_eq!(stand.context(context).await.status, ContextStatus::Failed);
    let task = stand.task(b).await;
    assert_eq!((task.root_cause, task.cause), (Some(a), Some(Cause::Failure)));
    assert_eq!(stand.resource(derived(a, "out")).await.status, ResourceStatus::Failed);
    assert_eq!(stand.awaited(b).await, [("in".to_owned(), DependencyStatus::Failed)]);

    let again = stand.restart(context, a, "a", OutputPolicy::Reuse);
    let before = stand.task(a).await;
    assert_eq!((before.status, before.restarted_as), (TaskStatus::Finished, Some(again)));
    let restarted = before.restarted.unwrap();
    assert_eq!((restarted.by.as_str(), restarted.reason.as_str()), ("ann", "it was the disk"));
    assert!(!before.current && stand.task(again).await.current);
    let out = stand.resource(derived(a, "out")).await;
    assert_eq!((out.status, out.custodian), (ResourceStatus::Allocated, Some(again)));
    let found = stand.context(context).await;
    assert_eq!((found.status, found.finished_at), (ContextStatus::Running, None));
    assert_eq!((found.tasks.failed, found.tasks.initialized, found.tasks.skipped), (0, 1, 2));
    assert_eq!(stand.awaited(b).await, [("in".to_owned(), DependencyStatus::Pending)]);

    for task in [b, c] {
        let revived = task::Revived { root_cause: a, restarted_as: again };
        stand.stream.push(context, task, Event::TaskRevived(revived));
    }
    let task = stand.task(b).await;
    assert_eq!((task.status, task.root_cause, task.reason), (TaskStatus::Initialized, None, None));
    assert_eq!(task.revived.map(|it| it.restarted_as), Some(again));
    assert_eq!(stand.resource(derived(b, "out")).await.status, ResourceStatus::Allocated);
    for task in [again, b, c] {
        stand.finish(context, task);
    }
    let found = stand.context(context).await;
    assert_eq!((found.status, found.tasks.ok, found.tasks.ended()), (ContextStatus::Ok, 3, 3));
}

#[tokio::test]
async fn a_restart_with_fresh_outputs_takes_the_place_of_all_that_was() {
    let Some(mut stand) = Stand::start().await else { return };
    let Run { context, a, b, c } = open(&mut stand.stream, 1);
    stand.finish(context, a);
    stand.stream.run(context, b, 1);
    let (child, finished) = delegating(context, b, 1);
    stand.stream.finish(context, b, finished);
    let Event::TaskFinished(finished) = &stand.stream.events.last().unwrap().event else {
        unreachable!()
    };
    let named = finished.children[0].task.clone();
    stand.stream.push(context, child, Event::TaskSpawned(named));
    stand.stream.run(context, child, 1);
    stand.finish(context, c);

    let restart = id(77);
    let restarted = context::Restarted {
        id: restart,
        target: Target::From(b),
        outputs: OutputPolicy::Reallocate,
        version: VersionPolicy::Latest,
        reason: "new data".into(),
        by: "ann".into(),
        steps: vec![],
        results: BTreeMap::from([("c".to_owned(), derived(successor_id(restart, c), "out"))]),
    };
    stand.stream.push(context, context, Event::ContextRestarted(restarted));
    let step = |stand: &mut Stand, task, name: &str, children| {
        let outputs = OutputPolicy::Reallocate;
        stand.restart_as_step(context, task, name, outputs, Some(restart), children)
    };
    let again = step(&mut stand, b, "b", vec![child]);
    // The child runs still, although another will have its place.
    let found = stand.context(context).await;
    assert_eq!((found.tasks.ok, found.tasks.received, found.tasks.initialized), (2, 1, 1));
    assert!(!stand.task(child).await.current);
    stand.stream.cancel(context, child, "its parent was restarted");
    let found = stand.context(context).await;
    assert_eq!((found.tasks.cancelled, found.tasks.live()), (0, 1));
    assert_eq!(stand.resource(derived(b, "out")).await.status, ResourceStatus::Failed);
    stand.finish(context, again);
    // Nothing lives, but the restart is not carried out.
    assert_eq!(stand.context(context).await.status, ContextStatus::Running);
    assert_eq!(stand.context(context).await.outputs["c"], derived(c, "out"));
    let last = step(&mut stand, c, "c", vec![]);
    assert_eq!(stand.context(context).await.outputs["c"], derived(last, "out"));
    stand.finish(context, last);
    let superseded = vec![context::Superseded { task_id: a, reason: "somebody was faster".into() }];
    let settled = context::RestartSettled { id: restart, superseded };
    stand.stream.push(context, context, Event::ContextRestartSettled(settled.clone()));
    let found = stand.context(context).await;
    assert_eq!((found.status, found.tasks.ok), (ContextStatus::Ok, 3));
    let [restart] = &found.restarts[..] else { panic!("{:?}", found.restarts) };
    assert!(restart.settled);
    assert_eq!((restart.target, restart.version), (Target::From(b), VersionPolicy::Latest));
    assert_eq!((&restart.superseded, restart.superseded_total), (&settled.superseded, 1));

    // What there is, for whoever reads each task from the stream, and for trees.
    let namespace = Namespace::default();
    let listed = stand.reader.context_tasks(&namespace, context, 100).await.unwrap();
    let position = |id| listed.tasks.iter().find(|(task, _)| *task == id).unwrap().1;
    let last_of = |id| {
        let mut events = stand.stream.events.iter().rev();
        events
            .find(|it| it.id == id && !matches!(it.event, Event::TaskReady(_)))
            .unwrap()
            .stream_seq
    };
    for id in [a, b, c, child, again, last] {
        assert_eq!(position(id), last_of(id));
    }
    assert_eq!((listed.tasks.len(), listed.truncated), (6, false));
    let listed = stand.reader.context_tasks(&namespace, context, 5).await.unwrap();
    assert_eq!((listed.tasks.len(), listed.truncated), (5, true));
    let missing = stand.reader.context_tasks(&namespace, id(5), 5).await;
    assert!(matches!(missing, Err(Error::NotFound { kind: "context", .. })));
    let graph = stand.reader.graph(&namespace, context, 100).await.unwrap();
    assert_eq!(graph.tasks[&b].restarted_as, Some(again));
    assert_eq!(graph.tasks[&again].restart_parent, Some(b));

    let filter = Filter { restart_root: Some(b), ..Filter::default() };
    let query = Query { filter: filter.clone(), limit: 10, ..Query::default() };
    let mut chain = stand.reader.tasks(&query).await.unwrap().items;
    chain.sort_by_key(|task| task.restart_root.is_some());
    assert_eq!(chain.iter().map(|task| task.id).collect::<Vec<_>>(), [b, again]);
    assert!(chain.iter().all(|task| filter.matches(task)));
}

#[tokio::test]
async fn an_order_to_stop_reaches_what_was_ordered_before_it() {
    let Some(mut stand) = Stand::start().await else { return };
    let Run { context, a, b, .. } = open(&mut stand.stream, 1);
    stand.stream.run(context, a, 1);
    stand.stream.cancel_context(context, "enough");
    let (early, finished) = delegating(context, a, 1);
    stand.stream.finish(context, a, finished);
    assert_eq!(stand.task(early).await.status, TaskStatus::Cancelled);
    assert_eq!(stand.task(early).await.cancelled_by.as_deref(), Some("tests"));
    stand.stream.cancel(context, b, "enough");
    let again = stand.restart(context, b, "b", OutputPolicy::Reuse);
    stand.stream.run(context, again, 1);
    let (late, finished) = delegating(context, again, 1);
    stand.stream.finish(context, again, finished);
    assert_eq!(stand.task(late).await.status, TaskStatus::Initialized);
    assert_eq!(stand.context(context).await.status, ContextStatus::Running);
}
