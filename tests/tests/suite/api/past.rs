//! What reads tell of the past is what the read model said then.

use kantoku_api::{
    Code, ErrorData,
    contract::{
        ContextCancel, ContextGet, ContextGraph, PipelineRun, ResourceAllocate, ResourceGet,
        ResourceInitialize, TaskCancel, TaskGet, TaskLabel, TaskRestart, TaskSpawn, TaskTree,
        TaskWait,
    },
};
use kantoku_domain::{Id, Namespace, Recorded};
use kantoku_projections::{
    Error as ReadError, Projector, Reader,
    document::{ContextDocument, ResourceDocument, TaskDocument},
    reader::Found,
};
use kantoku_streams::subject;
use serde_json::{Value, json};

use super::{DEADLINE, Served, apply, call, document, pass, refused};

/// Postgres as it was at every position: tables that take in one event after the other.
struct Then {
    reader: Reader,
    projector: Projector,
}

impl Then {
    async fn begin(served: &Served) -> Self {
        let database = served.stand.database("past").await;
        let created = served.stand.bus.created().await.expect("a stream");
        let projector = Projector::new(database.clone(), created);
        let reader = Reader::start(database).await.expect("Postgres answers");
        Self { reader, projector }
    }

    async fn take(&self, recorded: &Recorded) {
        let reached = self.projector.apply_batch(&[recorded]).await.expect("projected");
        self.reader.wait_for(reached, DEADLINE).await.expect("reached");
    }
}

/// What is there of a task, a context or a resource; `None` if there is none.
fn found<T>(found: Result<Found<T>, ReadError>) -> Option<T> {
    match found {
        Ok(found) => Some(found.document),
        Err(ReadError::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// What was answered; `None` if there was none as of that position.
#[track_caller]
fn told<T: std::fmt::Debug>(answer: Result<T, kantoku_api::ClientError>, at_seq: u64) -> Option<T> {
    match answer {
        Ok(document) => Some(document),
        other => {
            let error = refused(other);
            assert_eq!(error.code, Code::NotFound, "{error:?}");
            let as_of = format!("(as of position {at_seq})");
            assert!(error.message.contains(&as_of), "{error:?}");
            None
        }
    }
}

/// A run with most of what can happen to tasks: a failure with what it skips, a restart, an end by
/// order, labels, inputs from other contexts and from nowhere. Its namespace is `default`.
async fn history(served: &Served) -> Vec<Recorded> {
    let client = served.client().await;
    let command = json!(["python3", "-c", "import sys; sys.exit('no such page')"]);
    let fails = json!({
        "outputs": {"x": "unknown"}, "executable": {"type": "process", "command": command},
        "retry": {"attempts": 2, "backoff": "1ms"},
    });
    let pipeline = json!({"tasks": {
        "a": {"use": "fails"},
        "b": {"use": "pass", "with": {"x": "$a.x"}},
        "c": {"use": "pass", "with": {"x": "$b.x"}},
    }});
    let documents = vec![
        pass(),
        document("Specification", "fails", &fails),
        document("Pipeline", "p", &pipeline),
    ];
    apply(&client, documents).await.expect("applied");
    let (node, executor) = (served.stand.node("node").await, served.stand.executor("executor"));

    let page = call::<ResourceAllocate>(&client, json!({"count": 1})).await.expect("allocated");
    let page = page.ids[0];
    let spawn = |inputs: Value, labels: Value| {
        let params = json!({"specification": "pass", "inputs": inputs, "labels": labels});
        call::<TaskSpawn>(&client, params)
    };
    let first = spawn(json!({"x": {"resource": page}}), json!({})).await.expect("spawned");
    // It reads from another context.
    let second = json!({"x": {"resource": first.outputs["x"]}});
    let second = spawn(second, json!({"team": "a"})).await.expect("spawned");
    let never = spawn(json!({"x": {"resource": Id::default()}}), json!({})).await.expect("spawned");
    let label = json!({"id": never.task_id, "set": {"why": "late"}});
    call::<TaskLabel>(&client, label).await.expect("labelled");

    let run = call::<PipelineRun>(&client, json!({"name": "p"})).await.expect("started");
    crate::history::History::follow(&served.stand.bus, run.context_id, DEADLINE).await;
    let head = served.stand.bus.head().await.expect("it answers");
    let tree = call::<TaskTree>(&client, json!({"id": run.context_id, "min_seq": head})).await;
    let failed = tree.expect("drawn").tasks[0].id;
    let restart = json!({"id": failed, "outputs": "reuse", "version": "same", "reason": "again"});
    call::<TaskRestart>(&client, restart).await.expect("restarted");
    let stop = json!({"id": run.context_id, "reason": "enough"});
    // It may have failed again by now.
    call::<ContextCancel>(&client, stop).await.ok();

    let items = json!({"items": [{"id": page, "value": "here"}]});
    call::<ResourceInitialize>(&client, items).await.expect("given");
    let wait = json!({"id": second.task_id, "timeout": "60s"});
    assert!(call::<TaskWait>(&client, wait).await.expect("waited").done);
    let cancel = json!({"id": never.task_id, "reason": "it never comes"});
    call::<TaskCancel>(&client, cancel).await.expect("cancelled");
    executor.stop().await;
    node.stop().await;
    let head = served.stand.bus.head().await.expect("it answers");
    served.stand.bus.between(1, head).await.expect("it can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_position_reads_tell_what_the_read_model_said_then() {
    let served = Box::pin(Served::start()).await;
    let events = history(&served).await;
    let client = served.client().await;
    let last = events.last().expect("events").stream_seq;
    let all = json!({"limit": 1000, "min_seq": last});
    let list = call::<kantoku_api::contract::TaskList>(&client, all.clone()).await.expect("listed");
    let tasks: Vec<Id> = list.items.iter().map(|task| task.id).collect();
    let list = call::<kantoku_api::contract::ContextList>(&client, all.clone()).await;
    let contexts: Vec<Id> = list.expect("listed").items.iter().map(|it| it.id).collect();
    let list = call::<kantoku_api::contract::ResourceList>(&client, all).await.expect("listed");
    let resources: Vec<Id> = list.items.iter().map(|it| it.id).collect();
    assert!(tasks.len() > 6 && contexts.len() == 4 && resources.len() > 6, "{tasks:?}");

    let namespace = Namespace::default();
    let then = Box::pin(Then::begin(&served)).await;
    let (mut there, mut not_there) = (0, 0);
    for recorded in &events {
        let at_seq = recorded.stream_seq;
        then.take(recorded).await;
        let ask = |id: &Id| json!({"id": id, "at_seq": at_seq});
        for id in &tasks {
            let expected = found(then.reader.task(&namespace, *id).await);
            let answer = told(call::<TaskGet>(&client, ask(id)).await, at_seq);
            assert_eq!(answer, expected, "task {id} at {at_seq}: {recorded:?}");
            let count = if expected.is_some() { &mut there } else { &mut not_there };
            *count += 1;
        }
        for id in &contexts {
            let expected = found(then.reader.record::<ContextDocument>(&namespace, *id).await);
            let answer = told(call::<ContextGet>(&client, ask(id)).await, at_seq);
            assert_eq!(answer, expected, "context {id} at {at_seq}: {recorded:?}");
            let tree = told(call::<TaskTree>(&client, ask(id)).await, at_seq);
            assert_eq!(tree.as_ref().map(|tree| &tree.context), expected.as_ref());
            let Some(tree) = tree else { continue };
            assert_eq!((tree.as_of_seq, tree.truncated), (at_seq, false));
            let mut drawn: Vec<_> =
                tree.tasks.iter().map(|task| (task.id, task.status, task.attempt)).collect();
            drawn.sort_unstable_by_key(|task| task.0);
            let graph = then.reader.graph(&namespace, *id, 1_000).await.expect("it is there");
            let stored = graph.tasks.values().map(|task| (task.id, task.status, task.attempt));
            assert_eq!(drawn, stored.collect::<Vec<_>>(), "context {id} at {at_seq}");
            let drawing = call::<ContextGraph>(&client, ask(id)).await.expect("drawn");
            let current = tree.current().tasks;
            assert_eq!(
                drawing.nodes.iter().map(|it| &it.task).collect::<Vec<_>>(),
                current.iter().collect::<Vec<_>>()
            );
            assert_eq!(drawing.as_of_seq, at_seq);
        }
        for id in &resources {
            let expected = found(then.reader.record::<ResourceDocument>(&namespace, *id).await);
            let answer = told(call::<ResourceGet>(&client, ask(id)).await, at_seq);
            assert_eq!(answer, expected, "resource {id} at {at_seq}: {recorded:?}");
        }
    }
    assert!(there > 100 && not_there > 30, "{there} were there, {not_there} not yet");

    // At the end it is what is told of now, and the tree whole.
    for id in &contexts {
        let now = call::<TaskTree>(&client, json!({"id": id, "min_seq": last})).await.expect("it");
        let then = call::<TaskTree>(&client, json!({"id": id, "at_seq": now.as_of_seq})).await;
        assert_eq!(then.expect("it"), now);
        let now = call::<ContextGraph>(&client, json!({"id": id})).await.expect("drawn");
        let then = call::<ContextGraph>(&client, json!({"id": id, "at_seq": now.as_of_seq})).await;
        assert_eq!(then.expect("drawn"), now);
    }
    by_time(&client, &events, &tasks).await;
    Box::pin(served.stop()).await;
}

/// A time is the last position at or before it.
async fn by_time(client: &kantoku_api::Client, events: &[Recorded], tasks: &[Id]) {
    for id in tasks {
        let now: TaskDocument = call::<TaskGet>(client, json!({"id": id})).await.expect("it is");
        let at = now.updated_at;
        let last = events.iter().rev().find(|event| event.metadata.at <= at).expect("an event");
        let by_time = call::<TaskGet>(client, json!({"id": id, "at": at})).await.expect("it was");
        let ask = json!({"id": id, "at_seq": last.stream_seq});
        assert_eq!(by_time, call::<TaskGet>(client, ask).await.expect("it was"));
        let before = call::<TaskGet>(client, json!({"id": id, "at": "2020-01-01T00:00:00Z"})).await;
        assert_eq!(refused(before).code, Code::NotFound);
        let ago = call::<TaskGet>(client, json!({"id": id, "at": "0s"})).await.expect("it is");
        assert_eq!(ago, now);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_of_the_past_says_why() {
    let served = Box::pin(Served::start()).await;
    let client = served.client().await;
    let applied = apply(&client, vec![pass()]).await.expect("applied");
    let spawn = json!({"specification": "pass", "inputs": {"x": {"value": 1}}});
    let task = call::<TaskSpawn>(&client, spawn.clone()).await.expect("spawned");
    let abroad = json!({"specification": "pass", "inputs": {"x": {"value": 1}}, "namespace": "b"});
    call::<kantoku_api::contract::ManifestApply>(
        &client,
        json!({"documents": [pass()], "namespace": "b"}),
    )
    .await
    .expect("applied");
    let abroad = call::<TaskSpawn>(&client, abroad).await.expect("spawned");
    let head = served.stand.bus.head().await.expect("it answers");
    let refusal = async |more: Value| {
        let mut params = json!({"id": task.task_id});
        params.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        let error = refused(call::<TaskGet>(&client, params.clone()).await);
        let drawn = refused(call::<ContextGraph>(&client, params).await);
        assert_eq!(drawn.code, error.code, "{drawn:?}");
        let ErrorData { field, .. } = *error.data;
        (error.code, field.unwrap_or_default(), error.message)
    };
    for (more, code, field, text) in [
        (json!({"at_seq": 0}), Code::Invalid, "at_seq", "begin with 1"),
        (json!({"at_seq": head + 1}), Code::Invalid, "at_seq", "the stream ends at position"),
        (json!({"at_seq": 1, "at": "1m"}), Code::Invalid, "at", "leave one of them out"),
        (json!({"at": "9999-01-01T00:00:00Z"}), Code::Invalid, "at", "yet to come"),
        (json!({"at": "yesterday"}), Code::Invalid, "at", "10m"),
        (json!({"at": "9000d"}), Code::NotFound, "at", "nothing had happened"),
        (json!({"at_seq": applied.stream_seq}), Code::NotFound, "", "(as of position"),
        (json!({"at_seq": head, "namespace": "b"}), Code::NotFound, "", "(as of position"),
    ] {
        let (found, at, message) = refusal(more.clone()).await;
        assert_eq!((found, at.as_str()), (code, field), "{more}: {message}");
        assert!(message.contains(text), "{more}: {message}");
    }

    // Of another namespace, nobody learns whether there is one, or was.
    let nowhere = Id::default();
    for id in [abroad.task_id, abroad.context_id, abroad.outputs["x"]] {
        let ask = |id: Id| json!({"id": id, "at_seq": head});
        let message = async |id: Id| {
            let answers = [
                refused(call::<TaskGet>(&client, ask(id)).await),
                refused(call::<ContextGet>(&client, ask(id)).await),
                refused(call::<ResourceGet>(&client, ask(id)).await),
                refused(call::<TaskTree>(&client, ask(id)).await),
                refused(call::<ContextGraph>(&client, ask(id)).await),
            ];
            answers.map(|error| (error.code, error.message.replace(&id.to_string(), "ID")))
        };
        assert_eq!(message(id).await, message(nowhere).await, "{id}");
    }

    // What the stream does not have any more is in the archive.
    let at_seq = task.stream_seq;
    assert!(call::<TaskGet>(&client, json!({"id": task.task_id, "at_seq": at_seq})).await.is_ok());
    let nats = kantoku_streams::connect(served.stand.nats_url(), "purge", DEADLINE).await;
    let nats = nats.expect("connected");
    let stream = async_nats::jetstream::new(nats).get_stream(subject::EVENTS).await;
    let purge = stream.expect("a stream").purge().sequence(at_seq + 1);
    assert!(purge.await.expect("purged").purged > 0);
    for more in [json!({"at_seq": at_seq}), json!({"at_seq": head})] {
        let (code, _, message) = refusal(more.clone()).await;
        assert_eq!(code, Code::Archived, "{more}: {message}");
        assert!(message.contains("ktk events replay FILE"), "{message}");
    }
    let now = call::<TaskGet>(&client, json!({"id": task.task_id})).await;
    assert!(now.is_ok(), "{now:?}");
    Box::pin(served.stop()).await;
}
