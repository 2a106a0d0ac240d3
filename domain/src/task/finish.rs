//! An attempt that ends well: outputs resolved or delegated, children named.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Delegation, Finished, Outcome, Planned, Spawned, Success, Task, invalid};
use crate::{Datum, Decision, Envelope, Event, Reason, Rejection};

impl Task {
    /// How many children one attempt may spawn.
    pub const CHILDREN_MAX: usize = 10_000;

    pub(super) fn finish(&self, attempt: u32, success: &Success, envelope: &Envelope) -> Decision {
        if !self.held(attempt, Outcome::Ok)? {
            return Ok(None);
        }
        let spawned = self.spawned()?;
        self.check_outputs(spawned, success)?;
        let event_id = envelope.event_id();
        let partition = spawned.context_id.partition();
        let child_id = |key: &str| event_id.derive(&format!("child:{key}"), partition);

        let mut children = BTreeMap::new();
        for child in &success.children {
            let id = child_id(&child.key);
            let task = child.spawned(id, spawned, envelope);
            if children.insert(child.key.clone(), Planned { id, task }).is_some() {
                return Err(
                    invalid(format!("two children have the key {:?}", child.key)).field("spawn")
                );
            }
        }
        let mut delegated = BTreeMap::new();
        for (name, (key, output)) in &success.delegate {
            let custody = &spawned.outputs[name];
            let child = children.get_mut(key).ok_or_else(|| {
                invalid(format!("output {name:?} is delegated to {key:?}, which is not spawned"))
                    .field("delegate")
            })?;
            let target = child.task.outputs.get_mut(output).ok_or_else(|| {
                invalid(format!("child {key:?} has no output {output:?} to delegate {name:?} to"))
                    .field("delegate")
            })?;
            if !target.type_.fits(&custody.type_) {
                return Err(invalid(format!(
                    "output {name:?} is {}, but {key}.{output} is {}",
                    custody.type_, target.type_
                ))
                .field("delegate"));
            }
            if target.id != child.id.derive(output, partition) {
                return Err(
                    invalid(format!("{key}.{output} is delegated to twice")).field("delegate")
                );
            }
            target.id = custody.id;
            // What is promised to readers of the output is what the child is held to.
            target.type_ = custody.type_.clone();
            delegated.insert(name.clone(), Delegation { child: child.id, output: output.clone() });
        }
        Ok(Some(Event::TaskFinished(Finished {
            attempt,
            outcome: Outcome::Ok,
            expired: None,
            error: None,
            inputs: success.inputs.clone(),
            outputs: Self::resolved(spawned, success),
            delegated,
            children: children.into_values().collect(),
            result: success.result.clone(),
        })))
    }

    /// The outputs given, and null for each optional one that was neither given nor delegated:
    /// whoever waits for it is not left waiting.
    fn resolved(spawned: &Spawned, success: &Success) -> BTreeMap<String, Datum> {
        let mut outputs = success.outputs.clone();
        for name in spawned.outputs.keys() {
            if !success.delegate.contains_key(name) {
                outputs.entry(name.clone()).or_insert(Datum::Value(Value::Null));
            }
        }
        outputs
    }

    /// Every output is either resolved with a value of its type or delegated, and nothing else is.
    fn check_outputs(&self, spawned: &Spawned, success: &Success) -> Result<(), Rejection> {
        if success.children.len() > Self::CHILDREN_MAX {
            return Err(invalid(format!(
                "{} children are more than {}",
                success.children.len(),
                Self::CHILDREN_MAX
            ))
            .field("spawn"));
        }
        for name in success.outputs.keys().chain(success.delegate.keys()) {
            if !spawned.outputs.contains_key(name) {
                let known: Vec<_> = spawned.outputs.keys().map(String::as_str).collect();
                return Err(invalid(format!(
                    "there is no output {name:?}; the outputs are [{}]",
                    known.join(", ")
                ))
                .field(format!("outputs.{name}")));
            }
            if !self.custody.contains_key(name) {
                return Err(Rejection::new(
                    Reason::NotCustodian,
                    format!("the task does not hold output {name:?} any more"),
                )
                .field(format!("outputs.{name}")));
            }
        }
        for (name, output) in &spawned.outputs {
            let field = || format!("outputs.{name}");
            match (success.outputs.get(name), success.delegate.contains_key(name)) {
                (Some(_), true) => {
                    return Err(invalid(format!("output {name:?} is both given and delegated"))
                        .field(field()));
                }
                (Some(Datum::Value(value)), false) => {
                    output.type_.check(value).map_err(|error| {
                        invalid(format!("output {name:?} {error}")).field(field())
                    })?;
                }
                (None, false) if !output.type_.is_optional() => {
                    return Err(invalid(format!(
                        "output {name:?} ({}) was neither given nor delegated",
                        output.type_
                    ))
                    .field(field()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
