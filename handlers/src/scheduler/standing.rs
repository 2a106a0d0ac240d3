//! Why a task is where it is.

use kantoku_domain::{
    Id, Standing, Timestamp,
    admission::Blocked,
    dependency::Readiness,
    standing::{Pausing, Stage as Told},
};

use super::{
    Scheduler,
    task::{Stage, Waiting},
};

impl Scheduler {
    pub(super) fn stands(&self, task_id: Id, now: Timestamp) -> Option<Standing> {
        let task = self.tasks.get(&task_id)?;
        let view = self.view(task, None);
        let (grounds, left_out) = Standing::grounds(task.needs.explain(&view, now));
        let stage = self.stage(task, now);
        let blocked = self.admission.why(task_id, now);
        let paused = self.pause_of(task);
        let next_at = match &stage {
            Told::Waiting => task.alarm,
            Told::Backoff => Some(task.not_before),
            Told::Queued { .. } => blocked.iter().filter_map(admits_at).min(),
            _ => None,
        };
        Some(Standing {
            task_id,
            position: self.position,
            stage,
            attempt: task.attempt,
            round: task.round,
            grounds,
            left_out,
            paused: paused.map(|(kind, paused)| Pausing { kind, paused: paused.clone() }),
            blocked,
            next_at,
        })
    }

    fn stage(&self, task: &Waiting, now: Timestamp) -> Told {
        match &task.stage {
            Stage::Queued { since } => Told::Queued { since: *since },
            Stage::Announced { at } => {
                Told::Announced { queue: task.profile.queue.clone(), since: *at }
            }
            Stage::Held { node, at } => {
                Told::Held { node: self.nodes.text(*node).to_owned(), since: *at }
            }
            Stage::Skipped(skipped) => Told::Skipped((**skipped).clone()),
            Stage::Open | Stage::Announcing | Stage::Skipping | Stage::Stopping => {
                let readiness = self.view(task, None).readiness(now);
                let is_ready = matches!(readiness, Readiness::Ready { .. });
                match self.pause_of(task) {
                    _ if !is_ready => Told::Waiting,
                    _ if now < task.not_before => Told::Backoff,
                    Some(_) => Told::Paused,
                    None => Told::Queued { since: task.ready_since(now) },
                }
            }
        }
    }
}

fn admits_at(blocked: &Blocked) -> Option<Timestamp> {
    match blocked {
        Blocked::Rate { next, .. } => Some(*next),
        _ => None,
    }
}
