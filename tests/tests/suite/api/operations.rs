//! The read model verified and made anew while tasks run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kantoku_api::{
    Client, Code,
    contract::{
        ContextWait, Operation, OperationGet, OperationStatus, PipelineRun, ProjectionList,
        ProjectionRebuild, ProjectionVerify, ServiceList, SystemInfo, TaskCount,
    },
};
use kantoku_domain::Id;
use kantoku_projections::document::ContextStatus;
use serde_json::{Value, json};

use super::{DEADLINE, Served, apply, call, document, pass, refused};

/// `width` chains of `length` no-ops.
fn chains(width: usize, length: usize) -> Value {
    let mut tasks = serde_json::Map::new();
    for chain in 0..width {
        for n in 0..length {
            let x = match n {
                0 => json!(chain),
                _ => json!(format!("$c{chain}n{}.x", n - 1)),
            };
            tasks.insert(format!("c{chain}n{n}"), json!({"use": "pass", "with": {"x": x}}));
        }
    }
    document("Pipeline", "chains", &json!({ "tasks": tasks }))
}

/// The operation once it has ended.
async fn ended(client: &Client, id: Id) -> Operation {
    let ended = async {
        loop {
            let operation = call::<OperationGet>(client, json!({ "id": id })).await.expect("known");
            if operation.status != OperationStatus::Running {
                return operation;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.expect("it ends")
}

async fn verified(client: &Client) -> Operation {
    let started = call::<ProjectionVerify>(client, json!({})).await.expect("started");
    ended(client, started.operation_id).await
}

fn unequal(operation: &Operation) -> Vec<&str> {
    let unequal = operation.equal.iter().filter(|(_, equal)| !**equal);
    unequal.map(|(table, _)| table.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_tampered_with_is_found_and_repaired() {
    let served = Served::start().await;
    let node = served.stand.node("node").await;
    let executor = served.stand.executor("executor");
    let client = served.client().await;
    apply(&client, vec![pass(), chains(5, 5)]).await.expect("applied");
    let run = call::<PipelineRun>(&client, json!({"name": "chains"})).await.expect("started");
    let wait = json!({"id": run.context_id, "timeout": "1m"});
    assert!(call::<ContextWait>(&client, wait).await.expect("waited").done);

    let operation = verified(&client).await;
    assert_eq!((operation.status, operation.error.as_deref()), (OperationStatus::Done, None));
    assert_eq!((operation.equal.len(), unequal(&operation)), (11, vec![]));
    assert_eq!(operation.as_of_seq, Some(operation.total));
    assert_eq!(operation.done, operation.total);
    assert!(operation.finished_at.is_some_and(|at| at >= operation.started_at));

    let pool = sqlx::PgPool::connect(served.stand.database_url()).await.expect("connected");
    let tampered = sqlx::query(
        "UPDATE ktk.tasks SET document = jsonb_set(document, '{priority}', '7') \
         WHERE id = (SELECT id FROM ktk.tasks LIMIT 1)",
    );
    assert_eq!(tampered.execute(&pool).await.expect("done").rows_affected(), 1);
    assert_eq!(unequal(&verified(&client).await), ["tasks"]);

    let started = call::<ProjectionRebuild>(&client, json!({})).await.expect("started");
    let rebuilt = ended(&client, started.operation_id).await;
    assert_eq!((rebuilt.status, rebuilt.error.as_deref()), (OperationStatus::Done, None));
    assert_eq!(unequal(&verified(&client).await), Vec::<&str>::new());

    let list = call::<ProjectionList>(&client, json!({})).await.expect("listed");
    assert_eq!((list.items.len(), list.items[0].name.as_str()), (1, "ktk"));
    assert_eq!(list.items[0].stream_seq, list.items[0].head_seq);
    let info = call::<SystemInfo>(&client, json!({})).await.expect("answered");
    assert_eq!((info.head_seq, info.projected_seq), (list.items[0].head_seq, info.head_seq));
    assert!(info.nats_version.starts_with("2."), "{}", info.nats_version);
    assert_eq!(call::<ServiceList>(&client, json!({})).await.expect("listed").items, []);
    let unknown = json!({"id": run.context_id});
    assert_eq!(refused(call::<OperationGet>(&client, unknown).await).code, Code::NotFound);
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_model_is_made_anew_while_tasks_run() {
    const REBUILDS: usize = 3;
    let served = Served::start().await;
    let node = served.stand.node("node").await;
    let executor = served.stand.executor("executor");
    let client = served.client().await;
    apply(&client, vec![pass(), chains(8, 12)]).await.expect("applied");
    let is_over = Arc::new(AtomicBool::new(false));
    let running = tokio::spawn({
        let (client, is_over) = (client.clone(), Arc::clone(&is_over));
        async move {
            let mut runs = 0;
            while !is_over.load(Ordering::Relaxed) {
                let run = json!({"name": "chains"});
                let run = call::<PipelineRun>(&client, run).await.expect("started");
                let wait = json!({"id": run.context_id, "timeout": "1m"});
                let waited = call::<ContextWait>(&client, wait).await.expect("waited");
                assert_eq!((waited.done, waited.context.status), (true, ContextStatus::Ok));
                assert_eq!(waited.context.tasks.ok, 96);
                runs += 1;
            }
            runs
        }
    });
    for _ in 0..REBUILDS {
        let before = served.stand.bus.head().await.expect("the stream answers");
        let started = call::<ProjectionRebuild>(&client, json!({})).await.expect("started");
        let again = call::<ProjectionRebuild>(&client, json!({})).await.expect("answered");
        assert_eq!(again, started, "one at a time");
        let other = refused(call::<ProjectionVerify>(&client, json!({})).await);
        assert_eq!(other.data.winner, Some(started.operation_id));
        let rebuilt = ended(&client, started.operation_id).await;
        assert_eq!((rebuilt.status, rebuilt.error.as_deref()), (OperationStatus::Done, None));
        assert!(rebuilt.as_of_seq.is_some_and(|at| at >= before), "{rebuilt:?} {before}");
    }
    is_over.store(true, Ordering::Relaxed);
    let runs = running.await.expect("all runs are well");
    let head = served.stand.bus.head().await.expect("the stream answers");
    let counted = call::<TaskCount>(&client, json!({"min_seq": head})).await.expect("counted");
    assert_eq!((counted.total, counted.by_status["finished/ok"]), (runs * 96, runs * 96));
    let operation = verified(&client).await;
    assert_eq!((operation.as_of_seq, unequal(&operation)), (Some(head), vec![]));
    executor.stop().await;
    node.stop().await;
    served.stop().await;
}
