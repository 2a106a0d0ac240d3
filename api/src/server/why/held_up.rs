//! What holds up a task besides other tasks: one fact each.

use kantoku_domain::{
    Dependency, Kind, Timestamp,
    admission::Blocked,
    dependency::{Ground, Status},
    standing::Pausing,
};
use kantoku_projections::reader::GraphTask;

use super::{
    explain::told,
    moment::{Moment, Present, name},
    roots::fact,
};
use crate::contract::WhyFact;

/// It waits for people, for the time, or for the world outside.
pub(super) fn waits(task: &GraphTask, ground: &Ground) -> WhyFact {
    let id = task.id;
    let (kind, way_out) = match &ground.leaf {
        Dependency::Approval(approval) => {
            ("approval", format!(". Give it: ktk approve task/{id} {}", approval.name))
        }
        Dependency::At(_) | Dependency::Window(_) => ("time", String::new()),
        Dependency::Event(_) => ("event", String::new()),
        Dependency::Http(_) => ("probe", String::new()),
        _ => ("dependency", String::new()),
    };
    let not = if ground.negated { " (and must not)" } else { "" };
    let enough = ground.one_of.map_or_else(String::new, |(needed, of)| {
        format!(" ({needed} of {of} such things is enough)")
    });
    let message = format!("{} waits: {}{not}{enough}{way_out}", name(task), ground.message);
    let at = match (&ground.leaf, &ground.status) {
        (Dependency::At(at), _) => Some(*at),
        (_, Status::Pending { next }) => *next,
        _ => None,
    };
    WhyFact { at, ..fact(kind, message, task) }
}

/// What of a task is paused, by whom, since when and why.
pub(super) fn is_paused(task: &GraphTask, Pausing { kind, paused }: &Pausing) -> String {
    match kind {
        Kind::Context => format!("its context {paused}"),
        Kind::Specification => format!("its specification {} {paused}", task.specification),
        Kind::Namespace => format!("its namespace {paused}"),
        _ => format!("it {paused}"),
    }
}

/// It was ordered to wait.
pub(super) fn paused(moment: &Moment, task: &GraphTask, pausing: &Pausing) -> WhyFact {
    let resume = match pausing.kind {
        Kind::Context => format!("context/{}", task.context_id),
        Kind::Specification => format!("specification/{}", task.specification),
        Kind::Namespace => format!("namespace/{}", moment.graph.context.namespace),
        _ => format!("task/{}", task.id),
    };
    let what = is_paused(task, pausing);
    let message = format!("{} waits: {what}. Let it go on: ktk resume {resume}", name(task));
    WhyFact { at: Some(pausing.paused.since), ..fact("paused", message, task) }
}

/// It is not admitted yet.
pub(super) fn blocked(moment: &Moment, task: &GraphTask, blocked: &Blocked) -> WhyFact {
    let name = name(task);
    match blocked {
        Blocked::Concurrency { key, limit, held, held_by } => {
            let told: Vec<String> = held_by.iter().map(|id| moment.name(*id)).collect();
            let more = match held.saturating_sub(held_by.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let told = told.join(", ");
            let message =
                format!("{name} waits for limit {key}: {held} of {limit} held by {told}{more}");
            WhyFact { held_by: held_by.clone(), ..fact("limit", message, task) }
        }
        Blocked::Rate { next, .. } => {
            let message = format!("{name} waits for {blocked}");
            WhyFact { at: Some(*next), ..fact("limit", message, task) }
        }
        Blocked::Reserved { key, for_task } => {
            let other = moment.name(*for_task);
            let message = format!(
                "{name} waits for limit {key}: what is free is kept for {other}, which waits longer"
            );
            WhyFact { held_by: vec![*for_task], ..fact("limit", message, task) }
        }
        Blocked::Window { queue, .. } => {
            let (kind, state) = executors(moment, queue);
            let message = format!("{name} waits for {blocked}: {state}");
            fact(if kind == "ready" { "busy" } else { kind }, message, task)
        }
    }
}

/// Its last attempt failed.
pub(super) fn backoff(task: &GraphTask, until: Option<Timestamp>) -> WhyFact {
    let error = task.error.as_ref().map_or_else(String::new, told);
    let again = until.map_or_else(|| "soon".into(), |at| format!("at {at}"));
    let message = format!(
        "{} failed in attempt {} and is tried again {again}: {error}",
        name(task),
        task.attempt
    );
    WhyFact { at: until, ..fact("backoff", message, task) }
}

/// All that the task waits for is there, as far as is stored.
pub(super) fn due(moment: &Moment, task: &GraphTask) -> WhyFact {
    if let Some(at) = task.not_before.filter(|at| *at > moment.now) {
        return backoff(task, Some(at));
    }
    let (handler, next) =
        if task.unfolded { ("scheduler", "announced") } else { ("unfolder", "spawned") };
    let name = name(task);
    let present = moment.present.as_ref();
    let (kind, message) = if present.is_some_and(|all| !all.iter().any(|s| s.runs(handler))) {
        let message = format!(
            "{name} is to be {next}, and no {handler} is present: start one with \
             ktk serve --only {handler}"
        );
        (format!("no_{handler}"), message)
    } else {
        ("due".into(), format!("{name} is about to be {next}"))
    };
    WhyFact { at: Some(task.updated_at), ..fact(&kind, message, task) }
}

/// It was announced, and nobody has claimed it.
pub(super) fn announced(moment: &Moment, task: &GraphTask) -> WhyFact {
    if let Some(paused) = &task.paused {
        return self::paused(moment, task, &Pausing { kind: Kind::Task, paused: paused.clone() });
    }
    let (kind, state) = executors(moment, &task.queue);
    let message = format!("{} is ready in queue {:?}, {state}", name(task), task.queue);
    fact(kind, message, task)
}

/// Who could claim what is announced in `queue`: a kind of fact, and in words.
fn executors(moment: &Moment, queue: &str) -> (&'static str, String) {
    let Some(present) = &moment.present else {
        return ("ready", "and waits to be claimed".into());
    };
    let executors: Vec<&Present> = present.iter().filter(|service| service.serves(queue)).collect();
    if executors.is_empty() {
        let state = format!(
            "and no executor of queue {queue:?} is present: start one with \
             ktk serve --only executor --queue {queue}"
        );
        return ("no_executor", state);
    }
    let load: Vec<String> = executors
        .iter()
        .map(|e| format!("{} runs {} of {}", e.service_id, e.running, e.slots))
        .collect();
    let is_full = executors.iter().all(|executor| executor.running >= executor.slots);
    let (kind, state) =
        if is_full { ("busy", "all executors are busy") } else { ("ready", "about to be claimed") };
    (kind, format!("{state}: {}", load.join(", ")))
}
