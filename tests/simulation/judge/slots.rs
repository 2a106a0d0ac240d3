//! Limits: how many slots are in use, and how many starts there were, counted from events.

use std::collections::{BTreeMap, HashMap};

use kantoku_domain::{
    Id, Millis, Name, Recorded, Timestamp,
    policy::{Definition, Field, Limit},
    task::Spawned,
};

use super::{Decided, Entry, Verdict, ensure};

type Policies = BTreeMap<Name, Definition>;

/// See the module.
#[derive(Default)]
pub(super) struct Slots {
    names: HashMap<Id, Name>,
    /// The policies from each position on, where they changed.
    policies: Vec<(u64, Policies)>,
    /// Starts under each rate, by the policies and the jumps of the clock that they were under.
    starts: HashMap<(usize, u32, String), Vec<Timestamp>>,
}

const LIMIT: &str = "no more slots in use than the limit that they were taken under";
const RATE: &str = "no more starts in a span of time than the rate allows";

impl Slots {
    pub(super) fn set_policy(
        &mut self,
        name: &Name,
        definition: Option<Definition>,
        id: Id,
        seq: u64,
    ) {
        self.names.insert(id, name.clone());
        let mut policies = self.policies.last().map(|(_, last)| last.clone()).unwrap_or_default();
        match definition {
            Some(definition) => policies.insert(name.clone(), definition),
            None => policies.remove(name),
        };
        self.policies.push((seq, policies));
    }

    pub(super) fn delete_policy(&mut self, id: Id, seq: u64) {
        if let Some(name) = self.names.get(&id).cloned() {
            self.set_policy(&name, None, id, seq);
        }
    }

    /// The policies that whoever knows the stream up to `position` goes by, and which they are.
    fn at(&self, position: u64) -> Option<(usize, &Policies)> {
        let after = self.policies.partition_point(|(seq, _)| *seq <= position);
        let index = after.checked_sub(1)?;
        Some((index, &self.policies[index].1))
    }

    /// How many hold slots of a limit, as it is now, for a value.
    pub(super) fn held(
        &self,
        tasks: &BTreeMap<Id, Entry>,
        policy: &Name,
        limit: &str,
        value: &str,
    ) -> usize {
        let limit = self.policies.last().and_then(|(_, it)| it.get(policy)?.limits.get(limit));
        let Some(limit) = limit else { return 0 };
        let holds = |entry: &&Entry| {
            entry.is_admitted().is_some()
                && counted_by(limit, &entry.spawned).as_deref() == Some(value)
        };
        tasks.values().filter(holds).count()
    }

    /// The highest that a limit has been since a position; without end where there was none, or one
    /// that counts other tasks.
    fn most(&self, since: u64, policy: &Name, name: &str, limit: &Limit) -> usize {
        let from = self.at(since).map(|(index, _)| index);
        let policies = self.policies.iter().skip(from.unwrap_or_default());
        let concurrency = |(_, policies): &(u64, Policies)| {
            let then = policies.get(policy)?.limits.get(name)?;
            let is_it = selector(then) == selector(limit);
            then.concurrency.filter(|_| is_it).map(|most| most as usize)
        };
        let most = policies.map(|it| concurrency(it).unwrap_or(usize::MAX)).max();
        most.filter(|_| from.is_some()).unwrap_or(usize::MAX)
    }

    /// An attempt takes its slots: under the policies that the decision went by, those that others
    /// had taken by then and hold still leave room for it.
    pub(super) fn check(
        &mut self,
        tasks: &BTreeMap<Id, Entry>,
        id: Id,
        entry: &Entry,
        decided: Decided,
        recorded: &Recorded,
    ) -> Verdict {
        let Some((index, policies)) = self.at(decided.position) else { return Ok(()) };
        let mut starts = Vec::new();
        for (policy, name, limit) in policies.iter().flat_map(limits) {
            let Some(value) = counted_by(limit, &entry.spawned) else { continue };
            if let Some(most) = limit.concurrency {
                let holder = |(other, it): (&Id, &Entry)| {
                    let by = it.is_admitted().filter(|_| *other != id)?;
                    let is_counted = counted_by(limit, &it.spawned).as_ref() == Some(&value);
                    is_counted.then_some(by)
                };
                let holders: Vec<Decided> = tasks.iter().filter_map(holder).collect();
                let before = holders.iter().filter(|by| by.number < decided.number).count();
                ensure(before < most as usize, LIMIT, || {
                    format!("task {id} takes one of {most} of {name} for {value}: {holders:?}")
                })?;
                // Whoever was decided on later must have known of this one.
                let since = holders.iter().map(|by| by.position).min();
                let since = since.map_or(decided.position, |first| first.min(decided.position));
                let most = self.most(since, policy, name, limit);
                ensure(holders.len() < most, LIMIT, || {
                    format!(
                        "task {id} is one too many of {most} of {name} for {value}: {holders:?}"
                    )
                })?;
            }
            if let Some(rate) = limit.rate {
                let key = format!("{policy}/{name}/{value}");
                starts.push((key, rate.count as usize, rate.per));
            }
        }
        for (key, count, per) in starts {
            let times = self.starts.entry((index, decided.jumps, key.clone())).or_default();
            check_rate(times, decided.at, count, per, || format!("{key} by {}", recorded.id))?;
        }
        Ok(())
    }
}

/// What a limit counts.
fn selector(limit: &Limit) -> impl PartialEq + use<'_> {
    (&limit.specification, &limit.label, &limit.value, &limit.key)
}

fn limits<'a>(
    (policy, definition): (&'a Name, &'a Definition),
) -> impl Iterator<Item = (&'a Name, &'a String, &'a Limit)> {
    definition.limits.iter().map(move |(name, limit)| (policy, name, limit))
}

fn check_rate(
    times: &mut Vec<Timestamp>,
    at: Timestamp,
    count: usize,
    per: Millis,
    what: impl Fn() -> String,
) -> Verdict {
    let place = times.partition_point(|other| *other <= at);
    times.insert(place, at);
    for first in place.saturating_sub(count)..=place {
        let span = times.get(first).zip(times.get(first + count));
        let is_well = span.is_none_or(|(first, last)| last.since(*first) >= per.duration());
        ensure(is_well, RATE, || format!("more than {count} in {per}: {}", what()))?;
    }
    Ok(())
}

/// What a task is counted by under a limit; `None`: it is not.
fn counted_by(limit: &Limit, spawned: &Spawned) -> Option<String> {
    if let Some(name) = &limit.specification {
        return (spawned.specification.name == *name).then(|| name.to_string());
    }
    if let Some(label) = &limit.label {
        let value = spawned.labels.get(label)?;
        let is_meant = limit.value.is_none() || limit.value.as_ref() == Some(value);
        return is_meant.then(|| value.clone());
    }
    let context = spawned.context_id.to_string();
    limit.key.as_ref()?.fill(|field| match field {
        Field::Specification => Some(spawned.specification.name.as_str()),
        Field::Context => Some(context.as_str()),
        Field::Queue => Some(spawned.queue.as_str()),
        Field::Step => spawned.step.as_deref(),
        Field::ShardKey => spawned.shard_key.as_deref(),
        Field::Label(name) => spawned.labels.get(name).map(String::as_str),
    })
}
