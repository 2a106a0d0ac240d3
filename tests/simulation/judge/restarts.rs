//! Restarts of contexts: each step is carried out as it was decided, or named as overtaken.

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Id, Recorded, context,
    restart::{Action, successor_id},
};

use super::{End, Judge, Verdict, ensure};

/// The restart of a context.
#[derive(Clone, Debug)]
pub(crate) struct Restart {
    /// Where it was ordered.
    pub(super) ordered: u64,
    /// What becomes of each task, and where that was decided.
    steps: BTreeMap<Id, (Action, u64)>,
    settled: Option<context::RestartSettled>,
}

const SETTLED: &str = "a restart is settled once";
const DONE: &str = "a step of a restart is carried out, or named as overtaken";
const FORCED: &str = "a step that was overtaken is not forced";

impl Restart {
    pub(super) fn new(ordered: u64, restarted: &context::Restarted) -> Self {
        let step =
            |step: &kantoku_domain::restart::Entry| (step.task_id, (step.action, step.position));
        Self { ordered, steps: restarted.steps.iter().map(step).collect(), settled: None }
    }

    fn reruns(&self, id: Id) -> bool {
        matches!(self.steps.get(&id), Some((Action::Rerun, _)))
    }
}

impl Judge {
    pub(super) fn settled(&mut self, id: Id, settled: &context::RestartSettled) -> Verdict {
        let context = self.contexts.entry(id).or_default();
        let restart = context.restarts.get_mut(&settled.id);
        let is_open = restart.as_ref().is_some_and(|restart| restart.settled.is_none());
        if let Some(restart) = restart {
            restart.settled = Some(settled.clone());
        }
        ensure(is_open, SETTLED, || format!("restart {}", settled.id))
    }

    /// A task is restarted as a step: it is as it was when that was decided, or was given up, or has
    /// come back by the very restart.
    pub(super) fn check_step(&self, recorded: &Recorded) -> Verdict {
        let Event::TaskRestarted(restarted) = &recorded.event else { return Ok(()) };
        let Some(entry) = self.tasks.get(&recorded.id) else { return Ok(()) };
        let context = self.contexts.get(&entry.spawned.context_id);
        let restart =
            restarted.step_of.and_then(|id| context.and_then(|context| context.restarts.get(&id)));
        let Some(restart) = restart else { return Ok(()) };
        let position = restart.steps.get(&recorded.id).map(|(_, position)| *position);
        let follows =
            entry.skipped.is_some() || entry.revived_for.is_some_and(|of| restart.reruns(of));
        ensure(position == Some(entry.last_seq) || follows, FORCED, || {
            let (id, last) = (recorded.id, entry.last_seq);
            format!("task {id} has moved to {last}, and the step is of {position:?}")
        })
    }

    /// Nothing is left to do: all restarts have been carried out.
    /// `twice`: two carry each out at the same time, and what has overtaken a step for one of them
    /// may be what lets it go on for the other.
    pub(super) fn check_restarts(&self, twice: bool) -> Verdict {
        for (id, restart) in self.contexts.values().flat_map(|context| &context.restarts) {
            let Some(settled) = &restart.settled else {
                return ensure(false, SETTLED, || format!("restart {id} is not"));
            };
            for (task_id, (action, _)) in &restart.steps {
                let is_named = settled.superseded.iter().any(|step| step.task_id == *task_id);
                let is_done = self.is_done(*id, restart, *task_id, *action);
                // What did not come back then may have by now.
                let is_well = match action {
                    Action::Rerun if !twice => is_done != is_named,
                    _ => is_done || is_named,
                };
                ensure(is_well, DONE, || {
                    format!("{action:?} of task {task_id} by restart {id}: done {is_done}")
                })?;
            }
        }
        Ok(())
    }

    fn is_done(&self, id: Id, restart: &Restart, task_id: Id, action: Action) -> bool {
        let Some(entry) = self.tasks.get(&task_id) else { return false };
        match action {
            Action::Rerun => entry.restarted_as == Some(successor_id(id, task_id)),
            // It may have been given up once more since.
            _ => entry.end() != Some(End::Skipped) || entry.last_seq > restart.ordered,
        }
    }
}
