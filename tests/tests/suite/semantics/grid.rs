//! A pipeline of 200 tasks, of which some in the middle fail unless they are helped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use kantoku_api::{
    ClientError,
    contract::{ContextRestart, ContextWait, ContextWaited, ResourceList, Restarted},
};
use kantoku_domain::{Event, Id};
use kantoku_projections::document::ResourceDocument;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ground::Ground;

pub(super) const LAYERS: usize = 10;
pub(super) const WIDTH: usize = 20;
/// Two steps in the middle that fail unless there is a file for each: its content is what they
/// write. What comes after the one does not come after the other.
pub(super) const FRAGILE: [usize; 2] = [5 * WIDTH, 5 * WIDTH + 10];

pub(super) fn name(step: usize) -> String {
    format!("s{step:03}")
}

/// The steps that `step` reads: the one above it, and the one beside that.
fn reads(step: usize) -> Option<[usize; 2]> {
    let above = step.checked_sub(WIDTH)?;
    Some([above, above / WIDTH * WIDTH + (above + 1) % WIDTH])
}

/// The steps that come after `step`.
pub(super) fn after(step: usize) -> BTreeSet<usize> {
    let mut after = BTreeSet::new();
    for later in step + 1..LAYERS * WIDTH {
        let comes_after = |read: &usize| *read == step || after.contains(read);
        if reads(later).is_some_and(|reads| reads.iter().any(comes_after)) {
            after.insert(later);
        }
    }
    after
}

pub(super) fn names(steps: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    steps.into_iter().map(name).collect()
}

/// A run of the pipeline, and the files that decide about it.
pub(super) struct Grid {
    pub(super) ground: Ground,
    files: [PathBuf; 2],
    pub(super) context_id: Id,
}

/// Of each step the task that is current, with the position of its last event.
pub(super) type Tasks = BTreeMap<String, (Id, u64)>;

impl Grid {
    pub(super) async fn start() -> Self {
        let mut ground = Box::pin(Ground::start("2s")).await;
        let pass = json!({
            "inputs": {"x": "number", "y": {"optional": "number"}}, "outputs": {"x": "number"},
            "executable": {"type": "noop"},
        });
        ground.apply("Specification", "pass", pass).await;
        let files = FRAGILE
            .map(|step| std::env::temp_dir().join(format!("ktk-grid-{}-{step}", Uuid::new_v4())));
        for (step, file) in FRAGILE.into_iter().zip(&files) {
            let fragile = json!({
                "inputs": {"x": "number", "y": {"optional": "number"}}, "outputs": {"x": "number"},
                "executable": {"type": "process", "command": [
                    "sh", "-c", "n=$(cat \"$0\") && echo \"{\\\"x\\\": $n}\"", file,
                ]},
            });
            ground.apply("Specification", &format!("fragile-{step}"), fragile).await;
        }
        let task = |step: usize| {
            let with = match reads(step) {
                None => json!({"x": step}),
                Some([x, y]) => {
                    json!({"x": format!("${}.x", name(x)), "y": format!("${}.x", name(y))})
                }
            };
            let fragile = FRAGILE.contains(&step).then(|| format!("fragile-{step}"));
            json!({"use": fragile.unwrap_or_else(|| "pass".into()), "with": with})
        };
        let steps = LAYERS * WIDTH;
        let tasks: serde_json::Map<_, _> = (0..steps).map(|n| (name(n), task(n))).collect();
        let last = steps - WIDTH..steps;
        let outputs: serde_json::Map<_, _> =
            last.map(|n| (name(n), json!(format!("${}.x", name(n))))).collect();
        let pipeline = json!({"tasks": tasks, "outputs": outputs});
        ground.apply("Pipeline", "grid", pipeline).await;
        ground.execute("executor");
        Self { ground, files, context_id: Id::default() }
    }

    /// Runs it to its end.
    pub(super) async fn run(&mut self) -> ContextWaited {
        self.context_id = self.ground.run("grid", json!({})).await.context_id;
        self.end().await
    }

    pub(super) async fn end(&self) -> ContextWaited {
        let params = json!({"id": self.context_id, "timeout": "2m"});
        let waited = self.ground.call::<ContextWait>(params).await;
        assert!(waited.done, "{:?}", waited.context);
        waited
    }

    pub(super) fn write(&self, file: usize, value: u64) {
        fs::write(&self.files[file], value.to_string()).expect("written");
    }

    pub(super) fn remove(&self, file: usize) {
        fs::remove_file(&self.files[file]).expect("removed");
    }

    /// Of each step the task that is current, as the events tell.
    pub(super) fn tasks(&self) -> Tasks {
        let mut tasks = Tasks::new();
        let mut steps = BTreeMap::new();
        for recorded in self.ground.events.all() {
            if recorded.metadata.correlation_id != self.context_id {
                continue;
            }
            if let Event::TaskSpawned(spawned) = &recorded.event {
                let step = spawned.step.clone().expect("a step of the pipeline");
                steps.insert(recorded.id, step);
            }
            let is_state = !matches!(recorded.event, Event::TaskReady(_));
            if let Some(step) = steps.get(&recorded.id).filter(|_| is_state) {
                let place = tasks.entry(step.clone()).or_insert((recorded.id, 0));
                // A successor is spawned after the event that named it.
                if place.0 == recorded.id || matches!(recorded.event, Event::TaskSpawned(_)) {
                    *place = (recorded.id, recorded.stream_seq);
                }
            }
        }
        tasks
    }

    pub(super) async fn resources(&self, min_seq: u64) -> BTreeMap<Id, ResourceDocument> {
        let params = json!({"limit": 1_000, "min_seq": min_seq});
        let page = self.ground.call::<ResourceList>(params).await;
        assert_eq!(page.next_cursor, None, "they fit on one page");
        page.items.into_iter().map(|document| (document.id, document)).collect()
    }

    pub(super) async fn try_restart(&self, request: &Value) -> Result<Restarted, ClientError> {
        let mut params = request.clone();
        params["id"] = json!(self.context_id);
        self.ground.try_call::<ContextRestart>(params).await
    }

    pub(super) async fn stop(self) {
        for file in &self.files {
            fs::remove_file(file).ok();
        }
        Box::pin(self.ground.stop()).await;
    }
}
