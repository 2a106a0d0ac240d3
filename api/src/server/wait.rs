//! `task.wait`, `context.wait`

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc, time::Duration};

use kantoku_domain::{Datum, Event, Id, Kind, Namespace, Recorded};
use kantoku_projections::{
    Error as ReadError,
    document::{ContextDocument, ContextStatus, ResourceDocument, TaskDocument, TaskStatus},
    reader::Found,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{Api, Module, shared::patience};
use crate::{
    ApiError, Code,
    contract::{ContextWait, ContextWaited, TaskWait, TaskWaited, WaitParams},
    feed::{Interest, is_end},
};

pub(super) fn register(module: &mut Module) {
    module.register::<TaskWait>(wait_for_task);
    module.register::<ContextWait>(wait_for_context);
}

/// Answers at the moment of the event: neither the delivery of the stream nor the read model is
/// waited for.
async fn wait_for_task(api: Arc<Api>, params: WaitParams) -> Result<TaskWaited, ApiError> {
    let deadline = Instant::now() + patience(params.timeout)?;
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    loop {
        if let Some(recorded) = api.soon_over(&namespace, id, deadline).await {
            return ended(&recorded).ok_or_else(stopping);
        }
        // Before the history is read, so that nothing happens in between.
        let mut end = api.feed.ends.expect(id);
        let history = api.bus.ledger().history(&namespace, Kind::Task, id, 0).await?;
        if let Some(ended) = end_of(&history) {
            return Ok(ended);
        }
        if history.is_empty() {
            // A plan or a parent may have named it.
            let found = api.task_by(&namespace, id, deadline).await?;
            if found.status.is_terminal() {
                return Ok(task_as_known(found, true));
            }
        }
        let event = tokio::select! {
            event = timeout_at(deadline, end.event()) => event,
            () = api.stop.cancelled() => return Err(stopping()),
        };
        let known = history.last().map_or(0, |last| last.stream_seq);
        match event {
            // An end that it came back from since: the stream is behind the history.
            Ok(Some(recorded)) if recorded.stream_seq <= known => {}
            Ok(Some(recorded)) => return ended(&recorded).ok_or_else(stopping),
            Ok(None) => return Err(stopping()),
            Err(_) => {
                let found = api.task_by(&namespace, id, Instant::now() + GRACE).await?;
                return Ok(task_as_known(found, false));
            }
        }
    }
}

/// How a task has ended, if it has and did not come back.
fn end_of<R: Borrow<Recorded>>(history: &[R]) -> Option<TaskWaited> {
    let end =
        history.iter().map(Borrow::borrow).fold(None, |end, recorded| match &recorded.event {
            Event::TaskRevived(_) => None,
            // That is its end only if it was live.
            Event::TaskRestarted(_) => end.or(Some(recorded)),
            event if is_end(event) => Some(recorded),
            _ => end,
        });
    end.and_then(ended)
}

/// How long the end of a task that runs here is waited for before its history is read: most that are
/// waited for take no longer.
const SOON: Duration = Duration::from_millis(20);

/// How long a wait that is over may take to say where things are.
const GRACE: Duration = Duration::from_secs(2);

fn stopping() -> ApiError {
    ApiError::new(Code::Unavailable, "the server stops: connect again and wait again")
}

/// The answer, if `recorded` is the end of a task.
fn ended(recorded: &Recorded) -> Option<TaskWaited> {
    let (status, sub_status, outputs, error) = match &recorded.event {
        Event::TaskFinished(finished) => (
            TaskStatus::Finished,
            Some(finished.outcome),
            finished.outputs.iter().map(|(name, datum)| (name.clone(), shown(datum))).collect(),
            finished.error.as_ref().map(|error| error.message.clone()),
        ),
        Event::TaskCancelled(cancelled) => {
            (TaskStatus::Cancelled, None, BTreeMap::new(), Some(cancelled.reason.clone()))
        }
        Event::TaskSkipped(skipped) => {
            (TaskStatus::Skipped, None, BTreeMap::new(), Some(skipped.missing.clone()))
        }
        // What it was to do, another does.
        Event::TaskRestarted(restarted) => {
            let message = format!("it was restarted as {}", restarted.successor.id);
            (TaskStatus::Cancelled, None, BTreeMap::new(), Some(message))
        }
        _ => return None,
    };
    debug_assert!(is_end(&recorded.event));
    Some(TaskWaited {
        done: true,
        task_id: recorded.id,
        status,
        sub_status,
        outputs,
        error,
        stream_seq: recorded.stream_seq,
    })
}

fn task_as_known(task: TaskDocument, done: bool) -> TaskWaited {
    TaskWaited {
        done,
        task_id: task.id,
        status: task.status,
        sub_status: task.sub_status,
        outputs: BTreeMap::new(),
        error: task.error.map(|error| error.message).or(task.reason),
        stream_seq: task.stream_seq,
    }
}

/// The value, or where a large one lies.
fn shown(datum: &Datum) -> Value {
    match datum {
        Datum::Value(value) => value.clone(),
        Datum::Blob(blob) => json!({"digest": blob.digest, "size": blob.size}),
    }
}

/// Answers when the read model shows the end: the answer is final, and so is what is read later.
async fn wait_for_context(api: Arc<Api>, params: WaitParams) -> Result<ContextWaited, ApiError> {
    let deadline = Instant::now() + patience(params.timeout)?;
    let namespace = params.namespace.unwrap_or_default();
    let follower = api.feed.contexts.follow();
    // What was ordered before the call counts, though the read model may not show it yet.
    let head = api.bus.head().await?;
    let id = api.context_begun(&namespace, &params.id, head, deadline).await?;
    loop {
        let found = api.context_by(&namespace, id, head, deadline).await?;
        if found.as_of_seq >= head && found.document.status != ContextStatus::Running {
            return api.context_waited(found, true).await;
        }
        let mut watcher = follower.watch(Interest::Of(id), found.as_of_seq);
        let has_ended = async {
            // One that was too slow looks at the context itself.
            while let Ok(changes) = watcher.next().await {
                if changes.iter().any(|context| context.status != ContextStatus::Running) {
                    return;
                }
            }
        };
        tokio::select! {
            () = has_ended => {}
            () = tokio::time::sleep_until(deadline) => return api.context_waited(found, false).await,
            () = api.stop.cancelled() => return Err(stopping()),
        }
    }
}

impl Api {
    /// The end of a task that this process has changed lately and knows to be live, if it comes soon.
    async fn soon_over(
        &self,
        namespace: &Namespace,
        id: Id,
        deadline: Instant,
    ) -> Option<Arc<Recorded>> {
        let mut end = self.feed.ends.expect(id);
        let known = self.bus.ledger().recent_history(namespace, Kind::Task, id)?;
        if end_of(&known).is_some() {
            return None;
        }
        let limit = deadline.min(Instant::now() + SOON);
        let recorded = timeout_at(limit, end.event()).await.ok()??;
        (known.last()?.stream_seq < recorded.stream_seq).then_some(recorded)
    }

    /// Waits for the read model to get to `position`; whether it did.
    async fn read_model_at(&self, position: u64, deadline: Instant) -> Result<bool, ApiError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.reader.wait_for(position, left).await {
            Ok(_) => Ok(true),
            Err(ReadError::NotReached { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A task as the read model has it once it has seen all that has happened by now, or at the
    /// deadline.
    async fn task_by(
        &self,
        namespace: &Namespace,
        id: Id,
        deadline: Instant,
    ) -> Result<TaskDocument, ApiError> {
        let head = self.bus.head().await?;
        self.read_model_at(head, deadline).await?;
        Ok(self.reader.record::<TaskDocument>(namespace, id).await?.document)
    }

    /// A context, which may have begun a moment ago, as the read model has it at `head`, or at the
    /// deadline.
    async fn context_by(
        &self,
        namespace: &Namespace,
        id: Id,
        head: u64,
        deadline: Instant,
    ) -> Result<Found<ContextDocument>, ApiError> {
        let reached = self.read_model_at(head, deadline).await?;
        match self.reader.record::<ContextDocument>(namespace, id).await {
            Err(ReadError::NotFound { as_of_seq: reached_seq, .. }) if !reached => {
                Err(ReadError::NotReached { wanted: head, reached: reached_seq }.into())
            }
            found => Ok(found?),
        }
    }

    /// The id that `id` begins, in what the read model has at `head`.
    async fn context_begun(
        &self,
        namespace: &Namespace,
        id: &str,
        head: u64,
        deadline: Instant,
    ) -> Result<Id, ApiError> {
        if id.parse::<Id>().is_err() {
            self.read_model_at(head, deadline).await?;
        }
        self.resolve::<ContextDocument>(namespace, id).await
    }

    async fn context_waited(
        &self,
        found: Found<ContextDocument>,
        done: bool,
    ) -> Result<ContextWaited, ApiError> {
        let Found { document: context, as_of_seq } = found;
        let outputs = self.values(&context.namespace, &context.outputs).await?;
        Ok(ContextWaited { done, context, outputs, as_of_seq })
    }

    /// The values of resources, where they are there.
    async fn values(
        &self,
        namespace: &Namespace,
        resources: &BTreeMap<String, Id>,
    ) -> Result<BTreeMap<String, Value>, ApiError> {
        if resources.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<Id> = resources.values().copied().collect();
        let (found, _) = self.reader.some_records::<ResourceDocument>(namespace, &ids).await?;
        let values: BTreeMap<Id, Value> =
            found.into_iter().filter_map(|found| Some((found.id, value_of(found)?))).collect();
        let named = resources.iter();
        Ok(named.filter_map(|(name, id)| Some((name.clone(), values.get(id)?.clone()))).collect())
    }
}

fn value_of(resource: ResourceDocument) -> Option<Value> {
    let ResourceDocument { value, digest, size, .. } = resource;
    value.or_else(|| Some(json!({"digest": digest?, "size": size})))
}

#[cfg(test)]
mod tests {
    use kantoku_domain::task::{Command, Revived};

    use super::*;
    use crate::server::past::{Past, step_id};

    #[test]
    fn the_end_that_counts_is_the_one_that_the_task_did_not_come_back_from() {
        let mut past = Past::default();
        let [failed, skipped, live] = ["a", "b", "c"].map(|step| past.spawn(step, &[]));
        let status = |past: &Past, id| end_of(&past.histories[&id]).map(|it| it.status);
        past.receive(failed, 1);
        assert_eq!(status(&past, failed), None);
        past.fail(failed, 1, "exit", false);
        past.skip(skipped, failed);
        assert_eq!(status(&past, skipped), Some(TaskStatus::Skipped));
        past.order(failed, &Command::Restart(Box::default()));
        let of_failed = end_of(&past.histories[&failed]).expect("it has ended");
        assert_eq!(of_failed.sub_status, Some(kantoku_domain::task::Outcome::Failed));
        let revived = Revived { root_cause: failed, restarted_as: step_id("a-again") };
        past.order(skipped, &Command::Revive(revived));
        assert_eq!(status(&past, skipped), None);
        let step = kantoku_domain::task::Restart {
            outputs: kantoku_domain::restart::OutputPolicy::Reallocate,
            step_of: Some(step_id("restart")),
            ..Default::default()
        };
        past.order(live, &Command::Restart(Box::new(step)));
        assert_eq!(status(&past, live), Some(TaskStatus::Cancelled));
    }
}
