//! Tables → the rows that a batch touches: one statement for all of them.

use std::collections::BTreeSet;

use kantoku_domain::{Event, Id, Recorded, task::Spawned};
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, checkpoint::Checkpoint, rows::Rows};

/// Tasks name their contexts, and those that end their outputs. Ids are joined one by one, so that
/// every row is found by its key, whatever the planner believes about the length of a list.
const LOAD: &str = "\
    WITH named AS MATERIALIZED ( \
        SELECT task.* FROM UNNEST($1::uuid[]) AS wanted (id), LATERAL ( \
            SELECT id, document, context_id FROM tasks WHERE tasks.id = wanted.id OFFSET 0) task \
    ), planned AS MATERIALIZED ( \
        SELECT task.* FROM UNNEST($2::uuid[]) AS wanted (id), LATERAL ( \
            SELECT id, document FROM tasks \
            WHERE tasks.context_id = wanted.id AND NOT unfolded OFFSET 0) task \
    ), ended AS ( \
        SELECT document FROM named WHERE id = ANY($3) UNION ALL SELECT document FROM planned \
    ) \
    SELECT 'checkpoint', NULL::uuid, to_jsonb(checkpoint)::text FROM checkpoint \
    UNION ALL SELECT 'task', id, document::text FROM named \
    UNION ALL SELECT 'task', id, document::text FROM planned \
    UNION ALL SELECT 'context', context.id, context.document::text FROM ( \
        SELECT UNNEST($4::uuid[]) AS id UNION SELECT context_id FROM named) wanted, LATERAL ( \
        SELECT id, document FROM contexts WHERE contexts.id = wanted.id OFFSET 0) context \
    UNION ALL SELECT 'resource', resource.id, resource.document::text FROM ( \
        SELECT UNNEST($5::uuid[]) AS id UNION \
        SELECT (output.value ->> 'id')::uuid \
            FROM ended, jsonb_each(ended.document -> 'outputs') AS output) wanted, LATERAL ( \
        SELECT id, document FROM resources WHERE resources.id = wanted.id OFFSET 0) resource";

/// Reads the checkpoint, and every row that folding `events` may look at.
pub(crate) async fn load(
    connection: &mut PgConnection,
    events: &[Recorded],
) -> Result<(Checkpoint, Rows), Error> {
    let mut wanted = Wanted::default();
    for recorded in events {
        wanted.add(recorded);
    }
    let found: Vec<(String, Option<Uuid>, String)> = sqlx::query_as(LOAD)
        .bind(uuids(&wanted.tasks))
        .bind(uuids(&wanted.cancelled))
        .bind(uuids(&wanted.ended))
        .bind(uuids(&wanted.contexts))
        .bind(uuids(&wanted.resources))
        .fetch_all(connection)
        .await
        .map_err(Error::database(DOING))?;
    let mut checkpoint = Checkpoint::default();
    let mut rows = Rows::default();
    for (kind, id, document) in found {
        let id = Id::from_uuid(id.unwrap_or_default());
        match kind.as_str() {
            "task" => rows.tasks.put(id, read(&document)?),
            "context" => rows.contexts.put(id, read(&document)?),
            "resource" => rows.resources.put(id, read(&document)?),
            _ => checkpoint = read(&document)?,
        }
    }
    Ok((checkpoint, rows))
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
    /// Tasks that end, and with them the wait for their outputs.
    ended: BTreeSet<Id>,
    contexts: BTreeSet<Id>,
    /// Contexts whose planned tasks end.
    cancelled: BTreeSet<Id>,
    resources: BTreeSet<Id>,
}

impl Wanted {
    fn add(&mut self, recorded: &Recorded) {
        let id = recorded.id;
        match &recorded.event {
            Event::ContextOpened(opened) => {
                self.contexts.insert(id);
                opened.plan.iter().for_each(|planned| self.add_task(planned.id, &planned.task));
            }
            Event::ContextCancelled(_) => {
                self.contexts.insert(id);
                self.cancelled.insert(id);
            }
            Event::TaskSpawned(spawned) => self.add_task(id, spawned),
            Event::TaskReady(ready) => {
                self.tasks.insert(ready.task_id);
            }
            Event::TaskFinished(finished) => {
                self.end_task(id);
                finished.children.iter().for_each(|child| self.add_task(child.id, &child.task));
            }
            Event::TaskCancelled(_) | Event::TaskSkipped(_) => self.end_task(id),
            Event::TaskReceived(_)
            | Event::TaskAttemptFailed(_)
            | Event::TaskChildrenCancelled(_)
            | Event::TaskRevived(_)
            | Event::TaskRestarted(_)
            | Event::TaskApproved(_)
            | Event::TaskPaused(_)
            | Event::TaskResumed(_) => {
                self.tasks.insert(id);
            }
            Event::ContextPaused(_)
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
            Event::SpecificationApplied(_)
            | Event::SpecificationPaused(_)
            | Event::SpecificationResumed(_)
            | Event::NamespacePaused(_)
            | Event::NamespaceResumed(_)
            | Event::PolicyApplied(_)
            | Event::PolicyDeleted(_)
            | Event::TypeApplied(_)
            | Event::PipelineApplied(_) => {}
        }
    }

    fn add_task(&mut self, id: Id, spawned: &Spawned) {
        self.tasks.insert(id);
        self.contexts.insert(spawned.context_id);
        self.resources.extend(spawned.outputs.values().map(|output| output.id));
    }

    fn end_task(&mut self, id: Id) {
        self.tasks.insert(id);
        self.ended.insert(id);
    }
}
