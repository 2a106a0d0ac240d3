//! Counts what a task waits for: that may be much, and most of what comes in changes nothing yet.

use kantoku_domain::{TriggerRule, dependency::Needs};

use serde::{Deserialize, Serialize};

use super::knowledge::News;

/// When a change is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Gate {
    /// All has to go well, so counting tells.
    All,
    /// While all goes well, nothing follows before all is settled.
    Last,
    /// Nothing means anything before all tasks have ended.
    Ended,
    /// Each change may.
    Each,
}

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tally {
    gate: Gate,
    /// How many of the things that the task watches are not settled, and how many of these are
    /// tasks.
    open: usize,
    open_tasks: usize,
    /// Whether anything has ever gone wrong.
    is_spoiled: bool,
    /// Whether something that was settled has been opened again, or was lost from the start: then
    /// what a task was to hand over may be settled before the task.
    is_unsteady: bool,
}

/// What counting alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Ready,
    Pending,
    /// Nothing: it has to be evaluated.
    Unknown,
}

impl Tally {
    pub(super) fn of(needs: &Needs) -> Self {
        let gate = Gate::of(needs);
        Self { gate, open: 0, open_tasks: 0, is_spoiled: false, is_unsteady: false }
    }

    /// Begins to count something: a task's end, or a resource.
    pub(super) fn add(&mut self, is_end: bool, is_settled: bool, is_bad: bool) {
        self.open += usize::from(!is_settled);
        self.open_tasks += usize::from(!is_settled && is_end);
        self.is_spoiled |= is_bad;
        self.is_unsteady |= is_bad;
    }

    /// Takes in that something has changed. Whether that is worth a look.
    pub(super) fn learn(&mut self, news: News) -> bool {
        self.open = self.open.saturating_add_signed(news.open);
        if news.is_end {
            self.open_tasks = self.open_tasks.saturating_add_signed(news.open);
        }
        self.is_spoiled |= news.is_bad;
        self.is_unsteady |= news.open > 0;
        match self.gate {
            Gate::Each => true,
            Gate::Ended => self.open_tasks == 0 || news.open > 0,
            Gate::All | Gate::Last => self.open == 0 || news.is_bad || self.is_unsteady,
        }
    }

    /// Where all has to go well and has so far, counting tells.
    pub(super) fn counted(&self) -> Counted {
        match (self.gate, self.is_spoiled, self.open) {
            (Gate::All, false, 0) => Counted::Ready,
            (Gate::All, false, _) => Counted::Pending,
            _ => Counted::Unknown,
        }
    }
}

impl Gate {
    fn of(needs: &Needs) -> Self {
        if needs.is_conjunction() {
            return Self::All;
        }
        let (Some(when), None) = (&needs.when, &needs.depends_on) else { return Self::Each };
        let is_governed =
            |input: &String| when.upstream.iter().any(|upstream| upstream.inputs.contains(input));
        match when.rule {
            TriggerRule::AllOk | TriggerRule::NoneFailed => Self::Last,
            TriggerRule::AllDone if needs.inputs.keys().all(is_governed) => Self::Ended,
            _ => Self::Each,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kantoku_domain::{
        Dependency, Id, Partition,
        dependency::{Trigger, Upstream},
    };

    use super::*;

    #[test]
    fn only_what_may_matter_is_looked_at() {
        let id = Id::default().derive("a", Partition::default());
        let when = |rule, inputs: &[&str]| {
            let inputs = inputs.iter().map(ToString::to_string).collect();
            Some(Trigger { rule, upstream: vec![Upstream { task: id, inputs }] })
        };
        let inputs = || BTreeMap::from([("page".to_owned(), id)]);
        let needs = |when, depends_on| Needs { inputs: inputs(), when, depends_on };
        for (needs, gate) in [
            (needs(None, None), Gate::All),
            (needs(None, Some(Dependency::Done(id))), Gate::Each),
            (needs(when(TriggerRule::AllOk, &[]), None), Gate::Last),
            (needs(when(TriggerRule::AllDone, &["page"]), None), Gate::Ended),
            (needs(when(TriggerRule::AllDone, &[]), None), Gate::Each),
            (needs(when(TriggerRule::AnyOk, &["page"]), None), Gate::Each),
            (needs(when(TriggerRule::AllOk, &[]), Some(Dependency::Task(id))), Gate::Each),
        ] {
            assert_eq!(Gate::of(&needs), gate, "{needs:?}");
        }
    }
}
