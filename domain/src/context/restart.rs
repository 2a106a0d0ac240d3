//! Restarts of several tasks of a context: one decision, unfolded step by step.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Context;
use crate::{
    Decision, Envelope, Event, Id, Reason, Rejection,
    restart::{Action, Entry, Moved, OutputPolicy, Plan, Target, VersionPolicy, successor_id},
    task::already_restarted,
};

/// An order to run some of a context again, by a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The plan, as it was shown or has just been made.
    pub plan: Plan,
    /// Why.
    pub reason: String,
    /// Who ordered it; whoever sends the command unless given.
    pub by: Option<String>,
}

/// Tasks of the context run again. Each step is unfolded into an event of its task, guarded by the
/// position that it was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarted {
    /// The restart: the ids of successors follow from it.
    pub id: Id,
    /// What was asked for.
    pub target: Target,
    /// What becomes of outputs.
    pub outputs: OutputPolicy,
    /// Which versions run.
    pub version: VersionPolicy,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// The tasks of which something is to be done, each after those that it depends on.
    pub steps: Vec<Entry>,
    /// Outputs of the pipeline that other resources will hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, Id>,
}

/// Every step of a restart was carried out, except those that somebody overtook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartSettled {
    /// The restart.
    pub id: Id,
    /// The steps that were not carried out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
}

/// A step that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Superseded {
    /// The task.
    pub task_id: Id,
    /// Why not, for people.
    pub reason: String,
}

/// The last restart that was to put another task in the place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The state of the task that it was decided on: the `stream_seq` of its last event.
    pub position: u64,
    /// The other task.
    pub successor: Id,
    /// Somebody overtook the step: there is no such other, and the state is free for another plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overtaken: bool,
}

impl Context {
    pub(super) fn restart(&self, restart: &Restart, envelope: &Envelope) -> Decision {
        let plan = &restart.plan;
        let id = envelope.event_id();
        let steps: Vec<Entry> = plan.steps().cloned().collect();
        check(&steps)?;
        let mut is_repeated = true;
        for step in steps.iter().filter(|step| step.action == Action::Rerun) {
            let successor = successor_id(id, step.task_id);
            match self.restarted.get(&step.task_id) {
                Some(claimed) if claimed.successor == successor => {}
                // Two plans for the same state of a task: the first wins.
                Some(claimed) if claimed.position >= step.position && !claimed.overtaken => {
                    return Err(already_restarted(claimed.successor));
                }
                _ => is_repeated = false,
            }
        }
        if is_repeated {
            return Ok(None);
        }
        let result = |(name, moved): (&String, &Moved)| {
            let task_id = moved.task_id;
            let id = successor_id(id, task_id).derive(&moved.output, task_id.partition());
            (name.clone(), id)
        };
        Ok(Some(Event::ContextRestarted(Restarted {
            id,
            target: plan.target,
            outputs: plan.outputs,
            version: plan.version,
            reason: restart.reason.clone(),
            by: restart.by.clone().unwrap_or_else(|| envelope.actor.clone()),
            steps,
            results: plan.results.iter().map(result).collect(),
        })))
    }

    pub(super) fn restarted(&mut self, restarted: &Restarted) {
        self.cancelled = false;
        self.restarting.insert(restarted.id);
        for step in restarted.steps.iter().filter(|step| step.action == Action::Rerun) {
            let successor = successor_id(restarted.id, step.task_id);
            let claimed = Claimed { position: step.position, successor, overtaken: false };
            self.restarted.insert(step.task_id, claimed);
        }
    }

    pub(super) fn settled(&mut self, settled: &RestartSettled) {
        self.restarting.remove(&settled.id);
        for Superseded { task_id, .. } in &settled.superseded {
            let successor = successor_id(settled.id, *task_id);
            // Another plan may have claimed the task since.
            if let Some(claimed) = self.restarted.get_mut(task_id)
                && claimed.successor == successor
            {
                claimed.overtaken = true;
            }
        }
    }

    pub(super) fn settle(&self, settled: &RestartSettled) -> Option<Event> {
        let is_open = self.restarting.contains(&settled.id);
        is_open.then(|| Event::ContextRestartSettled(settled.clone()))
    }
}

/// A plan may come back from whoever it was shown to: nothing about it is taken for granted. Each
/// step is decided again by its task.
fn check(steps: &[Entry]) -> Result<(), Rejection> {
    let wrong = |message: String| Err(Rejection::new(Reason::Invalid, message).field("plan"));
    if steps.len() > Plan::STEPS_MAX {
        return wrong(format!("{} steps are more than {}", steps.len(), Plan::STEPS_MAX));
    }
    if !steps.iter().any(|step| step.action == Action::Rerun) {
        return wrong("the plan restarts no task".into());
    }
    let mut seen = std::collections::BTreeSet::new();
    for step in steps {
        if let Some(later) = step.after.iter().find(|id| !seen.contains(*id)) {
            return wrong(format!(
                "task {} comes before {later}, which it depends on",
                step.task_id
            ));
        }
        if !seen.insert(step.task_id) {
            return wrong(format!("the plan names task {} twice", step.task_id));
        }
    }
    Ok(())
}
