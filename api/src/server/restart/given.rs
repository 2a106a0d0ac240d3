//! A plan that comes back from whoever it was shown to: whether it is one, and what is left of it.

use std::collections::{BTreeMap, BTreeSet};

use kantoku_domain::{
    Id,
    context::{self, Superseded},
    restart::{Action, Entry, OutputPolicy, Plan, Target, Unfolding, VersionPolicy},
};
use kantoku_streams::Loaded;

use super::super::{context::Tasks, shared::new_id};
use crate::{ApiError, Code};

/// Steps that are looked at in one go.
const AT_ONCE: usize = 1_000;

fn wrong(what: impl std::fmt::Display) -> ApiError {
    let message = format!("{what}: give back the plan of a preview as it came");
    ApiError::new(Code::Invalid, message).field("plan")
}

/// Whether the plan is for what is asked for besides.
pub(super) fn is_asked_for(
    plan: &Plan,
    context_id: Id,
    target: Option<Target>,
    outputs: Option<OutputPolicy>,
    version: Option<VersionPolicy>,
) -> Result<(), ApiError> {
    let what = match () {
        () if plan.context_id != context_id => format!("context {}", plan.context_id),
        () if target.is_some_and(|target| plan.target != target) => "another target".into(),
        () if outputs.is_some_and(|it| plan.outputs != it) => format!("outputs {}", plan.outputs),
        () if version.is_some_and(|it| plan.version != it) => format!("version {}", plan.version),
        () => return Ok(()),
    };
    Err(ApiError::new(Code::Invalid, format!("the plan is for {what}")).field("plan"))
}

/// The plan without what was overtaken since it was made, and that.
pub(super) fn examine(mut plan: Plan, tasks: &Tasks) -> Result<(Plan, Vec<Superseded>), ApiError> {
    check(&plan, tasks)?;
    let superseded = overtaken(&plan, tasks);
    let reasons: BTreeMap<Id, &str> =
        superseded.iter().map(|it| (it.task_id, it.reason.as_str())).collect();
    for entry in &mut plan.entries {
        if let Some(reason) = reasons.get(&entry.task_id) {
            entry.action = Action::Keep;
            entry.reason = format!("overtaken: {reason}");
        }
        entry.after.retain(|id| !reasons.contains_key(id));
    }
    plan.results.retain(|_, moved| !reasons.contains_key(&moved.task_id));
    if plan.steps().any(|entry| entry.action == Action::Rerun) {
        return Ok((plan, superseded));
    }
    Err(nothing_is_left(&superseded, tasks))
}

fn nothing_is_left(superseded: &[Superseded], tasks: &Tasks) -> ApiError {
    let told = superseded.iter().map(|it| format!("task {}: {}", it.task_id, it.reason));
    let told: Vec<String> = told.take(3).collect();
    let message = format!("nothing is left of the plan: {}; make another", told.join("; "));
    let mut error = ApiError::new(Code::Rejected, message).reason("overtaken");
    let nodes = &tasks.graph.nodes;
    error.data.winner = superseded.iter().find_map(|it| nodes.get(&it.task_id)?.restarted_as);
    error
}

/// Whether the plan can be one that was made here.
fn check(plan: &Plan, tasks: &Tasks) -> Result<(), ApiError> {
    let steps = plan.steps().count();
    if steps > Plan::STEPS_MAX {
        return Err(wrong(format!("the plan has {steps} steps, more than {}", Plan::STEPS_MAX)));
    }
    if tasks.graph.cancelled && !plan.reopens {
        let message = "the context was ordered to stop since the plan was made; make another";
        return Err(ApiError::new(Code::Rejected, message).reason("overtaken"));
    }
    let mut reruns = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for step in plan.steps() {
        if !seen.insert(step.task_id) {
            return Err(wrong(format!("the plan names task {} twice", step.task_id)));
        }
        check_step(plan, step, tasks)?;
        if step.action == Action::Rerun {
            reruns.insert(step.task_id, step);
        }
    }
    let is_moved = |task_id: &Id, output: &String| {
        reruns.get(task_id).is_some_and(|step| step.replaces.contains_key(output))
    };
    match plan.results.iter().find(|(_, it)| !is_moved(&it.task_id, &it.output)) {
        Some((name, _)) => Err(wrong(format!("the plan moves output {name:?} to nowhere"))),
        None => Ok(()),
    }
}

fn check_step(plan: &Plan, step: &Entry, tasks: &Tasks) -> Result<(), ApiError> {
    let id = step.task_id;
    let Some(node) = tasks.graph.nodes.get(&id).filter(|node| node.position > 0) else {
        return Err(wrong(format!("the plan names task {id}, which the context does not have")));
    };
    if step.position > node.position {
        let (at, now) = (step.position, node.position);
        return Err(wrong(format!("the plan knows task {id} at {at}, and it is at {now}")));
    }
    let is_fresh = step.action == Action::Rerun && plan.outputs == OutputPolicy::Reallocate;
    let outputs = node.spawned.outputs.iter().filter(|_| is_fresh);
    if !outputs.map(|(name, output)| (name, &output.id)).eq(&step.replaces) {
        return Err(wrong(format!("the plan replaces other outputs than those of task {id}")));
    }
    let of = &node.spawned.specification.name;
    if step.specification.as_ref().is_some_and(|it| it.name != *of) {
        return Err(wrong(format!("task {id} is of {of}, and the plan says otherwise")));
    }
    let Some(revived) = step.revived else { return Ok(()) };
    let cause = tasks.graph.nodes.get(&revived.root_cause);
    if cause.and_then(|cause| cause.restarted_as) != Some(revived.restarted_as) {
        let cause = revived.root_cause;
        return Err(wrong(format!("task {cause} was not restarted as the plan says")));
    }
    Ok(())
}

/// The steps that would be found overtaken if the plan was carried out now: by the judgement of
/// whoever carries it out.
fn overtaken(plan: &Plan, tasks: &Tasks) -> Vec<Superseded> {
    let mut unfolding = Unfolding::new(context::Restarted {
        id: new_id(),
        target: plan.target,
        outputs: plan.outputs,
        version: plan.version,
        reason: String::new(),
        by: String::new(),
        steps: plan.steps().cloned().collect(),
        results: BTreeMap::new(),
    });
    let nothing = Loaded::default();
    loop {
        let next: Vec<Id> = unfolding.next(AT_ONCE).iter().map(|step| step.task_id).collect();
        for id in &next {
            let known = tasks.loaded.get(id).unwrap_or(&nothing);
            if unfolding.look(*id, known.stream_seq, &known.state, None).is_some() {
                unfolding.assume(*id);
            }
        }
        if next.is_empty() {
            break;
        }
    }
    match unfolding.settled() {
        Some(context::Command::SettleRestart(settled)) => settled.superseded,
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[path = "given_tests.rs"]
mod tests;
