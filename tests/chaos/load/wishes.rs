//! What one client asks for next.

use std::collections::VecDeque;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

use crate::client::{Calls, Told};

/// How much a client remembers of what it has asked for.
const REMEMBERED_MAX: usize = 40;

#[derive(Clone, Copy)]
enum Wish {
    Spawn,
    Follow,
    Run,
    Restart,
    RestartContext,
    Cancel,
    CancelContext,
    Pause,
    Resume,
    Give,
    Look,
    List,
}

/// How often each, in relation to the others.
static WISHES: [(Wish, u32); 12] = [
    (Wish::Spawn, 25),
    (Wish::Follow, 20),
    (Wish::Run, 12),
    (Wish::Restart, 8),
    (Wish::RestartContext, 4),
    (Wish::Cancel, 4),
    (Wish::CancelContext, 2),
    (Wish::Pause, 4),
    (Wish::Resume, 6),
    (Wish::Give, 4),
    (Wish::Look, 20),
    (Wish::List, 6),
];
/// How many of the spawns have no key.
const UNKEYED: f64 = 0.2;
const SPECIFICATIONS: [&str; 9] =
    ["pass", "pass", "pass", "slow", "fragile", "broken", "fork", "deep", "long"];
const PIPELINES: [&str; 3] = ["chain", "fan", "breaks"];

/// What is known of a task, or of a run as a whole.
#[derive(Clone)]
struct Known {
    task: Option<Value>,
    context: Value,
    output: Value,
}

/// See the module.
pub(super) struct Client {
    calls: Calls,
    random: StdRng,
    known: VecDeque<Known>,
    /// What was paused, or may have been, and has to go on: the method and the id.
    owed: VecDeque<(&'static str, Value)>,
    /// What may be paused later than it was let go on.
    doubtful: Vec<(&'static str, Value)>,
}

impl Client {
    pub(super) fn new(calls: Calls, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { calls, random, known: VecDeque::new(), owed: VecDeque::new(), doubtful: Vec::new() }
    }

    /// Asks for one thing, and waits for what comes of it.
    pub(super) async fn wish(&mut self) {
        let wish = WISHES.choose_weighted(&mut self.random, |(_, weight)| *weight);
        match wish.expect("weights").0 {
            Wish::Spawn => self.spawn(None).await,
            Wish::Follow => {
                let before = self.any().map(|known| known.output);
                self.spawn(before).await;
            }
            Wish::Run => self.run().await,
            Wish::Restart => self.restart().await,
            Wish::RestartContext => self.restart_context().await,
            Wish::Cancel => self.cancel("task.cancel").await,
            Wish::CancelContext => self.cancel("context.cancel").await,
            Wish::Pause => self.pause().await,
            Wish::Resume => {
                if let Some(owed) = self.owed.pop_front() {
                    self.resume(owed).await;
                }
            }
            Wish::Give => self.give().await,
            Wish::Look => self.look().await,
            Wish::List => self.list().await,
        }
    }

    /// Lets everything go on that is paused; what it was told in all.
    pub(super) async fn settle(mut self) -> Told {
        self.owed.extend(std::mem::take(&mut self.doubtful));
        while let Some(owed) = self.owed.pop_front() {
            self.resume(owed).await;
        }
        // A sign of life, and an event behind whatever else was published.
        self.spawn(None).await;
        self.calls.told
    }

    async fn spawn(&mut self, before: Option<Value>) {
        let specification = *SPECIFICATIONS.choose(&mut self.random).expect("some");
        let input = match before {
            Some(resource) => json!({ "resource": resource }),
            None => json!({"value": self.random.random_range(0..1_000)}),
        };
        let params = json!({"specification": specification, "inputs": {"x": input}});
        let told = if self.random.random_bool(UNKEYED) {
            self.calls.once("task.spawn", params).await
        } else {
            self.calls.keyed("task.spawn", params).await
        };
        if let Ok(spawned) = told {
            self.remember(Known {
                task: Some(spawned["task_id"].clone()),
                context: spawned["context_id"].clone(),
                output: spawned["outputs"]["x"].clone(),
            });
        }
    }

    async fn run(&mut self) {
        let name = *PIPELINES.choose(&mut self.random).expect("some");
        let params = json!({"name": name, "params": {"x": self.random.random_range(0..1_000)}});
        if let Ok(run) = self.calls.keyed("pipeline.run", params).await {
            let output = run["outputs"]["x"].clone();
            self.remember(Known { task: None, context: run["context_id"].clone(), output });
        }
    }

    async fn restart(&mut self) {
        let Some(task) = self.any_task() else { return };
        let outputs = if self.random.random_bool(0.5) { "reuse" } else { "reallocate" };
        let params = json!({"id": task, "outputs": outputs, "reason": "asked for"});
        // Most are refused: it has not ended, its output is resolved.
        self.calls.keyed("task.restart", params).await.ok();
    }

    async fn restart_context(&mut self) {
        let Some(Known { context, .. }) = self.any() else { return };
        let params = json!({"id": context, "target": "failed", "reason": "asked for"});
        self.calls.keyed("context.restart", params).await.ok();
    }

    async fn cancel(&mut self, method: &str) {
        let Some(known) = self.any() else { return };
        let id = if method == "task.cancel" { known.task } else { Some(known.context) };
        let Some(id) = id else { return };
        self.calls.keyed(method, json!({"id": id, "reason": "asked for"})).await.ok();
    }

    async fn pause(&mut self) {
        let Some(known) = self.any() else { return };
        let (pause, resume, id) = match known.task {
            Some(task) if self.random.random_bool(0.5) => ("task.pause", "task.resume", task),
            _ => ("context.pause", "context.resume", known.context),
        };
        match self.calls.keyed(pause, json!({"id": id, "reason": "asked for"})).await {
            Ok(_) => self.owed.push_back((resume, id)),
            Err(failed) if failed.is_unknown => self.doubtful.push((resume, id)),
            Err(_) => {}
        }
    }

    async fn resume(&mut self, (method, id): (&'static str, Value)) {
        // A refusal says that it goes on, or has ended.
        self.calls.keyed(method, json!({ "id": id })).await.ok();
    }

    /// A resource of nobody's, its value, and a task that reads it.
    async fn give(&mut self) {
        let allocate = json!({"count": 1, "type": "number"});
        let Ok(allocated) = self.calls.keyed("resource.allocate", allocate).await else { return };
        let resource = allocated["ids"][0].clone();
        let value = self.random.random_range(0..1_000);
        let params = json!({"items": [{"id": resource, "value": value}]});
        if self.calls.keyed("resource.initialize", params).await.is_ok() {
            self.spawn(Some(resource)).await;
        }
    }

    async fn look(&mut self) {
        let Some(known) = self.any() else { return };
        let (method, id) = match known.task {
            Some(task) => ("task.get", task),
            None => ("context.get", known.context),
        };
        self.calls.read(method, json!({ "id": id })).await;
    }

    async fn list(&mut self) {
        let Some(Known { context, .. }) = self.any() else { return };
        self.calls.read("task.list", json!({"filter": {"context_id": context}})).await;
    }

    fn remember(&mut self, known: Known) {
        self.known.push_back(known);
        if self.known.len() > REMEMBERED_MAX {
            self.known.pop_front();
        }
    }

    fn any(&mut self) -> Option<Known> {
        let index = self.random.random_range(0..self.known.len().max(1));
        self.known.get(index).cloned()
    }

    fn any_task(&mut self) -> Option<Value> {
        self.any().and_then(|known| known.task)
    }
}
