//! What is said to one task, and concerns nobody else.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Recorded, Timestamp,
    dependency::{EventPattern, HttpProbe, Needs},
};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Heard {
    /// The event that it was spawned or revived by: later ones count.
    after: u64,
    /// The name of the approval, who gave it, and when.
    pub(super) approvals: Vec<(String, String, Timestamp)>,
    /// The events that it waits for, and when they came.
    pub(super) events: Vec<(EventPattern, Option<Timestamp>)>,
    pub(super) probes: Vec<HttpProbe>,
}

impl Heard {
    /// Of a task that was spawned by the event at `after`, if it waits for what is said to it alone.
    pub(super) fn of(needs: &Needs, after: u64) -> Option<Box<Self>> {
        let (mut heard, mut is_needed) = (Self { after, ..Self::default() }, false);
        for leaf in needs.depends_on.iter().flat_map(Dependency::leaves) {
            is_needed |= matches!(
                leaf,
                Dependency::Approval(_) | Dependency::Event(_) | Dependency::Http(_)
            );
            match leaf {
                Dependency::Event(pattern) => heard.events.push((pattern.clone(), None)),
                Dependency::Http(probe) => heard.probes.push(probe.clone()),
                _ => {}
            }
        }
        is_needed.then(|| Box::new(heard))
    }

    /// Takes in an event, and the labels of what it happened to. Whether it is waited for.
    pub(super) fn hear(&mut self, recorded: &Recorded, labels: &BTreeMap<String, String>) -> bool {
        let mut is_news = false;
        for (pattern, came) in &mut self.events {
            let is_it = recorded.stream_seq > self.after && pattern.matches(recorded, labels);
            if came.is_none() && is_it {
                *came = Some(recorded.metadata.at);
                is_news = true;
            }
        }
        is_news
    }

    /// Only events after this one count from now on.
    pub(super) fn begin_anew(&mut self, after: u64) {
        self.after = after;
        for (_, came) in &mut self.events {
            *came = None;
        }
    }
}
