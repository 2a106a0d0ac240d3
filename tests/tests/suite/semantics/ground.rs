//! All processors in processes of their own, a client and the events.

use futures::StreamExt as _;
use kantoku_api::{
    Client, ClientError,
    contract::{ManifestApply, Method, PipelineRun, Run, Spawned, TaskSpawn},
};
use kantoku_domain::{Id, Namespace};
use kantoku_streams::{Bus, LogEntry, LogFilter};
use serde_json::{Value, json};

use super::{DEADLINE, events::Events};
use crate::processes::Processes;

/// The service with all handlers.
pub(super) const NODE: &str = "node";
/// Another one, which is not there from the beginning.
pub(super) const STAND_BY: &str = "node-2";
const HANDLERS: &str = "scheduler,unfolder,lease-keeper,timers";

pub(super) struct Ground {
    pub(super) processes: Processes,
    pub(super) client: Client,
    pub(super) bus: Bus,
    pub(super) events: Events,
    lease: String,
}

impl Ground {
    /// Everything but executors, which have leases of this length.
    pub(super) async fn start(lease: &str) -> Self {
        let mut processes = Box::pin(Processes::start()).await;
        processes.serve("edge", "api,projector");
        processes.serve_with(NODE, HANDLERS, &["--lease", lease]);
        let client = processes.client().await;
        let bus = processes.bus().await;
        let events = Events::read(&bus);
        Self { processes, client, bus, events, lease: lease.to_owned() }
    }

    /// Starts a service that was killed, or one for the first time.
    pub(super) fn start_again(&mut self, service_id: &str) {
        if [NODE, STAND_BY].contains(&service_id) {
            self.processes.serve_with(service_id, HANDLERS, &["--lease", &self.lease]);
        } else {
            self.execute(service_id);
        }
    }

    /// Starts an executor.
    pub(super) fn execute(&mut self, service_id: &str) {
        self.processes.serve_with(
            service_id,
            "executor",
            &["--lease", &self.lease, "--slots", "8"],
        );
    }

    /// Calls a method with parameters as they are written.
    pub(super) async fn try_call<M: Method>(
        &self,
        params: Value,
    ) -> Result<M::Answer, ClientError> {
        let params = serde_json::from_value(params).expect("parameters of the method");
        self.client.call::<M>(&params).await
    }

    /// The same for one that is accepted.
    pub(super) async fn call<M: Method>(&self, params: Value) -> M::Answer {
        let said = params.to_string();
        match self.try_call::<M>(params).await {
            Ok(answer) => answer,
            Err(error) => panic!("{} {said}: {error}", M::NAME),
        }
    }

    /// Applies a manifest.
    pub(super) async fn apply(&self, kind: &str, name: &str, spec: Value) {
        let document = json!({
            "apiVersion": "kantoku/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        self.call::<ManifestApply>(json!({"documents": [document]})).await;
    }

    /// Applies a specification that runs `script` in a shell, with `more` beside.
    pub(super) async fn apply_sh(&self, name: &str, script: &str, more: Value) {
        let mut spec = json!({
            "outputs": {"x": {"optional": "number"}},
            "executable": {"type": "process", "command": ["sh", "-c", script]},
        });
        let (Value::Object(all), Value::Object(more)) = (&mut spec, more) else {
            panic!("two maps")
        };
        all.extend(more);
        self.apply("Specification", name, spec).await;
    }

    /// Spawns a task.
    pub(super) async fn spawn(&self, specification: &str) -> Spawned {
        self.call::<TaskSpawn>(json!({ "specification": specification })).await
    }

    /// Runs a pipeline.
    pub(super) async fn run(&self, pipeline: &str, params: Value) -> Run {
        self.call::<PipelineRun>(json!({ "name": pipeline, "params": params })).await
    }

    /// The first `count` lines, there or to come, in the log of an attempt, of which `find` makes
    /// something.
    pub(super) async fn lines<T>(
        &self,
        task: &Spawned,
        attempt: u32,
        count: usize,
        find: impl Fn(&LogEntry) -> Option<T>,
    ) -> Vec<T> {
        let filter = LogFilter {
            namespace: Namespace::default(),
            context_id: task.context_id,
            task_id: task.task_id,
            attempt: Some(attempt),
        };
        let lines = self.bus.logs().follow(filter, 0).await.expect("followed");
        let found = lines.filter_map(|line| std::future::ready(find(&line.expect("a line"))));
        let found = tokio::time::timeout(DEADLINE, found.take(count).collect::<Vec<T>>()).await;
        found.unwrap_or_else(|_| panic!("no {count} such lines of {} in time", task.task_id))
    }

    /// The process ids that an attempt has written to its log, one a line.
    pub(super) async fn pids(&self, task: &Spawned, attempt: u32, count: usize) -> Vec<u32> {
        self.lines(task, attempt, count, |entry| entry.line.text.parse().ok()).await
    }

    pub(super) async fn stop(self) {
        drop(self.events);
        Box::pin(self.processes.stop()).await;
    }
}

/// A task as part of a run is addressed like one that was spawned.
pub(super) fn of_run(context_id: Id, task_id: Id) -> Spawned {
    Spawned { task_id, context_id, outputs: [].into(), stream_seq: 0 }
}
