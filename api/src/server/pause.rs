//! `*.pause`, `*.resume`, `task.approve`, `namespace.get`

use std::sync::Arc;

use kantoku_domain::{
    Context, Dependency, Id, Kind, Name, Namespace, NamespaceState, Specification, Task, context,
    namespace, specification, task,
};
use kantoku_projections::document::{NamespaceDocument, SpecificationDocument, TaskDocument};

use super::{Api, Caller, Module, shared::new_id};
use crate::{
    ApiError, Code,
    contract::{
        Accepted, ApproveParams, Approved, ContextPause, ContextResume, NamedPauseParams,
        NamedResumeParams, NamespaceGet, NamespaceParams, NamespacePause, NamespacePauseParams,
        NamespaceResume, PauseParams, ResumeParams, SpecificationPause, SpecificationResume,
        TaskApprove, TaskPause, TaskResume,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register_command::<TaskPause>(pause_task);
    module.register_command::<TaskResume>(resume_task);
    module.register_command::<TaskApprove>(approve);
    module.register_command::<ContextPause>(pause_context);
    module.register_command::<ContextResume>(resume_context);
    module.register_command::<SpecificationPause>(pause_specification);
    module.register_command::<SpecificationResume>(resume_specification);
    module.register_command::<NamespacePause>(pause_namespace);
    module.register_command::<NamespaceResume>(resume_namespace);
    module.register::<NamespaceGet>(get_namespace);
}

type Result<T> = std::result::Result<T, ApiError>;

async fn pause_task(api: Arc<Api>, caller: Caller, params: PauseParams) -> Result<Accepted> {
    let command = task::Command::Pause { reason: params.reason };
    api.order_task(&caller, params.namespace, &params.id, &command).await
}

async fn resume_task(api: Arc<Api>, caller: Caller, params: ResumeParams) -> Result<Accepted> {
    api.order_task(&caller, params.namespace, &params.id, &task::Command::Resume).await
}

async fn pause_context(api: Arc<Api>, caller: Caller, params: PauseParams) -> Result<Accepted> {
    let command = context::Command::Pause { reason: params.reason };
    api.order_context(&caller, params.namespace, &params.id, &command).await
}

async fn resume_context(api: Arc<Api>, caller: Caller, params: ResumeParams) -> Result<Accepted> {
    api.order_context(&caller, params.namespace, &params.id, &context::Command::Resume).await
}

async fn pause_specification(
    api: Arc<Api>,
    caller: Caller,
    params: NamedPauseParams,
) -> Result<Accepted> {
    let command = specification::Command::Pause { reason: params.reason };
    api.order_specification(&caller, params.namespace, &params.name, &command).await
}

async fn resume_specification(
    api: Arc<Api>,
    caller: Caller,
    params: NamedResumeParams,
) -> Result<Accepted> {
    let command = specification::Command::Resume;
    api.order_specification(&caller, params.namespace, &params.name, &command).await
}

async fn pause_namespace(
    api: Arc<Api>,
    caller: Caller,
    params: NamespacePauseParams,
) -> Result<Accepted> {
    let command = namespace::Command::Pause { reason: params.reason };
    api.order_namespace(&caller, params.namespace, &command).await
}

async fn resume_namespace(
    api: Arc<Api>,
    caller: Caller,
    params: NamespaceParams,
) -> Result<Accepted> {
    api.order_namespace(&caller, params.namespace, &namespace::Command::Resume).await
}

async fn get_namespace(api: Arc<Api>, params: NamespaceParams) -> Result<NamespaceDocument> {
    let name = params.namespace.unwrap_or_default();
    let id = Id::named(&name, Kind::Namespace, name.as_str());
    let loaded = api.bus.ledger().load::<NamespaceState>(&name, id).await?;
    Ok(NamespaceDocument { name, paused: loaded.state.paused, stream_seq: loaded.stream_seq })
}

async fn approve(api: Arc<Api>, caller: Caller, params: ApproveParams) -> Result<Approved> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    let context_id = api.context_of(&namespace, id).await?;
    let by = params.by.unwrap_or_else(|| caller.actor.to_string());
    if by.is_empty() || by.len() > NAME_BYTES_MAX {
        let message = format!("the name of who approves has 1 to {NAME_BYTES_MAX} bytes");
        return Err(ApiError::new(Code::Invalid, message).field("by"));
    }
    let envelope = api.envelope(&caller, new_id(), id, context_id);
    let command = task::Command::Approve(task::Approved { name: params.name.clone(), by });
    let outcome = api.execute::<Task>(&namespace, &command, &envelope).await?;
    let task = api.bus.ledger().load::<Task>(&namespace, id).await?.state;
    let asked = task.spawned.as_deref().and_then(|spawned| spawned.depends_on.as_ref());
    let asked = asked.map(Dependency::approvals).unwrap_or_default();
    let needed = asked.iter().find(|approval| approval.name == params.name);
    Ok(Approved {
        given: task.approvals(&params.name).map(str::to_owned).collect(),
        needed: needed.map_or(0, |approval| approval.count),
        stream_seq: outcome.stream_seq,
    })
}

/// How long the name of a person may be who approves: it stands in events.
const NAME_BYTES_MAX: usize = 256;

impl Api {
    async fn order_task(
        &self,
        caller: &Caller,
        namespace: Option<Namespace>,
        id: &str,
        command: &task::Command,
    ) -> Result<Accepted> {
        let namespace = namespace.unwrap_or_default();
        let id = self.resolve::<TaskDocument>(&namespace, id).await?;
        let context_id = self.context_of(&namespace, id).await?;
        let envelope = self.envelope(caller, new_id(), id, context_id);
        let outcome = self.execute::<Task>(&namespace, command, &envelope).await?;
        Ok(Accepted { stream_seq: outcome.stream_seq })
    }

    async fn order_context(
        &self,
        caller: &Caller,
        namespace: Option<Namespace>,
        id: &str,
        command: &context::Command,
    ) -> Result<Accepted> {
        let namespace = namespace.unwrap_or_default();
        let document = match command {
            context::Command::Pause { .. } => self.live_context(&namespace, id).await?,
            _ => self.context(&namespace, id).await?,
        };
        let id = document.id;
        let envelope = self.envelope(caller, new_id(), id, id);
        let outcome = self.execute::<Context>(&namespace, command, &envelope).await?;
        Ok(Accepted { stream_seq: outcome.stream_seq })
    }

    async fn order_specification(
        &self,
        caller: &Caller,
        namespace: Option<Namespace>,
        name: &Name,
        command: &specification::Command,
    ) -> Result<Accepted> {
        let namespace = namespace.unwrap_or_default();
        let id = Id::named(&namespace, Kind::Specification, name.as_str());
        let envelope = self.envelope(caller, new_id(), id, id);
        match self.execute::<Specification>(&namespace, command, &envelope).await {
            Ok(outcome) => Ok(Accepted { stream_seq: outcome.stream_seq }),
            Err(error) if error.code == Code::NotFound => {
                Err(self.no_such::<SpecificationDocument>(&namespace, "name", name).await)
            }
            Err(error) => Err(error),
        }
    }

    async fn order_namespace(
        &self,
        caller: &Caller,
        namespace: Option<Namespace>,
        command: &namespace::Command,
    ) -> Result<Accepted> {
        let namespace = namespace.unwrap_or_default();
        let id = Id::named(&namespace, Kind::Namespace, namespace.as_str());
        let envelope = self.envelope(caller, new_id(), id, id);
        let outcome = self.execute::<NamespaceState>(&namespace, command, &envelope).await?;
        Ok(Accepted { stream_seq: outcome.stream_seq })
    }
}
