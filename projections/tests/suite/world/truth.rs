//! What rows have to say, by the aggregates.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Id, Task,
    dependency::{Cause, Readiness},
    task::{Outcome, Status},
};
use kantoku_projections::document::{
    ContextDocument, ContextStatus, DependencyStatus, ResourceDocument, ResourceStatus, TaskCounts,
    TaskDocument, TaskStatus,
};

use super::{World, facts::Custody};

impl World {
    pub(crate) fn check_tasks(&self, rows: &[TaskDocument]) {
        assert_eq!(rows.len(), self.named.len(), "all that was named, and nothing else");
        for row in rows {
            self.check_task(row);
        }
    }

    fn check_task(&self, row: &TaskDocument) {
        let id = row.id;
        let spawned = &self.named[&id].spawned;
        assert_eq!(row.status, self.status(id), "{id}");
        assert_eq!(row.current, self.is_current(id), "{id}");
        assert_eq!(
            (row.restart_root, row.restart_parent),
            (spawned.restart_root, spawned.restart_parent)
        );
        assert_eq!(
            row.unfolded,
            self.tasks.get(&id).is_some_and(|(task, _)| task.spawned.is_some())
        );
        let absent = (Task::default(), 0);
        let (task, position) = self.tasks.get(&id).unwrap_or(&absent);
        assert_eq!(row.position, *position, "{id}");
        let mut labels = spawned.labels.clone();
        task.labelled.apply(&mut labels);
        assert_eq!(row.labels, labels, "{id}");
        assert_eq!(row.restarted_as, task.restarted_as);
        assert_eq!(row.restarted.as_ref().map(|it| it.id), task.restarted_as);
        assert_eq!((&row.paused, row.sub_status), (&task.paused, task.outcome), "{id}");
        assert_eq!((row.expired, &row.delegated), (task.expired, &task.delegated), "{id}");
        assert!(task.children_cancelled || row.children_cancelled.is_none(), "{id}");
        assert_eq!(row.waiting_since, self.since_of(id), "{id}");
        assert_eq!(row.origin, self.named[&id].origin, "{id}");
        let skipped = task.skipped.as_ref();
        assert_eq!(row.root_cause, skipped.map(|it| it.root_cause), "{id}");
        assert_eq!(row.cause, skipped.map(|it| it.cause), "{id}");
        assert_eq!(row.finished_at.is_some(), row.status.is_terminal(), "{id}");
        let revived = row.revived.map(|it| (it.root_cause, it.restarted_as));
        assert_eq!(revived, task.revived.map(|it| (it.root_cause, it.restarted_as)), "{id}");
        for (name, given) in &row.approvals {
            let given: Vec<&str> = given.iter().map(|it| it.by.as_str()).collect();
            assert_eq!(given.len(), task.approvals(name).count(), "{id}");
            assert!(task.approvals(name).all(|by| given.contains(&by)), "{id}");
        }
        assert_eq!(row.approvals.len(), task.approvals.len(), "{id}");
        let running = row.status == TaskStatus::Ready;
        assert_eq!(row.attempt, task.attempt + u32::from(running), "{id}");
    }

    /// Where a task is.
    pub(super) fn status(&self, id: Id) -> TaskStatus {
        let dropped =
            if self.is_stopped(id) { TaskStatus::Cancelled } else { TaskStatus::Initialized };
        let Some((task, _)) = self.tasks.get(&id) else { return dropped };
        match task.status {
            Status::Absent => dropped,
            Status::Initialized if self.announced.contains(&id) => TaskStatus::Ready,
            Status::Initialized => TaskStatus::Initialized,
            Status::Received => TaskStatus::Received,
            Status::Finished => TaskStatus::Finished,
            Status::Cancelled => TaskStatus::Cancelled,
            Status::Skipped => TaskStatus::Skipped,
        }
    }

    /// Whether nothing took its place, nor that of those that it descends from.
    fn is_current(&self, id: Id) -> bool {
        let is_replaced = self.tasks.get(&id).is_some_and(|(task, _)| task.restarted_as.is_some());
        !is_replaced && self.named[&id].spawned.parent_id.is_none_or(|it| self.is_current(it))
    }

    pub(crate) fn check_context(&self, row: &ContextDocument) {
        let mut counts = TaskCounts::default();
        for id in self.named.keys() {
            let status = self.status(*id);
            if !status.is_terminal() || self.is_current(*id) {
                self.count(*id, status, &mut counts);
            }
        }
        assert_eq!(row.tasks, counts);
        assert_eq!(row.outputs, self.outputs);
        assert_eq!(row.cancelled.is_some(), self.context.cancelled);
        assert_eq!(row.paused, self.context.paused);
        let open = row.restarts.iter().filter(|restart| !restart.settled).map(|it| it.id);
        assert_eq!(open.collect::<BTreeSet<_>>(), self.context.restarting);
        let is_running = counts.live() > 0 || !self.context.restarting.is_empty();
        assert_eq!(row.status == ContextStatus::Running, is_running, "{row:?}");
        assert_eq!(row.finished_at.is_none(), is_running, "{row:?}");
        if !is_running {
            let is_ok = counts.failed + counts.cancelled + counts.skipped == counts.skipped_by_rule;
            assert_eq!(row.status == ContextStatus::Ok, is_ok, "{row:?}");
        }
    }

    fn count(&self, id: Id, status: TaskStatus, counts: &mut TaskCounts) {
        let task = self.tasks.get(&id).map(|(task, _)| task);
        let is_ok = task.is_some_and(|task| task.outcome == Some(Outcome::Ok));
        let cause = task.and_then(|task| task.skipped.as_ref()).map(|skipped| skipped.cause);
        let count = match status {
            TaskStatus::Initialized => &mut counts.initialized,
            TaskStatus::Ready => &mut counts.ready,
            TaskStatus::Received => &mut counts.received,
            TaskStatus::Finished if is_ok => &mut counts.ok,
            TaskStatus::Finished => &mut counts.failed,
            TaskStatus::Cancelled => &mut counts.cancelled,
            TaskStatus::Skipped => &mut counts.skipped,
        };
        *count += 1;
        if status == TaskStatus::Skipped && cause == Some(Cause::Rule) {
            counts.skipped_by_rule += 1;
        }
    }

    /// Each resource is resolved, or exactly one task has custody of it.
    pub(crate) fn check_resources(&self, rows: &[ResourceDocument]) {
        let rows: BTreeMap<Id, &ResourceDocument> = rows.iter().map(|row| (row.id, row)).collect();
        let named = self.named.values().flat_map(|named| Self::outputs_of(&named.spawned));
        let named: BTreeSet<Id> = named.collect();
        assert!(rows.keys().copied().eq(named.iter().copied()));
        let custody = self.custody();
        for (id, row) in rows {
            assert_eq!(row.resolved_at, self.resolved.get(&id).copied(), "{row:?}");
            if self.resolved.contains_key(&id) {
                assert_eq!(row.status, ResourceStatus::Ready, "{row:?}");
                continue;
            }
            let holders = &custody[&id];
            assert_eq!(holders.len(), 1, "one custodian: {holders:?} of {row:?}");
            assert_eq!(row.custodian, Some(holders[0]), "{row:?}");
            let is_over = self.status(holders[0]).is_terminal();
            let status = if is_over { ResourceStatus::Failed } else { ResourceStatus::Allocated };
            assert_eq!(row.status, status, "{row:?}");
        }
        for id in self.outputs.values() {
            assert!(named.contains(id), "what the context gives exists");
        }
    }

    /// Who holds what: those that are to be spawned hold what they are named with.
    fn custody(&self) -> Custody {
        let mut custody = Custody::new();
        for (id, named) in &self.named {
            let held: Vec<Id> = match self.tasks.get(id) {
                Some((task, _)) if task.spawned.is_some() => {
                    task.custody.values().copied().collect()
                }
                _ => Self::outputs_of(&named.spawned).collect(),
            };
            for resource in held {
                custody.entry(resource).or_default().push(*id);
            }
        }
        custody
    }

    /// The conjunction of what a task waits for is what the rules say of it.
    pub(crate) fn check_dependencies(&self, rows: &[TaskDocument]) {
        let custody = self.custody();
        for row in rows {
            let is = |status| row.dependencies.iter().any(|it| it.status == status);
            let is_failed = is(DependencyStatus::Failed);
            let is_open = is_failed || is(DependencyStatus::Pending);
            if row.is_past_waiting() {
                assert!(!is_open, "{row:#?}");
                continue;
            }
            match self.readiness(row.id, &custody) {
                Readiness::Ready { .. } => assert!(!is_open, "{row:#?}"),
                Readiness::Failed(_) => assert!(is_failed, "{row:#?}"),
                // A rule that rules it out is silent while somebody may fail.
                Readiness::Pending { .. } => assert!(is(DependencyStatus::Pending), "{row:#?}"),
            }
        }
    }
}
