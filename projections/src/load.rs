//! Tables → the rows that a batch touches: one statement for all of them.

use std::collections::BTreeSet;

use kantoku_domain::{Event, Id, Recorded, task::Spawned};
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, cache::Cache, document::PolicyDocument, part::Part, rows::Rows};

/// Tasks name their contexts, those that end or come back their outputs, and those that another
/// takes the place of what they spawned. Ids are joined one by one, so that every row is found by
/// its key, whatever the planner believes about the length of a list.
const LOAD: &str = "\
    WITH RECURSIVE named AS MATERIALIZED ( \
        SELECT task.* FROM UNNEST($1::uuid[]) AS wanted (id), LATERAL ( \
            SELECT id, document, context_id FROM tasks WHERE tasks.id = wanted.id OFFSET 0) task \
    ), planned AS MATERIALIZED ( \
        SELECT task.* FROM UNNEST($2::uuid[]) AS wanted (id), LATERAL ( \
            SELECT id, document FROM tasks \
            WHERE tasks.context_id = wanted.id AND NOT unfolded OFFSET 0) task \
    ), holding AS ( \
        SELECT document FROM named WHERE id = ANY($3) UNION ALL SELECT document FROM planned \
    ), spawned AS ( \
        SELECT UNNEST($4::uuid[]) AS id UNION \
        SELECT task.id FROM spawned, LATERAL ( \
            SELECT id FROM tasks WHERE tasks.parent_id = spawned.id OFFSET 0) task \
    ) \
    SELECT 'task', id, document::text FROM named \
    UNION ALL SELECT 'task', id, document::text FROM planned \
    UNION ALL SELECT 'task', task.id, task.document::text FROM spawned, LATERAL ( \
        SELECT id, document FROM tasks WHERE tasks.id = spawned.id OFFSET 0) task \
    UNION ALL SELECT 'context', context.id, context.document::text FROM ( \
        SELECT UNNEST($5::uuid[]) AS id UNION SELECT context_id FROM named) wanted, LATERAL ( \
        SELECT id, document FROM contexts WHERE contexts.id = wanted.id OFFSET 0) context \
    UNION ALL SELECT 'resource', resource.id, resource.document::text FROM ( \
        SELECT UNNEST($6::uuid[]) AS id UNION \
        SELECT (output.value ->> 'id')::uuid \
            FROM holding, jsonb_each(holding.document -> 'outputs') AS output) wanted, LATERAL ( \
        SELECT id, document FROM resources WHERE resources.id = wanted.id OFFSET 0) resource \
    UNION ALL SELECT 'policy', policy.id, policy.document::text \
        FROM UNNEST($7::uuid[]) AS wanted (id), LATERAL ( \
        SELECT id, document FROM policies WHERE policies.id = wanted.id \
        ORDER BY version DESC LIMIT 1) policy";

/// Every row that folding `parts` may look at: from `cache` what it has, the rest from the tables.
pub(crate) async fn load(
    connection: &mut PgConnection,
    parts: &[Part<'_>],
    cache: &mut Cache,
) -> Result<Rows, Error> {
    let mut wanted = Wanted::default();
    for part in parts {
        wanted.add(part.recorded);
        part.named.iter().for_each(|planned| wanted.add_task(planned.id, &planned.task));
    }
    let mut rows = Rows::default();
    wanted.lend(cache, &mut rows);
    if wanted.is_nothing() {
        return Ok(rows);
    }
    let found: Vec<(String, Uuid, String)> = sqlx::query_as(LOAD)
        .bind(uuids(&wanted.tasks))
        .bind(uuids(&wanted.cancelled))
        .bind(uuids(&wanted.holding))
        .bind(uuids(&wanted.restarted))
        .bind(uuids(&wanted.contexts))
        .bind(uuids(&wanted.resources))
        .bind(uuids(&wanted.policies))
        .fetch_all(connection)
        .await
        .map_err(Error::database(DOING))?;
    for (kind, id, document) in found {
        let id = Id::from_uuid(id);
        match kind.as_str() {
            "task" => rows.put_task(read(&document)?),
            "context" => rows.contexts.put(id, read(&document)?),
            "resource" => rows.resources.put(id, read(&document)?),
            _ => {
                let policy: PolicyDocument = read(&document)?;
                rows.policies.put((id, policy.version), policy);
            }
        }
    }
    Ok(rows)
}

const DOING: &str = "reading the rows of a batch";

fn read<T: DeserializeOwned>(document: &str) -> Result<T, Error> {
    let unreadable = |error: serde_json::Error| sqlx::Error::Decode(error.into());
    serde_json::from_str(document).map_err(unreadable).map_err(Error::database(DOING))
}

fn uuids(ids: &BTreeSet<Id>) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// The ids that a batch names.
#[derive(Default)]
struct Wanted {
    tasks: BTreeSet<Id>,
    /// Tasks that end or come back, and with them the wait for their outputs.
    holding: BTreeSet<Id>,
    /// Tasks that others take the place of, and with them of what they spawned.
    restarted: BTreeSet<Id>,
    contexts: BTreeSet<Id>,
    /// Contexts whose planned tasks end.
    cancelled: BTreeSet<Id>,
    resources: BTreeSet<Id>,
    /// Policies of which the latest version is meant.
    policies: BTreeSet<Id>,
}

impl Wanted {
    /// Puts what is in `cache` into `rows`, and strikes it off. What was kept of a task tells its
    /// context and its outputs.
    fn lend(&mut self, cache: &mut Cache, rows: &mut Rows) {
        let Self { tasks, holding, contexts, resources, .. } = self;
        tasks.retain(|id| {
            let Some(task) = cache.tasks.lend(*id) else { return true };
            contexts.insert(task.context_id);
            if holding.remove(id) {
                resources.extend(task.outputs.values().map(|output| output.id));
            }
            rows.put_task(task);
            false
        });
        contexts.retain(|id| match cache.contexts.lend(*id) {
            Some(context) => {
                rows.contexts.put(*id, context);
                false
            }
            None => true,
        });
        resources.retain(|id| match cache.resources.lend(*id) {
            Some(resource) => {
                rows.resources.put(*id, resource);
                false
            }
            None => true,
        });
    }

    fn is_nothing(&self) -> bool {
        let Self { tasks, holding: _, restarted, contexts, cancelled, resources, policies } = self;
        [tasks, restarted, contexts, cancelled, resources, policies]
            .iter()
            .all(|ids| ids.is_empty())
    }

    /// All that an event is about, but for the tasks that it names.
    fn add(&mut self, recorded: &Recorded) {
        let id = recorded.id;
        match &recorded.event {
            Event::ContextCancelled(_) => {
                self.contexts.insert(id);
                self.cancelled.insert(id);
            }
            Event::TaskSpawned(spawned) => self.add_task(id, spawned),
            Event::TaskReady(ready) => {
                self.tasks.insert(ready.task_id);
            }
            Event::TaskRestarted(restarted) => {
                self.add_holding(id);
                self.add_task(restarted.successor.id, &restarted.successor.task);
                if !restarted.children.is_empty() {
                    self.restarted.insert(id);
                }
            }
            Event::TaskRevived(revived) => {
                self.add_holding(id);
                self.tasks.insert(revived.restarted_as);
            }
            Event::TaskFinished(_) | Event::TaskCancelled(_) | Event::TaskSkipped(_) => {
                self.add_holding(id);
            }
            Event::TaskReceived(_)
            | Event::TaskAttemptFailed(_)
            | Event::TaskChildrenCancelled(_)
            | Event::TaskApproved(_)
            | Event::TaskLabelled(_)
            | Event::TaskPaused(_)
            | Event::TaskResumed(_) => {
                self.tasks.insert(id);
            }
            Event::ContextOpened(_)
            | Event::ContextPaused(_)
            | Event::ContextResumed(_)
            | Event::ContextRestarted(_)
            | Event::ContextRestartSettled(_) => {
                self.contexts.insert(id);
            }
            Event::ResourceAllocated(_)
            | Event::ResourceInitialized(_)
            | Event::ResourceReleased(_) => {
                self.resources.insert(id);
            }
            Event::PolicyDeleted(_) => {
                self.policies.insert(id);
            }
            Event::SpecificationApplied(_)
            | Event::SpecificationPaused(_)
            | Event::SpecificationResumed(_)
            | Event::NamespacePaused(_)
            | Event::NamespaceResumed(_)
            | Event::PolicyApplied(_)
            | Event::TypeApplied(_)
            | Event::PipelineApplied(_) => {}
        }
    }

    fn add_task(&mut self, id: Id, spawned: &Spawned) {
        self.tasks.insert(id);
        self.contexts.insert(spawned.context_id);
        self.resources.extend(spawned.outputs.values().map(|output| output.id));
    }

    fn add_holding(&mut self, id: Id) {
        self.tasks.insert(id);
        self.holding.insert(id);
    }
}
