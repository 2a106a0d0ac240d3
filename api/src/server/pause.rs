//! `*.pause`, `*.resume`, `task.approve`, `namespace.get`

use std::sync::Arc;

use kantoku_domain::{
    Aggregate, Context, Dependency, Event, Id, Kind, Name, Namespace, NamespaceState,
    Specification, Task, context, namespace, specification, task,
};
use kantoku_projections::document::{
    ContextDocument, NamespaceDocument, SpecificationDocument, TaskDocument,
};

use super::{Api, Caller, Module, command::Ordered};
use crate::{
    ApiError, Code,
    contract::{
        Accepted, ApproveParams, Approved, ContextPause, ContextResume, Method as _,
        NamedPauseParams, NamedResumeParams, NamespaceGet, NamespaceParams, NamespacePause,
        NamespacePauseParams, NamespaceResume, NamespaceResumeParams, PauseParams, ResumeParams,
        SpecificationPause, SpecificationResume, TaskApprove, TaskPause, TaskResume,
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
    let is_it =
        |event: &Event| matches!(event, Event::TaskPaused(it) if it.reason == params.reason);
    let command = task::Command::Pause { reason: params.reason.clone() };
    let called = Called::of(TaskPause::NAME, &caller, params.namespace, params.idempotency_key);
    api.order_task(&called, &params.id, &command, is_it).await
}

async fn resume_task(api: Arc<Api>, caller: Caller, params: ResumeParams) -> Result<Accepted> {
    let is_it = |event: &Event| matches!(event, Event::TaskResumed(_));
    let called = Called::of(TaskResume::NAME, &caller, params.namespace, params.idempotency_key);
    api.order_task(&called, &params.id, &task::Command::Resume, is_it).await
}

async fn pause_context(api: Arc<Api>, caller: Caller, params: PauseParams) -> Result<Accepted> {
    let is_it =
        |event: &Event| matches!(event, Event::ContextPaused(it) if it.reason == params.reason);
    let command = context::Command::Pause { reason: params.reason.clone() };
    let called = Called::of(ContextPause::NAME, &caller, params.namespace, params.idempotency_key);
    api.order_context(&called, &params.id, &command, is_it).await
}

async fn resume_context(api: Arc<Api>, caller: Caller, params: ResumeParams) -> Result<Accepted> {
    let is_it = |event: &Event| matches!(event, Event::ContextResumed(_));
    let called = Called::of(ContextResume::NAME, &caller, params.namespace, params.idempotency_key);
    api.order_context(&called, &params.id, &context::Command::Resume, is_it).await
}

async fn pause_specification(
    api: Arc<Api>,
    caller: Caller,
    params: NamedPauseParams,
) -> Result<Accepted> {
    let reason = &params.reason;
    let is_it =
        |event: &Event| matches!(event, Event::SpecificationPaused(it) if it.reason == *reason);
    let command = specification::Command::Pause { reason: reason.clone() };
    let method = SpecificationPause::NAME;
    let called = Called::of(method, &caller, params.namespace, params.idempotency_key);
    api.order_specification(&called, &params.name, &command, is_it).await
}

async fn resume_specification(
    api: Arc<Api>,
    caller: Caller,
    params: NamedResumeParams,
) -> Result<Accepted> {
    let is_it = |event: &Event| matches!(event, Event::SpecificationResumed(_));
    let method = SpecificationResume::NAME;
    let called = Called::of(method, &caller, params.namespace, params.idempotency_key);
    api.order_specification(&called, &params.name, &specification::Command::Resume, is_it).await
}

async fn pause_namespace(
    api: Arc<Api>,
    caller: Caller,
    params: NamespacePauseParams,
) -> Result<Accepted> {
    let reason = &params.reason;
    let is_it = |event: &Event| matches!(event, Event::NamespacePaused(it) if it.reason == *reason);
    let command = namespace::Command::Pause { reason: reason.clone() };
    let method = NamespacePause::NAME;
    let called = Called::of(method, &caller, params.namespace, params.idempotency_key);
    api.order_namespace(&called, &command, is_it).await
}

async fn resume_namespace(
    api: Arc<Api>,
    caller: Caller,
    params: NamespaceResumeParams,
) -> Result<Accepted> {
    let is_it = |event: &Event| matches!(event, Event::NamespaceResumed(_));
    let method = NamespaceResume::NAME;
    let called = Called::of(method, &caller, params.namespace, params.idempotency_key);
    api.order_namespace(&called, &namespace::Command::Resume, is_it).await
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
    let key = params.idempotency_key.as_deref();
    let ordered = Ordered::of(&namespace, TaskApprove::NAME, id, key);
    let given = task::Approved { name: params.name.clone(), by };
    let is_it = |event: &Event| matches!(event, Event::TaskApproved(it) if *it == given);
    let before = api.ordered_before(Kind::Task, &ordered, is_it).await?;
    let stream_seq = if let Some(first) = before {
        first.stream_seq
    } else {
        let envelope = api.envelope(&caller, ordered.command_id, id, context_id);
        let command = task::Command::Approve(given);
        api.execute::<Task>(&namespace, &command, &envelope).await?.stream_seq
    };
    let task = api.bus.ledger().load::<Task>(&namespace, id).await?.state;
    let asked = task.spawned.as_deref().and_then(|spawned| spawned.depends_on.as_ref());
    let asked = asked.map(Dependency::approvals).unwrap_or_default();
    let needed = asked.iter().find(|approval| approval.name == params.name);
    Ok(Approved {
        given: task.approvals(&params.name).map(str::to_owned).collect(),
        needed: needed.map_or(0, |approval| approval.count),
        stream_seq,
    })
}

/// How long the name of a person may be who approves: it stands in events.
const NAME_BYTES_MAX: usize = 256;

/// A call that orders something of one aggregate.
struct Called<'a> {
    method: &'static str,
    caller: &'a Caller,
    namespace: Namespace,
    key: Option<String>,
}

impl<'a> Called<'a> {
    fn of(
        method: &'static str,
        caller: &'a Caller,
        namespace: Option<Namespace>,
        key: Option<String>,
    ) -> Self {
        Self { method, caller, namespace: namespace.unwrap_or_default(), key }
    }

    fn order(&self, id: Id) -> Ordered<'_> {
        Ordered::of(&self.namespace, self.method, id, self.key.as_deref())
    }
}

impl Api {
    async fn order_task(
        &self,
        called: &Called<'_>,
        id: &str,
        command: &task::Command,
        is_asked_for: impl FnOnce(&Event) -> bool,
    ) -> Result<Accepted> {
        let id = self.resolve::<TaskDocument>(&called.namespace, id).await?;
        let context_id = self.context_of(&called.namespace, id).await?;
        self.order::<Task>(called, &called.order(id), context_id, command, is_asked_for).await
    }

    async fn order_context(
        &self,
        called: &Called<'_>,
        id: &str,
        command: &context::Command,
        is_asked_for: impl FnOnce(&Event) -> bool,
    ) -> Result<Accepted> {
        let id = self.resolve::<ContextDocument>(&called.namespace, id).await?;
        let ordered = called.order(id);
        if let Some(first) = self.ordered_before(Kind::Context, &ordered, is_asked_for).await? {
            return Ok(Accepted { stream_seq: first.stream_seq });
        }
        if matches!(command, context::Command::Pause { .. }) {
            self.live_context(&called.namespace, id).await?;
        } else if self.bus.ledger().load::<Context>(&called.namespace, id).await?.version == 0 {
            // A single task may have opened it.
            self.context(&called.namespace, id).await?;
        }
        let envelope = self.envelope(called.caller, ordered.command_id, id, id);
        let outcome = self.execute::<Context>(&called.namespace, command, &envelope).await?;
        Ok(Accepted { stream_seq: outcome.stream_seq })
    }

    async fn order_specification(
        &self,
        called: &Called<'_>,
        name: &Name,
        command: &specification::Command,
        is_asked_for: impl FnOnce(&Event) -> bool,
    ) -> Result<Accepted> {
        let id = Id::named(&called.namespace, Kind::Specification, name.as_str());
        let ordered = called.order(id);
        match self.order::<Specification>(called, &ordered, id, command, is_asked_for).await {
            Err(error) if error.code == Code::NotFound => {
                let namespace = &called.namespace;
                Err(self.no_such::<SpecificationDocument>(namespace, "name", name).await)
            }
            accepted => accepted,
        }
    }

    async fn order_namespace(
        &self,
        called: &Called<'_>,
        command: &namespace::Command,
        is_asked_for: impl FnOnce(&Event) -> bool,
    ) -> Result<Accepted> {
        let id = Id::named(&called.namespace, Kind::Namespace, called.namespace.as_str());
        self.order::<NamespaceState>(called, &called.order(id), id, command, is_asked_for).await
    }

    async fn order<A: Aggregate>(
        &self,
        called: &Called<'_>,
        ordered: &Ordered<'_>,
        context_id: Id,
        command: &A::Command,
        is_asked_for: impl FnOnce(&Event) -> bool,
    ) -> Result<Accepted> {
        if let Some(first) = self.ordered_before(A::KIND, ordered, is_asked_for).await? {
            return Ok(Accepted { stream_seq: first.stream_seq });
        }
        let envelope = self.envelope(called.caller, ordered.command_id, ordered.id, context_id);
        let outcome = self.execute::<A>(&called.namespace, command, &envelope).await?;
        Ok(Accepted { stream_seq: outcome.stream_seq })
    }
}
