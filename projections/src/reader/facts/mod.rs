//! What rows tell of the things that tasks wait for. Enough to show where they stand: who decides
//! has facts of its own, and knows the answers to probes, too.

mod event;
mod named;

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Dependency as Expression, Id, Timestamp,
    dependency::{self, Cause, Ending, EventPattern, Facts, How},
};
use sqlx::PgConnection;

use self::named::{ResourceRow, TaskRow};
use crate::{
    Error, Model,
    document::{ResourceStatus, TaskDocument},
};

/// What is known of all that some tasks wait for.
#[derive(Default)]
pub(super) struct Known {
    resources: BTreeMap<Id, ResourceRow>,
    /// With whatever took their places.
    tasks: BTreeMap<Id, TaskRow>,
    /// Per task that waits: the events that have come.
    events: BTreeMap<Id, Vec<(EventPattern, Timestamp)>>,
}

impl Known {
    /// Of tasks that are past waiting nothing is asked.
    pub(super) async fn load(
        connection: &mut PgConnection,
        tasks: &[TaskDocument],
    ) -> Result<Self, Error> {
        let (mut ids, patterns) = asked(tasks);
        let resources = named::resources(connection, &ids).await?;
        let holding = resources.values().filter(|row| row.status == ResourceStatus::Failed);
        ids.extend(holding.filter_map(|row| row.custodian));
        let tasks = named::tasks(connection, &ids).await?;
        let events = event::first(connection, &patterns, None).await?;
        Ok(Self { resources, tasks, events })
    }

    /// As of a position, of which `model` holds the rows.
    pub(super) async fn of_past(
        connection: &mut PgConnection,
        task: &TaskDocument,
        model: &Model,
        as_of_seq: u64,
    ) -> Result<Self, Error> {
        let (mut ids, patterns) = asked(std::slice::from_ref(task));
        let resources = ids.iter().filter_map(|id| model.resource(*id));
        let resources: BTreeMap<Id, ResourceRow> =
            resources.map(|resource| (resource.id, resource.into())).collect();
        ids.extend(resources.values().filter_map(|row| row.custodian));
        let tasks = model.with_successors(ids);
        let tasks = tasks.map(|task| (task.id, task.into())).collect();
        let events = event::first(connection, &patterns, Some(as_of_seq)).await?;
        Ok(Self { resources, tasks, events })
    }

    /// On behalf of one of the tasks.
    pub(super) fn of<'a>(&'a self, task: &'a TaskDocument) -> impl Facts + 'a {
        OfTask { known: self, task }
    }

    /// The task that has the place of `id` now.
    fn head(&self, id: Id) -> Option<&TaskRow> {
        let mut head = self.tasks.get(&id)?;
        // Restarts form a tree, so that this ends; the count is for rows that do not.
        for _ in 0..self.tasks.len() {
            let next = head.restarted_as.and_then(|next| self.tasks.get(&next));
            let Some(next) = next else { break };
            head = next;
        }
        Some(head)
    }

    fn impossible(&self, resource: &ResourceRow) -> dependency::Known {
        let custodian = resource.custodian.unwrap_or_default();
        let how = self.tasks.get(&custodian).and_then(TaskRow::how);
        let (root_causes, cause) = match how {
            Some(How::Skipped { root_causes, cause }) => (root_causes.by_way_of(custodian), cause),
            _ => (custodian.into(), Cause::Failure),
        };
        dependency::Known::Impossible { root_causes, cause, at: resource.updated_at }
    }
}

/// What has to be known of `tasks`: ids of tasks and resources, and events.
fn asked(tasks: &[TaskDocument]) -> (BTreeSet<Id>, Vec<(&TaskDocument, EventPattern)>) {
    let mut ids = BTreeSet::new();
    let mut patterns = Vec::new();
    for task in tasks.iter().filter(|task| !task.is_past_waiting()) {
        let parts = task.waits_for();
        ids.extend(parts.iter().flat_map(|awaited| awaited.needs.named()));
        let depends_on = parts.iter().filter_map(|awaited| awaited.needs.depends_on.as_ref());
        for leaf in depends_on.flat_map(Expression::leaves) {
            if let Expression::Event(pattern) = leaf {
                patterns.push((task, pattern.clone()));
            }
        }
    }
    (ids, patterns)
}

struct OfTask<'a> {
    known: &'a Known,
    task: &'a TaskDocument,
}

impl Facts for OfTask<'_> {
    fn resource(&self, id: Id) -> dependency::Known {
        match self.known.resources.get(&id) {
            Some(row) if row.has_value => {
                dependency::Known::Holds { at: row.resolved_at.unwrap_or(row.updated_at) }
            }
            Some(row) if row.status != ResourceStatus::Allocated => self.known.impossible(row),
            _ => dependency::Known::Pending,
        }
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let row = self.known.head(id)?;
        Some(Ending { task: row.id, how: row.how()?, at: row.finished_at.unwrap_or_default() })
    }

    fn since(&self) -> Timestamp {
        self.task.waiting_since
    }

    fn approvals(&self, name: &str) -> Vec<(&str, Timestamp)> {
        let given = self.task.approvals.get(name).into_iter().flatten();
        given.map(|approval| (approval.by.as_str(), approval.at)).collect()
    }

    fn event(&self, pattern: &EventPattern) -> Option<Timestamp> {
        let found = self.known.events.get(&self.task.id).into_iter().flatten();
        found.filter(|(known, _)| known == pattern).map(|(_, at)| *at).next()
    }
}
