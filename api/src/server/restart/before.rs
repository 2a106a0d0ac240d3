//! A restart that was ordered before with the same key: what was decided then is the answer, as far as
//! its event tells.

use std::collections::BTreeMap;

use kantoku_domain::{
    Event, Id, Recorded,
    restart::{self, Action, Entry, Plan, Target},
};

use super::Asked;
use crate::contract::Restarted;

/// The answer that `first` was, if that is what is asked for.
pub(super) fn answer(
    first: &Recorded,
    context_id: Id,
    asked: &Asked,
    reason: &str,
) -> Option<Restarted> {
    let (plan, was_because) = told(first, context_id)?;
    let is_target = asked.target.is_none_or(|target| match (&first.event, target, plan.target) {
        // Which of the two it was is not told.
        (Event::TaskRestarted(_), Target::Failed | Target::All, _) => true,
        (_, Target::Task(wanted) | Target::From(wanted), Target::Task(id)) => wanted == id,
        (_, wanted, target) => wanted == target,
    });
    let is_same = is_target
        && was_because == reason
        && asked.outputs.is_none_or(|outputs| outputs == plan.outputs)
        && asked.plan.as_ref().is_none_or(|wanted| wanted.target == plan.target);
    let (named, restart_id) = match (&first.event, plan.target) {
        (Event::TaskRestarted(restarted), _) => (Some(restarted.successor.id), None),
        (_, Target::Task(id) | Target::From(id)) => {
            let reruns = |entry: &Entry| entry.task_id == id && entry.action == Action::Rerun;
            let is_rerun = plan.entries.iter().any(reruns);
            let event_id = first.metadata.event_id;
            (is_rerun.then(|| restart::successor_id(event_id, id)), Some(event_id))
        }
        _ => (None, Some(first.metadata.event_id)),
    };
    is_same.then(|| Restarted {
        context_id,
        plan,
        superseded: vec![],
        task_id: named,
        restart_id,
        stream_seq: Some(first.stream_seq),
    })
}

/// What was planned, without what was kept, and why.
fn told(first: &Recorded, context_id: Id) -> Option<(Plan, &str)> {
    let (target, outputs, version, entries, reason) = match &first.event {
        Event::ContextRestarted(it) => {
            (it.target, it.outputs, it.version, it.steps.clone(), it.reason.as_str())
        }
        Event::TaskRestarted(it) => {
            let rerun = entry(first.id, Action::Rerun, first.metadata.previous_seq);
            let revived = it.revive.iter();
            let revived = revived.map(|it| entry(it.task_id, Action::Revive, it.position));
            let entries = std::iter::once(rerun).chain(revived).collect();
            (Target::Task(first.id), it.outputs, it.version, entries, it.reason.as_str())
        }
        _ => return None,
    };
    let results = BTreeMap::new();
    let plan = Plan { context_id, target, outputs, version, entries, results, reopens: false };
    Some((plan, reason))
}

fn entry(task_id: Id, action: Action, position: u64) -> Entry {
    Entry {
        task_id,
        step: None,
        action,
        reason: "it was decided with the first call".into(),
        position,
        specification: None,
        replaces: BTreeMap::new(),
        after: vec![],
        revived: None,
    }
}
