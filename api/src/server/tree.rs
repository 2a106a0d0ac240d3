//! `task.tree`

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

use kantoku_domain::{Id, Namespace};
use kantoku_projections::{
    Error as ReadError,
    document::{ContextDocument, TaskDocument},
    reader::{Graph, GraphTask},
};

use super::{Api, Module, shared::blocking, why::needs_of};
use crate::{
    ApiError, Code,
    contract::{ReadParams, TREE_TASKS_MAX, TaskTree, Tree, TreeTask},
};

pub(super) fn register(module: &mut Module) {
    module.register::<TaskTree>(tree);
}

async fn tree(api: Arc<Api>, params: ReadParams) -> Result<Tree, ApiError> {
    let graph = graph(&api, params).await?;
    blocking(move || draw(graph)).await
}

/// The context that `params` name, or that the task belongs to that they name, as it is or was.
pub(super) async fn graph(api: &Api, params: ReadParams) -> Result<Graph, ApiError> {
    let moment = api.moment(&params).await?;
    let namespace = params.namespace.unwrap_or_default();
    let context_id = context_of(api, &namespace, &params.id).await;
    match moment {
        None => Ok(api.reader.graph(&namespace, context_id?, TREE_TASKS_MAX).await?),
        Some(moment) => {
            let context_id = context_id.map_err(|error| moment.not_found(error))?;
            moment.graph(api, &namespace, context_id).await
        }
    }
}

/// The context that `id` names, or that the task belongs to that it names.
async fn context_of(api: &Api, namespace: &Namespace, id: &str) -> Result<Id, ApiError> {
    let found = match api.resolve::<ContextDocument>(namespace, id).await {
        Ok(id) => api.reader.record::<ContextDocument>(namespace, id).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    match found {
        Ok(found) => return Ok(found.document.id),
        Err(error) if error.code == Code::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = api.resolve::<TaskDocument>(namespace, id).await?;
    match api.reader.record::<TaskDocument>(namespace, id).await {
        Ok(found) => Ok(found.document.context_id),
        Err(ReadError::NotFound { as_of_seq, .. }) => {
            let kind = "context or task";
            Err(ReadError::NotFound { kind, name: id.to_string(), as_of_seq }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The tasks in the order in which they can run; by name where that is open.
pub(super) fn draw(graph: Graph) -> Tree {
    let waits: BTreeMap<Id, BTreeSet<Id>> =
        graph.tasks.values().map(|task| (task.id, waits_for(&graph, task))).collect();
    let order = topological(&graph.tasks, &waits);
    let Graph { context, mut tasks, truncated, as_of_seq, .. } = graph;
    let drawn = order.into_iter().filter_map(|id| {
        let task = tasks.remove(&id)?;
        Some(tree_task(task, waits.get(&id)))
    });
    Tree { context, tasks: drawn.collect(), truncated, as_of_seq }
}

/// The tasks of the same context that resolve what `task` reads, or that it comes after; of those
/// that were restarted, the last.
fn waits_for(graph: &Graph, task: &GraphTask) -> BTreeSet<Id> {
    needs_of(task).named().into_iter().filter_map(|id| waited_for(graph, id)).collect()
}

/// The task of the same context that resolves the resource `id`, or that has the place of the task
/// `id` now.
pub(super) fn waited_for(graph: &Graph, id: Id) -> Option<Id> {
    let resource = graph.resources.get(&id);
    let task = resource.map_or(Some(head(graph, id)), |resource| resource.custodian);
    task.filter(|id| graph.tasks.contains_key(id))
}

/// The task that has the place of `id` now.
fn head(graph: &Graph, id: Id) -> Id {
    let mut head = id;
    for _ in 0..graph.tasks.len() {
        match graph.tasks.get(&head).and_then(|task| task.restarted_as) {
            Some(next) => head = next,
            None => break,
        }
    }
    head
}

/// Kahn's method: of the tasks that wait for nothing any more, the first by name is next. A child
/// comes after its parent.
fn topological(tasks: &BTreeMap<Id, GraphTask>, waits: &BTreeMap<Id, BTreeSet<Id>>) -> Vec<Id> {
    let parent = |task: &GraphTask| task.parent_id.filter(|parent| tasks.contains_key(parent));
    let mut before: BTreeMap<Id, usize> = BTreeMap::new();
    let mut after: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for task in tasks.values() {
        let mut on = waits.get(&task.id).cloned().unwrap_or_default();
        on.extend(parent(task));
        before.insert(task.id, on.len());
        for other in on {
            after.entry(other).or_default().push(task.id);
        }
    }
    let key = |id: &Id| Reverse((tasks.get(id).and_then(|task| task.step.clone()), *id));
    let free = before.iter().filter(|(_, on)| **on == 0);
    let mut free: BinaryHeap<_> = free.map(|(id, _)| key(id)).collect();
    let mut order = Vec::with_capacity(tasks.len());
    while let Some(Reverse((_, id))) = free.pop() {
        order.push(id);
        for next in after.remove(&id).unwrap_or_default() {
            if let Some(on) = before.get_mut(&next) {
                *on -= 1;
                if *on == 0 {
                    free.push(key(&next));
                }
            }
        }
    }
    // Tasks that wait for each other will never run; they are shown nevertheless.
    let stuck = before.into_iter().filter(|(_, on)| *on > 0).map(|(id, _)| id);
    order.extend(stuck);
    order
}

fn tree_task(task: GraphTask, waits_for: Option<&BTreeSet<Id>>) -> TreeTask {
    TreeTask {
        id: task.id,
        step: task.step,
        specification: task.specification,
        status: task.status,
        sub_status: task.sub_status,
        attempt: task.attempt,
        parent_id: task.parent_id,
        restart_parent: task.restart_parent,
        restarted_as: task.restarted_as,
        waits_for: waits_for.into_iter().flatten().copied().collect(),
        started_at: task.started_at,
        finished_at: task.finished_at,
        error: task.error.map(|error| error.message),
    }
}

#[cfg(test)]
mod tests {
    use kantoku_domain::{
        Dependency,
        dependency::{Trigger, TriggerRule, Upstream},
    };

    use super::*;
    use crate::server::why::testing::{graph, id_of, reads};

    fn steps(tree: &Tree) -> Vec<&str> {
        tree.tasks.iter().filter_map(|task| task.step.as_deref()).collect()
    }

    #[test]
    fn tasks_come_after_what_they_wait_for_and_by_name() {
        let drawn = draw(graph(&[
            reads("a-last", &["m", "z-first"]),
            reads("m", &["z-first"]),
            reads("b", &[]),
            reads("z-first", &[]),
        ]));
        assert_eq!(steps(&drawn), ["b", "z-first", "m", "a-last"]);
        assert_eq!(drawn.tasks[3].waits_for.len(), 2);
    }

    #[test]
    fn a_task_comes_after_all_that_its_expression_and_its_rule_name_as_they_are_now() {
        let steps = ["a", "b", "c", "b-again", "last"].map(|step| reads(step, &[]));
        let mut graph = graph(&steps);
        graph.tasks.get_mut(&id_of("b")).expect("a step").restarted_as = Some(id_of("b-again"));
        let last = graph.tasks.get_mut(&id_of("last")).expect("a step");
        let not = Dependency::Not(Box::new(Dependency::Failed(id_of("a"))));
        last.depends_on = Some(Dependency::Any(vec![not, Dependency::Done(id_of("b"))]));
        let upstream = vec![Upstream { task: id_of("c"), inputs: vec![] }];
        last.when = Some(Trigger { rule: TriggerRule::AllDone, upstream });
        let drawn = draw(graph);
        let last = drawn.tasks.last().expect("a step");
        assert_eq!(last.step.as_deref(), Some("last"));
        let waits_for: BTreeSet<Id> = last.waits_for.iter().copied().collect();
        assert_eq!(waits_for, ["a", "b-again", "c"].map(id_of).into());
    }

    #[test]
    fn children_come_after_their_parents() {
        let mut graph = graph(&[reads("a-child", &[]), reads("parent", &[])]);
        let id = |step: &str, graph: &Graph| {
            let of_step = |task: &&GraphTask| task.step.as_deref() == Some(step);
            graph.tasks.values().find(of_step).expect("a step").id
        };
        let (child, parent) = (id("a-child", &graph), id("parent", &graph));
        graph.tasks.get_mut(&child).expect("it").parent_id = Some(parent);
        assert_eq!(steps(&draw(graph)), ["parent", "a-child"]);
    }
}
