//! Carrying out the restart of a context, step by step: each is guarded by the position that it was
//! decided on, and one that somebody overtook is reported, not forced.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Entry, OutputPolicy, VersionPolicy, successor_id};
use crate::{
    Id, Rejection, Task, context,
    dependency::Needs,
    specification::Applied,
    task::{self, Restart, Revived},
};

/// The restart of a context under way. Whoever unfolds the event anew comes to the same: a step that
/// was carried out is recognised, and one that was overtaken stays so.
#[derive(Clone, Debug)]
pub struct Unfolding {
    restarted: context::Restarted,
    /// Which resources and tasks others take the place of.
    rebind: BTreeMap<Id, Id>,
    places: BTreeMap<Id, usize>,
    /// The places of steps that are not decided yet.
    open: BTreeSet<usize>,
    /// Those among them that wait for no other.
    free: BTreeSet<usize>,
    /// How many open steps each step waits for, and which wait for it.
    waits_for: Vec<usize>,
    waited_for: BTreeMap<Id, Vec<usize>>,
    superseded: BTreeMap<Id, String>,
}

impl Unfolding {
    /// Of the event.
    pub fn new(restarted: context::Restarted) -> Self {
        let mut rebind = BTreeMap::new();
        if restarted.outputs == OutputPolicy::Reallocate {
            for step in restarted.steps.iter().filter(|step| step.action == Action::Rerun) {
                let successor = successor_id(restarted.id, step.task_id);
                rebind.insert(step.task_id, successor);
                for (name, id) in &step.replaces {
                    rebind.insert(*id, successor.derive(name, step.task_id.partition()));
                }
            }
        }
        let mut unfolding = Self {
            rebind,
            places: BTreeMap::new(),
            open: (0..restarted.steps.len()).collect(),
            free: BTreeSet::new(),
            waits_for: Vec::new(),
            waited_for: BTreeMap::new(),
            superseded: BTreeMap::new(),
            restarted,
        };
        for (place, step) in unfolding.restarted.steps.iter().enumerate() {
            // Each comes after those that it waits for.
            let known = |id: &&Id| unfolding.places.contains_key(*id);
            let before: Vec<Id> = step.after.iter().filter(known).copied().collect();
            if before.is_empty() {
                unfolding.free.insert(place);
            }
            unfolding.waits_for.push(before.len());
            for id in before {
                unfolding.waited_for.entry(id).or_default().push(place);
            }
            unfolding.places.insert(step.task_id, place);
        }
        unfolding
    }

    /// At most `max` steps that can be looked at now, in any order: those before them are decided.
    pub fn next(&self, max: usize) -> Vec<&Entry> {
        self.free.iter().take(max).map(|place| &self.restarted.steps[*place]).collect()
    }

    fn decided(&mut self, task_id: Id) {
        let Some(place) = self.places.get(&task_id) else { return };
        self.free.remove(place);
        if !self.open.remove(place) {
            return;
        }
        for waiting in self.waited_for.remove(&task_id).unwrap_or_default() {
            self.waits_for[waiting] -= 1;
            if self.waits_for[waiting] == 0 && self.open.contains(&waiting) {
                self.free.insert(waiting);
            }
        }
    }

    /// What to send to `task`, whose last event is at `position`: append the event guarded by just
    /// that position, then look again. `None`: the step is decided.
    ///
    /// `specification` is the version that the step names, if it names one.
    pub fn look(
        &mut self,
        task_id: Id,
        position: u64,
        task: &Task,
        specification: Option<Applied>,
    ) -> Option<task::Command> {
        let place = *self.places.get(&task_id).filter(|place| self.open.contains(place))?;
        let step = &self.restarted.steps[place];
        match self.judge(step, position, task) {
            Verdict::Apply => Some(match step.action {
                Action::Revive => task::Command::Revive(self.revived(step, task)?),
                _ => task::Command::Restart(Box::new(self.restart(step, task, specification))),
            }),
            Verdict::Done => {
                self.decided(task_id);
                None
            }
            Verdict::Superseded(why) => {
                self.supersede(task_id, why);
                None
            }
        }
    }

    /// The task refused the command: the rules forbid what the plan wanted, by now.
    pub fn refused(&mut self, task_id: Id, rejection: &Rejection) {
        self.supersede(task_id, rejection.message.clone());
    }

    /// Takes the step of the task as carried out, to see what would come of the others.
    pub fn assume(&mut self, task_id: Id) {
        self.decided(task_id);
    }

    /// What to send to the context once every step is decided.
    pub fn settled(&self) -> Option<context::Command> {
        let superseded = self.superseded.iter();
        let superseded = superseded.map(|(task_id, reason)| context::Superseded {
            task_id: *task_id,
            reason: reason.clone(),
        });
        self.open.is_empty().then(|| {
            context::Command::SettleRestart(context::RestartSettled {
                id: self.restarted.id,
                superseded: superseded.collect(),
            })
        })
    }

    fn supersede(&mut self, task_id: Id, why: String) {
        self.decided(task_id);
        self.superseded.insert(task_id, why);
    }

    fn judge(&self, step: &Entry, position: u64, task: &Task) -> Verdict {
        let successor = successor_id(self.restarted.id, step.task_id);
        if task.restarted_as == Some(successor) {
            return Verdict::Done;
        }
        if let Some(winner) = task.restarted_as {
            return Verdict::Superseded(format!("it was restarted meanwhile, as {winner}"));
        }
        let overtaken = |id: &&Id| self.superseded.contains_key(id);
        if step.action == Action::Revive {
            return match (&task.skipped, self.revived(step, task)) {
                (None, _) => Verdict::Done,
                // It came back since, and was given up again for what is so now.
                _ if position > step.position => Verdict::Done,
                (Some(_), Some(_)) => Verdict::Apply,
                (Some(skipped), None) => Verdict::Superseded(format!(
                    "it was skipped because of {}, which did not run again",
                    skipped.root_cause
                )),
            };
        }
        if let Some(before) = step.after.iter().find(overtaken) {
            return Verdict::Superseded(format!(
                "what it was to read comes from {before}, which was overtaken"
            ));
        }
        // Nobody has ordered that it be given up, and what it lacks now may not be lacking for long.
        let is_given_up = task.skipped.is_some();
        let is_consequence =
            is_given_up || task.revived.is_some_and(|it| self.reruns(it.root_cause));
        if position > step.position && !is_consequence {
            return Verdict::Superseded(format!(
                "it is {} since position {position}, and the plan was made at {}",
                task.status.name(),
                step.position
            ));
        }
        Verdict::Apply
    }

    fn reruns(&self, task_id: Id) -> bool {
        let place = self.places.get(&task_id);
        place.is_some_and(|place| self.restarted.steps[*place].action == Action::Rerun)
    }

    /// Because of which restart a task waits again.
    fn revived(&self, step: &Entry, task: &Task) -> Option<Revived> {
        let skipped = task.skipped.as_ref()?;
        let restarted = step.after.iter().filter(|id| !self.superseded.contains_key(id));
        let of_plan = restarted.map(|id| Revived {
            root_cause: *id,
            restarted_as: successor_id(self.restarted.id, *id),
        });
        of_plan.chain(step.revived).find(|revived| skipped.is_because_of(revived.root_cause))
    }

    fn restart(&self, step: &Entry, task: &Task, specification: Option<Applied>) -> Restart {
        let needs = task.spawned.as_deref().map(Needs::of).unwrap_or_default();
        let rebound = |id: Id| Some((id, *self.rebind.get(&id)?));
        Restart {
            outputs: self.restarted.outputs,
            version: if step.specification.is_some() {
                self.restarted.version
            } else {
                VersionPolicy::Same
            },
            specification: specification.map(Box::new),
            rebind: needs.named().into_iter().filter_map(rebound).collect(),
            reason: self.restarted.reason.clone(),
            by: Some(self.restarted.by.clone()),
            step_of: Some(self.restarted.id),
            revive: Vec::new(),
        }
    }
}

/// What a step comes to.
enum Verdict {
    Apply,
    Done,
    Superseded(String),
}
