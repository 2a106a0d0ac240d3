//! Looking back: what reads said at a position of the stream.
//!
//! The index of events tells where the events of a context lie, and the stream what they are; the
//! fold of the projector makes documents of them, in memory. So what is told of the past is what
//! was told then.

mod fold;
mod moment;

pub(super) use moment::Moment;

use kantoku_domain::{Id, Namespace};
use kantoku_projections::{
    Error as ReadError,
    document::{ContextDocument, Record, ResourceDocument, TaskDocument},
    reader::Graph,
};

use super::Api;
use crate::{ApiError, contract::TREE_TASKS_MAX};
use fold::Folded;

impl Moment {
    /// The task `id` as it was.
    pub(super) async fn task(
        &self,
        api: &Api,
        namespace: &Namespace,
        id: Id,
    ) -> Result<TaskDocument, ApiError> {
        let now = api.reader.record::<TaskDocument>(namespace, id).await;
        let now = now.map_err(|error| self.not_found(error.into()))?;
        let context_id = now.document.context_id;
        let mut folded = Folded::begin(api, self, namespace).await?;
        folded.take(context_id).await?;
        // What it waits for may lie in other contexts.
        let unknown = folded.model.unknown_to(id);
        for context_id in api.reader.contexts_of(namespace, &unknown).await? {
            folded.take(context_id).await?;
        }
        let task = api.reader.past_task(&folded.model, id, self.stream_seq, self.at).await?;
        task.ok_or_else(|| self.no_such::<TaskDocument>(id))
    }

    /// The context `id` as it was.
    pub(super) async fn context(
        &self,
        api: &Api,
        namespace: &Namespace,
        id: Id,
    ) -> Result<ContextDocument, ApiError> {
        let mut folded = Folded::begin(api, self, namespace).await?;
        folded.take(id).await?;
        folded.model.context(id).cloned().ok_or_else(|| self.no_such::<ContextDocument>(id))
    }

    /// The resource `id` as it was.
    pub(super) async fn resource(
        &self,
        api: &Api,
        namespace: &Namespace,
        id: Id,
    ) -> Result<ResourceDocument, ApiError> {
        let now = api.reader.record::<ResourceDocument>(namespace, id).await;
        let now = now.map_err(|error| self.not_found(error.into()))?;
        let mut folded = Folded::begin(api, self, namespace).await?;
        // One of no context has its events for itself.
        folded.take(now.document.context_id.unwrap_or(id)).await?;
        folded.model.resource(id).cloned().ok_or_else(|| self.no_such::<ResourceDocument>(id))
    }

    /// The context `context_id` with its tasks as they were.
    pub(super) async fn graph(
        &self,
        api: &Api,
        namespace: &Namespace,
        context_id: Id,
    ) -> Result<Graph, ApiError> {
        let mut folded = Folded::begin(api, self, namespace).await?;
        folded.take(context_id).await?;
        let graph = folded.model.graph(context_id, TREE_TASKS_MAX);
        let graph = graph.ok_or_else(|| self.no_such::<ContextDocument>(context_id))?;
        Ok(Graph { as_of_seq: self.stream_seq, ..graph })
    }

    /// That there was no such thing then: the same, whether it came later, or is another's.
    fn no_such<T: Record>(&self, id: Id) -> ApiError {
        let (kind, as_of_seq) = (T::KIND, self.stream_seq);
        ReadError::NotFound { kind, name: id.to_string(), as_of_seq }.into()
    }
}
