//! The task that takes the place of one that is restarted.

use std::collections::BTreeMap;

use super::{Output, Planned, Restart, Spawned};
use crate::{
    Binding, Id, Reason, Rejection, Source, Type,
    dependency::{Trigger, Upstream},
    restart::{OutputPolicy, VersionPolicy},
    specification::Applied,
};

/// The successor of `task_id`. `held` are the outputs that pass to it; without, it has fresh ones.
pub(super) fn of(
    task_id: Id,
    spawned: &Spawned,
    held: Option<&BTreeMap<String, Id>>,
    restart: &Restart,
    id: Id,
) -> Result<Planned, Rejection> {
    let applied = version(spawned, restart)?;
    let by = |id: Id| restart.rebind.get(&id).copied().unwrap_or(id);
    let mut task = Spawned {
        restart_root: Some(spawned.restart_root.unwrap_or(task_id)),
        restart_parent: Some(task_id),
        inputs: inputs(spawned, applied, &by)?,
        outputs: outputs(spawned, held, applied, id)?,
        depends_on: spawned.depends_on.as_ref().map(|it| it.rebind(&by)),
        when: spawned.when.as_ref().map(|it| rebind(it, &by)),
        ..spawned.clone()
    };
    if let Some(applied) = applied {
        task.specification = applied.reference();
        task.queue.clone_from(&applied.definition.queue);
    }
    Ok(Planned { id, task })
}

/// Whether a task that holds all its outputs can be restarted so.
pub(crate) fn check_successor(
    task_id: Id,
    spawned: &Spawned,
    restart: &Restart,
) -> Result<(), Rejection> {
    let all = || spawned.outputs.iter().map(|(name, output)| (name.clone(), output.id)).collect();
    let held = (restart.outputs == OutputPolicy::Reuse).then(all);
    of(task_id, spawned, held.as_ref(), restart, task_id).map(drop)
}

/// The version asked for, unless it is the one that the task has.
fn version<'a>(spawned: &Spawned, restart: &'a Restart) -> Result<Option<&'a Applied>, Rejection> {
    let of = &spawned.specification;
    let applied = restart.specification.as_deref();
    let is_it = applied.is_none_or(|applied| applied.name == of.name)
        && match (restart.version, applied) {
            (VersionPolicy::Same, None) | (VersionPolicy::Latest, Some(_)) => true,
            (VersionPolicy::Same, Some(applied)) => applied.version == of.version,
            (VersionPolicy::Number(n), Some(applied)) => applied.version == n,
            (VersionPolicy::Number(n), None) => n == of.version,
            (VersionPolicy::Latest, None) => false,
        };
    if is_it {
        return Ok(applied.filter(|applied| applied.version != of.version));
    }
    let message = format!("version {} of {} was not looked up", restart.version, of.name);
    Err(Rejection::new(Reason::Invalid, message).field("version"))
}

fn unfit(applied: &Applied, what: &str) -> Rejection {
    let Applied { name, version, .. } = applied;
    let message =
        format!("version {version} of {name} does not fit the task: {what}; use version same");
    Rejection::new(Reason::Invalid, message).field("version")
}

fn inputs(
    spawned: &Spawned,
    applied: Option<&Applied>,
    by: &impl Fn(Id) -> Id,
) -> Result<BTreeMap<String, Binding>, Rejection> {
    let mut inputs = spawned.inputs.clone();
    for (name, binding) in &mut inputs {
        if let Source::Resource(id) = &mut binding.source {
            *id = by(*id);
        }
        let Some(applied) = applied else { continue };
        let Some(type_) = applied.definition.inputs.get(name) else {
            return Err(unfit(applied, &format!("it has no input {name:?}")));
        };
        if let (Source::Value(value), None) = (&binding.source, &binding.map) {
            type_
                .check(value)
                .map_err(|error| unfit(applied, &format!("input {name:?} {error}")))?;
        }
        binding.type_ = type_.clone();
        if let Some(problem) = binding.secret_problem(&[]) {
            return Err(unfit(applied, &format!("input {name:?}: {}", problem.message)));
        }
    }
    if let Some(applied) = applied {
        let is_missing =
            |(name, type_): &(&String, &Type)| !inputs.contains_key(*name) && !type_.is_optional();
        if let Some((name, type_)) = applied.definition.inputs.iter().find(is_missing) {
            return Err(unfit(applied, &format!("it needs an input {name:?} ({type_})")));
        }
    }
    Ok(inputs)
}

/// The outputs: those that the task has, as somebody may read each of them, and those that a new
/// version adds. What was promised of one that passes on is what the successor is held to.
fn outputs(
    spawned: &Spawned,
    held: Option<&BTreeMap<String, Id>>,
    applied: Option<&Applied>,
    successor: Id,
) -> Result<BTreeMap<String, Output>, Rejection> {
    let partition = spawned.context_id.partition();
    let fresh = |name: &str| successor.derive(name, partition);
    let mut outputs = BTreeMap::new();
    for (name, output) in &spawned.outputs {
        let mut type_ = output.type_.clone();
        if let Some(applied) = applied {
            let Some(new) = applied.definition.outputs.get(name) else {
                return Err(unfit(applied, &format!("it has no output {name:?}")));
            };
            if !new.fits(&type_) {
                return Err(unfit(
                    applied,
                    &format!("output {name:?} is {new} there, not {type_}"),
                ));
            }
            if held.is_none() {
                type_ = new.clone();
            }
        }
        let id = match held {
            None => fresh(name),
            Some(held) => *held.get(name).ok_or_else(|| {
                let message = format!("the task does not hold output {name:?} any more");
                Rejection::new(Reason::NotCustodian, message).field(format!("outputs.{name}"))
            })?,
        };
        outputs.insert(name.clone(), Output { id, type_ });
    }
    for (name, type_) in applied.iter().flat_map(|applied| &applied.definition.outputs) {
        let new = || Output { id: fresh(name), type_: type_.clone() };
        outputs.entry(name.clone()).or_insert_with(new);
    }
    Ok(outputs)
}

fn rebind(trigger: &Trigger, by: &impl Fn(Id) -> Id) -> Trigger {
    let upstream = trigger.upstream.iter();
    let upstream =
        upstream.map(|it| Upstream { task: by(it.task), inputs: it.inputs.clone() }).collect();
    Trigger { rule: trigger.rule, upstream }
}
