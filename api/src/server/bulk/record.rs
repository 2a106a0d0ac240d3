//! What is kept of an operation.

use std::collections::BTreeMap;

use kantoku_domain::{Id, Namespace};
use kantoku_streams::now;
use serde::{Deserialize, Serialize};

use super::{Caller, Selected};
use crate::{
    ApiError,
    contract::{
        Bulk, Operation, OperationStartParams, OperationStarted, OperationStatus, REFUSALS_MAX,
        Refusal,
    },
};

/// How much of why a record was refused is kept, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// What is kept of an operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// As people see it.
    pub(super) operation: Operation,
    /// What is done to which records: always there.
    bulk: Bulk,
    /// The first of its records that may not have been dealt with.
    pub(super) next: usize,
}

/// What came of one record.
pub(super) enum Came {
    Changed,
    Unchanged,
    Refused(ApiError),
}

impl Record {
    pub(super) fn new(
        id: Id,
        caller: &Caller,
        namespace: Namespace,
        params: OperationStartParams,
        selected: &Selected,
    ) -> Self {
        let bulk = Bulk {
            namespace,
            kind: params.kind,
            action: params.action,
            filter: params.filter,
            condition: params.condition,
            by: caller.actor.to_string(),
            cancelled_by: None,
            changed: 0,
            unchanged: 0,
            refused: 0,
            refusals: Vec::new(),
        };
        let operation = Operation {
            id,
            kind: format!("{}.{}", bulk.kind.name(), bulk.action.name()),
            status: OperationStatus::Running,
            done: 0,
            total: selected.ids.len() as u64,
            started_at: now(),
            finished_at: None,
            error: None,
            equal: BTreeMap::new(),
            as_of_seq: Some(selected.as_of_seq),
            findings: Vec::new(),
            found: 0,
            bulk: None,
        };
        Self { operation, bulk, next: 0 }
    }

    /// What is done, and what came of it.
    pub(super) fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    pub(super) fn bulk_mut(&mut self) -> &mut Bulk {
        &mut self.bulk
    }

    /// As people see it.
    pub(super) fn into_operation(self) -> Operation {
        Operation { bulk: Some(self.bulk), ..self.operation }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.operation.finished_at.is_some()
    }

    /// Whether the same was asked for.
    pub(super) fn is_asked_for(&self, params: &OperationStartParams) -> bool {
        let Bulk { kind, action, filter, condition, .. } = &self.bulk;
        (*kind, action, filter, condition)
            == (params.kind, &params.action, &params.filter, &params.condition)
    }

    /// The answer to its start.
    pub(super) fn started(&self) -> OperationStarted {
        OperationStarted {
            operation_id: Some(self.operation.id),
            count: self.operation.total,
            sample: Vec::new(),
            as_of_seq: self.operation.as_of_seq.unwrap_or_default(),
        }
    }

    /// Takes in what came of its next records.
    pub(super) fn take(&mut self, came: Vec<(Id, Came)>) {
        self.next += came.len();
        self.operation.done = self.next as u64;
        for (id, came) in came {
            match came {
                Came::Changed => self.bulk.changed += 1,
                Came::Unchanged => self.bulk.unchanged += 1,
                Came::Refused(error) => self.refuse(id, &error),
            }
        }
    }

    fn refuse(&mut self, id: Id, error: &ApiError) {
        self.bulk.refused += 1;
        if self.bulk.refusals.len() < REFUSALS_MAX {
            let message = error.message.chars().take(MESSAGE_CHARS_MAX).collect();
            self.bulk.refusals.push(Refusal { id, reason: error.data.reason.clone(), message });
        }
    }

    /// It has ended.
    pub(super) fn end(&mut self) {
        let is_whole = self.operation.done == self.operation.total;
        self.operation.status = if self.bulk.cancelled_by.is_some() && !is_whole {
            OperationStatus::Cancelled
        } else {
            OperationStatus::Done
        };
        self.operation.finished_at = Some(now());
    }
}
