//! `task.label`

use std::sync::Arc;

use kantoku_domain::{Event, Id, Kind, Namespace, Task, task};
use kantoku_projections::document::TaskDocument;

use super::{Api, Caller, Module, command::Ordered};
use crate::{
    ApiError,
    contract::{LabelParams, Labelled, Method as _, TaskLabel},
};

pub(super) fn register(module: &mut Module) {
    module.register_command::<TaskLabel>(label);
}

async fn label(api: Arc<Api>, caller: Caller, params: LabelParams) -> Result<Labelled, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    let (set, remove, overwrite) = (params.set, params.remove, params.overwrite);
    let label = task::Label { set, remove, overwrite };
    let key = params.idempotency_key.as_deref();
    let (stream_seq, _) = api.label(&caller, &namespace, id, label, key).await?;
    let task = api.bus.ledger().load::<Task>(&namespace, id).await?.state;
    Ok(Labelled { labels: task.labels(), stream_seq })
}

impl Api {
    /// Labels a task: the position to read from, and whether anything is different since.
    pub(super) async fn label(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        id: Id,
        label: task::Label,
        key: Option<&str>,
    ) -> Result<(u64, bool), ApiError> {
        label.check()?;
        let context_id = self.context_of(namespace, id).await?;
        let ordered = Ordered::of(namespace, TaskLabel::NAME, id, key);
        // What was so before is not named by the event.
        let is_it = |event: &Event| match event {
            Event::TaskLabelled(it) => {
                it.set.iter().all(|(name, value)| label.set.get(name) == Some(value))
                    && it.remove.is_subset(&label.remove)
            }
            _ => false,
        };
        if let Some(first) = self.ordered_before(Kind::Task, &ordered, is_it).await? {
            return Ok((first.stream_seq, true));
        }
        let envelope = self.envelope(caller, ordered.command_id, id, context_id);
        let command = task::Command::Label(label);
        let outcome = self.execute::<Task>(namespace, &command, &envelope).await?;
        Ok((outcome.stream_seq, outcome.event.is_some()))
    }
}
