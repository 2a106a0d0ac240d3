//! `projection.verify`, `projection.rebuild`, `operation.*`

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kantoku_domain::Id;
use kantoku_projections::Rebuild;
use kantoku_streams::now;

use super::{Api, Caller, Module, blob, bulk, shared::new_id};
use crate::{
    ApiError, Code,
    contract::{
        BlobVerify, Finding, Method as _, NoParams, Operation, OperationGet, OperationParams,
        OperationStatus, ProjectionRebuild, ProjectionVerify, Started,
    },
};

/// Operations that are remembered.
const KEPT_MAX: usize = 100;

pub(super) fn register(module: &mut Module) {
    module.register::<ProjectionVerify>(async |api: Arc<Api>, _: NoParams| {
        start(&api, ProjectionVerify::NAME)
    });
    module.register::<ProjectionRebuild>(async |api: Arc<Api>, _: NoParams| {
        start(&api, ProjectionRebuild::NAME)
    });
    module.register_own::<OperationGet>(get);
}

/// Those of this server are about all that there is.
async fn get(
    api: Arc<Api>,
    caller: Caller,
    params: OperationParams,
) -> Result<Operation, ApiError> {
    match api.operations.get(params.id).filter(|_| caller.reaches_everything()) {
        Some(operation) => Ok(operation),
        None => bulk::get(&api, params.id, &params.namespace.unwrap_or_default()).await,
    }
}

/// The operations of this server, the latest last.
#[derive(Default)]
pub(crate) struct Operations(Mutex<VecDeque<Operation>>);

impl Operations {
    fn get(&self, id: Id) -> Option<Operation> {
        self.lock().iter().find(|operation| operation.id == id).cloned()
    }

    /// Begins an operation of this kind, unless one runs: then that one's id, if it is of the same
    /// kind.
    fn begin(&self, kind: &str) -> Result<Begun, ApiError> {
        let mut operations = self.lock();
        let running = operations.iter().find(|operation| operation.finished_at.is_none());
        match running {
            Some(running) if running.kind == kind => return Ok(Begun::Before(running.id)),
            Some(running) => {
                let message = format!("{} runs: wait for its end", running.kind);
                let mut error = ApiError::new(Code::Rejected, message).reason("busy");
                error.data.current = Some(running.kind.clone());
                error.data.winner = Some(running.id);
                return Err(error);
            }
            None => {}
        }
        let id = new_id();
        operations.push_back(Operation {
            id,
            kind: kind.to_owned(),
            status: OperationStatus::Running,
            done: 0,
            total: 0,
            started_at: now(),
            finished_at: None,
            error: None,
            equal: BTreeMap::new(),
            as_of_seq: None,
            findings: Vec::new(),
            found: 0,
            bulk: None,
        });
        if operations.len() > KEPT_MAX {
            operations.pop_front();
        }
        Ok(Begun::Now(id))
    }

    fn change(&self, id: Id, change: impl FnOnce(&mut Operation)) {
        if let Some(operation) = self.lock().iter_mut().find(|operation| operation.id == id) {
            change(operation);
        }
    }

    fn end(&self, id: Id, result: Result<Done, String>) {
        self.change(id, |operation| {
            operation.finished_at = Some(now());
            match result {
                Ok(Done { as_of_seq, equal, findings, found }) => {
                    operation.status = OperationStatus::Done;
                    operation.equal = equal;
                    operation.as_of_seq = Some(as_of_seq);
                    (operation.findings, operation.found) = (findings, found);
                    operation.done = operation.total;
                }
                Err(error) => {
                    operation.status = OperationStatus::Failed;
                    operation.error = Some(error);
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Operation>> {
        // Nothing that holds the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an operation came to.
#[derive(Default)]
struct Done {
    as_of_seq: u64,
    equal: BTreeMap<String, bool>,
    findings: Vec<Finding>,
    found: u64,
}

enum Begun {
    Now(Id),
    Before(Id),
}

/// Starts an operation, or finds the one of this kind that runs.
pub(super) fn start(api: &Arc<Api>, kind: &'static str) -> Result<Started, ApiError> {
    let operation_id = match api.operations.begin(kind)? {
        Begun::Before(id) => id,
        Begun::Now(id) => {
            let api = Arc::clone(api);
            let tasks = api.tasks.clone();
            tasks.spawn(async move {
                let result = tokio::select! {
                    result = run(&api, id, kind) => result,
                    () = api.stop.cancelled() => Err("the server was stopped".into()),
                };
                if let Err(error) = &result {
                    tracing::warn!(%error, kind, "an operation failed");
                }
                api.operations.end(id, result);
            });
            id
        }
    };
    Ok(Started { operation_id })
}

async fn run(api: &Api, id: Id, kind: &str) -> Result<Done, String> {
    let progress = |done, total| {
        api.operations.change(id, |operation| (operation.done, operation.total) = (done, total));
    };
    if kind == BlobVerify::NAME {
        let verdict = blob::verify(api, &progress).await.map_err(|fault| fault.to_string())?;
        let blob::Verdict { findings, found, as_of_seq } = verdict;
        return Ok(Done { as_of_seq, findings, found, ..Done::default() });
    }
    let created = api.bus.created().await.map_err(|fault| fault.to_string())?;
    let rebuild = Rebuild::new(&api.database, created, &api.bus, &progress);
    let result = match kind {
        ProjectionVerify::NAME => rebuild.verify().await.map(|compared| Done {
            as_of_seq: compared.as_of_seq,
            equal: compared.equal,
            ..Done::default()
        }),
        _ => rebuild.replace().await.map(|as_of_seq| Done { as_of_seq, ..Done::default() }),
    };
    result.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_the_last_hundred_are_remembered() {
        let operations = Operations::default();
        let begin = |kind| match operations.begin(kind) {
            Ok(Begun::Now(id)) => (id, true),
            Ok(Begun::Before(id)) => (id, false),
            Err(error) => (error.data.winner.expect("the one that runs"), false),
        };
        let (first, is_new) = begin("a");
        assert!(is_new);
        assert_eq!([begin("a"), begin("b")], [(first, false), (first, false)]);
        assert!(operations.begin("b").is_err(), "an operation of another kind is no answer");
        operations.end(first, Err("broken".into()));
        let ended = operations.get(first).expect("remembered");
        assert_eq!(
            (ended.status, ended.error.as_deref()),
            (OperationStatus::Failed, Some("broken"))
        );
        for _ in 0..KEPT_MAX {
            let (id, is_new) = begin("b");
            assert!(is_new);
            operations.end(id, Ok(Done { as_of_seq: 7, ..Done::default() }));
            assert_eq!(operations.get(id).and_then(|operation| operation.as_of_seq), Some(7));
        }
        assert!(operations.get(first).is_none());
    }
}
