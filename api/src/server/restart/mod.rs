//! `task.restart`, `context.restart`
//!
//! All tasks of the context are read, the domain plans on them ([`kantoku_domain::restart`]), and
//! the task or the context is ordered to do just that. What is decided so is unfolded by a
//! processor, not here.

mod before;
mod given;
mod versions;

use std::sync::Arc;

use kantoku_domain::{
    Context, Id, Namespace, Task,
    context::Superseded,
    nearest,
    plan::Specifications,
    restart::{self, Action, Order, OutputPolicy, Plan, Request, Target, VersionPolicy},
    task::already_restarted,
};
use kantoku_projections::document::{ContextDocument, TaskDocument};
use kantoku_streams::now;

use super::{
    Api, Caller, Module,
    command::{Ordered, used_before},
    context::Tasks,
    shared::blocking,
};
use crate::{
    ApiError, Code,
    contract::{
        ContextRestart, ContextRestartParams, ContextTarget, Method as _, Restarted, TaskRestart,
        TaskRestartParams,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register_command::<TaskRestart>(restart_task);
    module.register_command::<ContextRestart>(restart_context);
}

pub(super) async fn restart_task(
    api: Arc<Api>,
    caller: Caller,
    params: TaskRestartParams,
) -> Result<Restarted, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<TaskDocument>(&namespace, &params.id).await?;
    let context_id = api.context_of(&namespace, id).await?;
    let key = params.idempotency_key.as_deref();
    let ordered = Ordered::of(&namespace, TaskRestart::NAME, id, key);
    if params.plan.is_none() && key.is_none() {
        // Of a task that another has the place of, nothing else has to be known.
        let task = api.bus.ledger().load::<Task>(&namespace, id).await?.state;
        if let Some(winner) = task.restarted_as {
            return Err(already_restarted(winner).into());
        }
    }
    let target = if params.from { Target::From(id) } else { Target::Task(id) };
    let asked = Asked {
        target: Some(target),
        outputs: params.outputs,
        version: params.version,
        plan: params.plan,
    };
    let looked_for = key.map(|_| ordered.command_id);
    let tasks = api.tasks_of(&namespace, context_id, looked_for).await?;
    let restart = Restart { api: &api, caller: &caller, ordered: &ordered };
    restart.run(tasks, asked, params.reason, params.dry_run).await
}

pub(super) async fn restart_context(
    api: Arc<Api>,
    caller: Caller,
    params: ContextRestartParams,
) -> Result<Restarted, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let id = api.resolve::<ContextDocument>(&namespace, &params.id).await?;
    let context = api.context(&namespace, id).await?;
    let key = params.idempotency_key.as_deref();
    let ordered = Ordered::of(&namespace, ContextRestart::NAME, id, key);
    let looked_for = key.map(|_| ordered.command_id);
    let tasks = api.tasks_of(&namespace, context.id, looked_for).await?;
    let target = match params.target {
        Some(ContextTarget::All) => Some(Target::All),
        Some(ContextTarget::From(name)) => {
            Some(Target::From(from(&api, &namespace, &tasks, &name).await?))
        }
        None if params.plan.is_some() => None,
        Some(ContextTarget::Failed) | None => Some(Target::Failed),
    };
    let asked =
        Asked { target, outputs: params.outputs, version: params.version, plan: params.plan };
    let restart = Restart { api: &api, caller: &caller, ordered: &ordered };
    restart.run(tasks, asked, params.reason, params.dry_run).await
}

/// The task that `name` means: the step of that name, or an id.
async fn from(api: &Api, namespace: &Namespace, tasks: &Tasks, name: &str) -> Result<Id, ApiError> {
    let is_current = |id: &Id| tasks.graph.nodes[id].restarted_as.is_none();
    let step = |id: &Id| tasks.graph.nodes[id].spawned.step.as_deref();
    let ids = || tasks.graph.nodes.keys().copied();
    let of_step: Vec<Id> =
        ids().filter(|id| step(id) == Some(name) && is_current(id)).take(2).collect();
    match of_step[..] {
        [id] => return Ok(id),
        [] => {}
        _ => {
            let message = format!("several tasks are called {name:?}: give the id of one");
            let error = ApiError::new(Code::NotFound, message).reason("ambiguous");
            return Err(error.field("target.from"));
        }
    }
    match api.resolve::<TaskDocument>(namespace, name).await {
        Ok(id) if tasks.graph.nodes.contains_key(&id) => return Ok(id),
        Err(error) if !matches!(error.code, Code::NotFound | Code::Invalid) => return Err(error),
        _ => {}
    }
    let meant = nearest(name, ids().filter_map(|id| step(&id)));
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"));
    let message = format!("the context has no step and no task {name:?}{meant}");
    Err(ApiError::new(Code::NotFound, message).field("target.from"))
}

/// What is asked for.
struct Asked {
    /// `None`: what the plan is for.
    target: Option<Target>,
    outputs: Option<OutputPolicy>,
    version: Option<VersionPolicy>,
    plan: Option<Box<Plan>>,
}

/// What is to be done.
struct Decided {
    plan: Plan,
    superseded: Vec<Superseded>,
    specifications: Specifications,
}

struct Restart<'a> {
    api: &'a Api,
    caller: &'a Caller,
    ordered: &'a Ordered<'a>,
}

impl Restart<'_> {
    async fn run(
        &self,
        tasks: Tasks,
        asked: Asked,
        reason: String,
        dry_run: bool,
    ) -> Result<Restarted, ApiError> {
        if let Some(first) = &tasks.first {
            let context_id = tasks.graph.context_id;
            let answer = before::answer(first, context_id, &asked, &reason);
            return answer.ok_or_else(|| used_before(first));
        }
        let decided = match asked {
            Asked { plan: Some(plan), target, outputs, version } => {
                given::is_asked_for(&plan, tasks.graph.context_id, target, outputs, version)?;
                self.examine(tasks, *plan).await?
            }
            Asked { plan: None, target, outputs, version } => {
                let (outputs, version) = (outputs.unwrap_or_default(), version.unwrap_or_default());
                self.plan(tasks, target.unwrap_or(Target::Failed), outputs, version).await?
            }
        };
        if dry_run {
            return Ok(decided.answer());
        }
        self.order(decided, &reason).await
    }

    async fn plan(
        &self,
        tasks: Tasks,
        target: Target,
        outputs: OutputPolicy,
        version: VersionPolicy,
    ) -> Result<Decided, ApiError> {
        let specifications = self.specifications(&tasks, version).await?;
        let request = Request { target, outputs, version, specifications, now: now() };
        let (plan, request) = blocking(move || {
            let plan = restart::plan(&tasks.graph, &request);
            (plan, request)
        })
        .await?;
        let specifications = request.specifications;
        Ok(Decided { plan: plan?, superseded: vec![], specifications })
    }

    /// What is left of a plan that was shown.
    async fn examine(&self, tasks: Tasks, plan: Plan) -> Result<Decided, ApiError> {
        let (plan, superseded) = blocking(move || given::examine(plan, &tasks)).await??;
        let specifications = self.named_by(&plan).await?;
        Ok(Decided { plan, superseded, specifications })
    }

    async fn order(&self, decided: Decided, reason: &str) -> Result<Restarted, ApiError> {
        let Decided { plan, specifications, .. } = &decided;
        let context_id = plan.context_id;
        let order = plan.order(reason, None, specifications);
        let id = match &order {
            Order::Task(id, _) | Order::Context(id, _) => *id,
        };
        let envelope = self.api.envelope(self.caller, self.ordered.command_id, id, context_id);
        let (outcome, restart_id) = match order {
            Order::Task(_, command) => {
                (self.api.execute::<Task>(self.ordered.namespace, &command, &envelope).await?, None)
            }
            Order::Context(_, command) => (
                self.api.execute::<Context>(self.ordered.namespace, &command, &envelope).await?,
                Some(envelope.event_id()),
            ),
        };
        let named = match plan.target {
            Target::Task(id) | Target::From(id) => Some(id),
            Target::Failed | Target::All => None,
        };
        let reruns =
            |id: &Id| plan.steps().any(|step| step.task_id == *id && step.action == Action::Rerun);
        let successor =
            named.filter(reruns).map(|id| restart::successor_id(envelope.event_id(), id));
        Ok(Restarted {
            task_id: successor,
            restart_id,
            stream_seq: Some(outcome.stream_seq),
            ..decided.answer()
        })
    }
}

impl Decided {
    /// The answer to a preview.
    fn answer(self) -> Restarted {
        Restarted {
            context_id: self.plan.context_id,
            plan: self.plan,
            superseded: self.superseded,
            task_id: None,
            restart_id: None,
            stream_seq: None,
        }
    }
}
