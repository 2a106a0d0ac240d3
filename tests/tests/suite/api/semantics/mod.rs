//! Restarts, pauses, approvals, limits and attempts over the API, with processors in this process.

mod orders;
mod restarts;
mod waits;

use std::time::Duration;

use kantoku_api::{
    Client,
    contract::{TaskGet, TaskSpawn, TaskTree, TaskWait, TaskWhy, Tree, TreeTask, Why},
};
use kantoku_domain::{Event, Id};
use kantoku_projections::document::{TaskDocument, TaskStatus};
use serde_json::{Value, json};

use super::{Served, call, document};
use crate::stand::Running;

/// How long an answer that is about to change is asked for again.
const DEADLINE: Duration = super::DEADLINE;

/// All processors.
struct World {
    served: Served,
    client: Client,
    node: Running,
    executor: Running,
}

impl World {
    async fn start(documents: Vec<Value>) -> Self {
        let served = Box::pin(Served::start()).await;
        let client = served.client().await;
        super::apply(&client, documents).await.expect("applied");
        let node = served.stand.node("node").await;
        let executor = served.stand.executor("executor");
        Self { served, client, node, executor }
    }

    async fn stop(self) {
        self.executor.stop().await;
        self.node.stop().await;
        Box::pin(self.served.stop()).await;
    }

    async fn spawn(&self, params: Value) -> kantoku_api::contract::Spawned {
        call::<TaskSpawn>(&self.client, params).await.expect("spawned")
    }

    /// Waits for the end of a task, and how that was.
    async fn end(&self, id: Id) -> (TaskStatus, Option<kantoku_domain::task::Outcome>) {
        let waited = call::<TaskWait>(&self.client, json!({"id": id, "timeout": "60s"})).await;
        let waited = waited.expect("waited");
        assert!(waited.done, "{id} ends in time: {waited:?}");
        (waited.status, waited.sub_status)
    }

    /// The task as of now.
    async fn task(&self, id: Id) -> TaskDocument {
        let head = self.served.stand.bus.head().await.expect("it answers");
        call::<TaskGet>(&self.client, json!({"id": id, "min_seq": head})).await.expect("there")
    }

    /// The tasks of a context as of now.
    async fn tree(&self, id: Id) -> Tree {
        let head = self.served.stand.bus.head().await.expect("it answers");
        call::<TaskTree>(&self.client, json!({"id": id, "min_seq": head})).await.expect("drawn")
    }

    /// Follows the stream to an event of a task.
    async fn until(&self, id: Id, is_it: impl Fn(&Event) -> bool) -> u64 {
        let is_it = |it: &kantoku_domain::Recorded| it.id == id && is_it(&it.event);
        self.served.until(is_it).await.stream_seq
    }

    /// Asks why until the answer is one fact of this kind: the scheduler learns of things a moment
    /// after they are so.
    async fn why(&self, id: Id, kind: &str) -> Why {
        let ask = async {
            loop {
                let head = self.served.stand.bus.head().await.expect("it answers");
                let ask = json!({"id": id, "min_seq": head});
                let why = call::<TaskWhy>(&self.client, ask).await.expect("told");
                if matches!(&why.facts[..], [fact] if fact.kind == kind) {
                    return why;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, ask).await.expect("it is told in time")
    }
}

/// The current task of a step.
fn step<'a>(tree: &'a Tree, name: &str) -> &'a TreeTask {
    let is_it =
        |task: &&TreeTask| task.step.as_deref() == Some(name) && task.restarted_as.is_none();
    tree.tasks.iter().find(is_it).expect("a step")
}

fn spec(name: &str, executable: &Value) -> Value {
    let outputs = json!({"x": {"optional": "unknown"}});
    let inputs = json!({"x": {"optional": "unknown"}});
    document(
        "Specification",
        name,
        &json!({"inputs": inputs, "outputs": outputs, "executable": executable}),
    )
}

/// A specification whose tasks finish ok.
fn ok(name: &str) -> Value {
    spec(name, &json!({"type": "noop"}))
}

/// A specification whose tasks fail.
fn fails(name: &str) -> Value {
    spec(name, &json!({"type": "process", "command": ["sh", "-c", "exit 3"]}))
}

/// A specification whose tasks run for long.
fn naps(name: &str) -> Value {
    spec(name, &json!({"type": "sleep", "duration": "10m"}))
}
