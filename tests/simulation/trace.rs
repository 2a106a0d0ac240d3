//! What happened in a run, for people.

use std::{collections::BTreeMap, fmt::Write as _};

use kantoku_domain::{Event, Id, Recorded};

use crate::run::{Outcome, Plan};

/// Short names in place of ids.
struct Names(BTreeMap<String, String>);

impl Names {
    fn of(outcome: &Outcome) -> Self {
        let mut names = Self(BTreeMap::new());
        let mut contexts = 0;
        for (id, named) in &outcome.world.judge.named {
            names.task(*id, named.spawned.step.as_deref());
        }
        for recorded in &outcome.world.ledger.events {
            match &recorded.event {
                Event::ContextOpened(opened) => {
                    contexts += 1;
                    names.add(recorded.id, format!("context{contexts}"));
                    for planned in &opened.plan {
                        names.task(planned.id, planned.task.step.as_deref());
                    }
                }
                Event::TaskSpawned(spawned) => names.task(recorded.id, spawned.step.as_deref()),
                Event::TaskReady(_) => {}
                _ => names.add(recorded.id, format!("{}{}", recorded.aggregate, names.0.len())),
            }
        }
        names.resources(outcome);
        names
    }

    fn add(&mut self, id: Id, name: String) {
        self.0.entry(id.to_string()).or_insert(name);
    }

    /// A task is called by its number and its step.
    fn task(&mut self, id: Id, step: Option<&str>) {
        let number = self.0.len();
        self.add(id, format!("t{number}:{}", step.unwrap_or_default()));
    }

    fn resources(&mut self, outcome: &Outcome) {
        for (id, entry) in &outcome.world.judge.tasks {
            let task = self.0.get(&id.to_string()).cloned().unwrap_or_default();
            for (name, output) in &entry.spawned.outputs {
                self.add(output.id, format!("{task}.{name}"));
            }
        }
    }

    fn shorten(&self, text: &str) -> String {
        let mut short = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            // An id is 36 characters long.
            let known = rest.get(..36).and_then(|id| self.0.get(id));
            let length = if known.is_some() { 36 } else { character.len_utf8() };
            short.push_str(known.map_or(&rest[..length], String::as_str));
            rest = &rest[length..];
        }
        short
    }
}

/// How much of an event is told.
const EVENT_CHARS_MAX: usize = 600;

fn line(recorded: &Recorded, names: &Names) -> String {
    let json = serde_json::to_value(&recorded.event).unwrap_or_default();
    let data = json.get("data").map(ToString::to_string).unwrap_or_default();
    let data: String = names.shorten(&data).chars().take(EVENT_CHARS_MAX).collect();
    let id = match &recorded.event {
        Event::TaskReady(ready) => ready.task_id,
        _ => recorded.id,
    };
    let (seq, name, at) = (recorded.stream_seq, recorded.event.name(), recorded.metadata.at);
    let who = &recorded.metadata.service_id;
    names.shorten(&format!("{seq:>5} {at} {name} {id} by {who} {data}"))
}

/// A run, step by step, and what is wrong with it.
pub(crate) fn told(plan: &Plan, outcome: &Outcome) -> String {
    let names = Names::of(outcome);
    let mut text = String::new();
    let Some(violation) = &outcome.violation else { return "nothing is wrong".into() };
    let Plan { seed, steps, broken, left_out, .. } = plan;
    // To a string: that does not fail.
    writeln!(text, "seed {seed}, {steps} steps, rules broken on purpose: {broken:?}").ok();
    writeln!(text, "weather: {}", outcome.world.weather()).ok();
    writeln!(text, "steps left out: {}", left_out.len()).ok();
    let mut told = 0;
    let mut tell = |text: &mut String, head: u64| {
        for recorded in outcome.world.ledger.events.iter().skip(told).take(head as usize - told) {
            writeln!(text, "{}", line(recorded, &names)).ok();
        }
        told = head as usize;
    };
    for (number, step) in outcome.steps.iter().enumerate() {
        let Some(happened) = step.happened else { continue };
        writeln!(text, "step {number}: {happened:?} {}", names.shorten(&step.told)).ok();
        tell(&mut text, step.head);
    }
    writeln!(text, "at rest:").ok();
    tell(&mut text, outcome.world.ledger.head());
    writeln!(text, "BROKEN: {}", violation.invariant).ok();
    writeln!(text, "{}", names.shorten(&violation.what)).ok();
    text
}
