//! Labels that are put on a task, or taken off, after it was spawned.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Task, invalid};
use crate::{Decision, Event, Reason, Rejection};

/// Labels to put on a task, and to take off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Those to put on it, by name.
    pub set: BTreeMap<String, String>,
    /// The names of those to take off; one that it does not have changes nothing.
    pub remove: BTreeSet<String>,
    /// Whether one that it has with another value may be replaced.
    pub overwrite: bool,
}

/// The labels of a task were changed. Only what is different since is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Labelled {
    /// What was put on it, or has another value now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// What was taken off.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<String>,
}

impl Labelled {
    /// Makes these changes to `labels`.
    pub fn apply(&self, labels: &mut BTreeMap<String, String>) {
        labels.retain(|name, _| !self.remove.contains(name));
        labels.extend(self.set.clone());
    }
}

impl Label {
    /// How many labels a task may have by being labelled.
    pub const LABELS_MAX: usize = 64;
    /// How long a name may be, in bytes.
    pub const NAME_BYTES_MAX: usize = 128;
    /// How long a value may be, in bytes.
    pub const VALUE_BYTES_MAX: usize = 1_024;

    /// What is wrong with it, whatever task it is for.
    ///
    /// # Errors
    /// Nothing to do, a name or a value that cannot be, a name that is both put on and taken off.
    pub fn check(&self) -> Result<(), Rejection> {
        let wrong = |field: &str, message: String| Err(invalid(message).field(field));
        if self.set.is_empty() && self.remove.is_empty() {
            return wrong("set", "there is no label to set and none to remove".into());
        }
        if let Some(name) = self.set.keys().chain(&self.remove).find(|name| !is_name(name)) {
            let max = Self::NAME_BYTES_MAX;
            let message = format!("{name:?} is no name of a label: it has 1 to {max} bytes");
            return wrong("set", message);
        }
        if let Some((name, _)) = self.set.iter().find(|(_, value)| !is_value(value)) {
            let max = Self::VALUE_BYTES_MAX;
            let message = format!("the value of label {name:?} has more than {max} bytes");
            return wrong("set", message);
        }
        match self.remove.iter().find(|name| self.set.contains_key(*name)) {
            Some(name) => wrong("remove", format!("label {name:?} is set and removed at once")),
            None => Ok(()),
        }
    }
}

/// Without NUL characters, which the read model cannot hold.
fn is_name(name: &str) -> bool {
    (1..=Label::NAME_BYTES_MAX).contains(&name.len()) && !name.contains('\0')
}

fn is_value(value: &str) -> bool {
    value.len() <= Label::VALUE_BYTES_MAX && !value.contains('\0')
}

impl Task {
    /// Its labels as they are now. Rules go by those that it was spawned with.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let spawned = self.spawned.as_deref();
        let mut labels = spawned.map(|spawned| spawned.labels.clone()).unwrap_or_default();
        self.labelled.apply(&mut labels);
        labels
    }

    /// What is so already is no event. People label what has ended, too.
    pub(super) fn label(&self, label: &Label) -> Decision {
        self.spawned()?;
        label.check()?;
        let mut labels = self.labels();
        let is_new = |(name, value): &(&String, &String)| labels.get(*name) != Some(*value);
        let set: BTreeMap<_, _> =
            label.set.iter().filter(is_new).map(|(k, v)| (k.clone(), v.clone())).collect();
        let is_there = |name: &&String| labels.contains_key(*name);
        let remove: BTreeSet<_> = label.remove.iter().filter(is_there).cloned().collect();
        let taken = set.keys().find_map(|name| Some((name, labels.get(name)?)));
        if let Some((name, value)) = taken.filter(|_| !label.overwrite) {
            let message =
                format!("label {name:?} is {value:?} already: overwrite it, or choose another");
            return Err(Rejection::new(Reason::AlreadyExists, message).field("set"));
        }
        if set.is_empty() && remove.is_empty() {
            return Ok(None);
        }
        let labelled = Labelled { set, remove };
        labelled.apply(&mut labels);
        let (count, max) = (labels.len(), Label::LABELS_MAX);
        if count > max && !labelled.set.is_empty() {
            let message = format!("the task would have {count} labels, and may have {max}");
            return Err(invalid(message).field("set"));
        }
        Ok(Some(Event::TaskLabelled(labelled)))
    }

    /// Takes in a change of its labels, on top of those before.
    pub(super) fn labelled(&mut self, labelled: &Labelled) {
        let Labelled { set, remove } = &mut self.labelled;
        set.retain(|name, _| !labelled.remove.contains(name));
        set.extend(labelled.set.clone());
        remove.retain(|name| !labelled.set.contains_key(name));
        remove.extend(labelled.remove.iter().cloned());
    }
}
