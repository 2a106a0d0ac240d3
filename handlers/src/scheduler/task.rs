//! A task that is not over, or was given up and may come back.

use std::{collections::BTreeMap, sync::Arc};

use kantoku_domain::{
    Dependency, Id, Recorded, Timestamp, TriggerRule,
    admission::Profile,
    dependency::{EventPattern, HttpProbe, Needs},
    task::{Command, Skipped, Spawned},
};

use super::{knowledge::News, names::Name};
use crate::Effect;

/// See the module.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) profile: Arc<Profile>,
    pub(super) needs: Needs,
    pub(super) gate: Gate,
    pub(super) outputs: BTreeMap<String, Id>,
    /// How many of the things that it watches are not settled, and how many of these are tasks.
    pub(super) open: usize,
    pub(super) open_tasks: usize,
    /// Whether something that it watches has ever gone wrong.
    pub(super) is_spoiled: bool,
    /// Whether something that was settled has been opened again, or was lost from the start: then
    /// what a task was to hand over may be settled before the task.
    pub(super) is_unsteady: bool,
    /// The attempt to announce next, or that is announced or held.
    pub(super) attempt: u32,
    /// How often it was resumed or revived.
    pub(super) round: u32,
    /// Its last event.
    pub(super) guard: u64,
    pub(super) version: u64,
    pub(super) not_before: Timestamp,
    /// When it was spawned, or revived last.
    pub(super) since: Timestamp,
    /// When something last changed for it, and the event that the next effect follows from.
    pub(super) changed_at: Timestamp,
    pub(super) cause: Id,
    pub(super) stage: Stage,
    /// Whether the word that it may run after all is on its way.
    pub(super) is_reviving: bool,
    /// Whether it is to be looked at.
    pub(super) is_due: bool,
    /// When it is to be looked at again for the clock's sake.
    pub(super) alarm: Option<Timestamp>,
    pub(super) heard: Option<Box<Heard>>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// It waits for facts, the clock or the end of a pause.
    Open,
    /// It waits for admission.
    Queued { since: Timestamp },
    /// It was admitted, and its announcement is on its way.
    Announcing,
    /// It was announced, by us now or, as the stream says, before.
    Announced { at: Timestamp },
    /// A node has it.
    Held { node: Name, at: Timestamp },
    /// It will never run, and the word is on its way.
    Skipping,
    /// It is to stop with a task that it waits for, and the word is on its way.
    Stopping,
    /// It was given up.
    Skipped(Box<Skipped>),
}

/// When a change is worth a look: what a task waits for may be much, and most of what comes in
/// changes nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// All has to go well, so counting tells.
    All,
    /// While all goes well, nothing follows before all is settled.
    Last,
    /// Nothing means anything before all tasks have ended.
    Ended,
    /// Each change may.
    Each,
}

/// What was said to one task, or waits to be.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The event that it was spawned or revived by: later ones count.
    pub(super) after: u64,
    /// The name of the approval, who gave it, and when.
    pub(super) approvals: Vec<(String, String, Timestamp)>,
    /// The events that it waits for, and when they came.
    pub(super) events: Vec<(EventPattern, Option<Timestamp>)>,
    pub(super) probes: Vec<HttpProbe>,
}

impl Waiting {
    pub(super) fn new(recorded: &Recorded, spawned: &Spawned) -> Self {
        let needs = Needs::of(spawned);
        let at = recorded.metadata.at;
        Self {
            profile: Arc::new(Profile::of(&recorded.namespace, recorded.id, spawned)),
            gate: Gate::of(&needs),
            heard: Heard::of(&needs, recorded.stream_seq),
            needs,
            outputs: spawned.outputs.iter().map(|(name, o)| (name.clone(), o.id)).collect(),
            open: 0,
            open_tasks: 0,
            is_spoiled: false,
            is_unsteady: false,
            attempt: 1,
            round: 0,
            guard: recorded.stream_seq,
            version: recorded.version,
            not_before: Timestamp::default(),
            since: at,
            changed_at: at,
            cause: recorded.metadata.event_id,
            stage: Stage::Open,
            is_reviving: false,
            is_due: false,
            alarm: None,
        }
    }

    /// Takes in that something it watches has changed. Whether that is worth a look.
    pub(super) fn learn(&mut self, news: News) -> bool {
        self.open = self.open.saturating_add_signed(news.open);
        if news.is_end {
            self.open_tasks = self.open_tasks.saturating_add_signed(news.open);
        }
        self.is_spoiled |= news.is_bad;
        self.is_unsteady |= news.open > 0;
        match (&self.stage, self.gate) {
            (Stage::Skipped(_), _) | (_, Gate::Each) => true,
            (_, Gate::Ended) => self.open_tasks == 0 || news.open > 0,
            (_, Gate::All | Gate::Last) => self.open == 0 || news.is_bad || self.is_unsteady,
        }
    }

    /// Takes in an event that it may wait for, and the labels of what that happened to. Whether it
    /// does.
    pub(super) fn hear(&mut self, recorded: &Recorded, labels: &BTreeMap<String, String>) -> bool {
        let Some(heard) = &mut self.heard else { return false };
        let mut is_news = false;
        for (pattern, came) in &mut heard.events {
            let is_it = recorded.stream_seq > heard.after && pattern.matches(recorded, labels);
            if came.is_none() && is_it {
                *came = Some(recorded.metadata.at);
                is_news = true;
            }
        }
        if is_news {
            self.cause = recorded.metadata.event_id;
            self.changed_at = self.changed_at.max(recorded.metadata.at);
        }
        is_news
    }

    /// Takes in that it was revived: deadlines count from now, and events that came before do not.
    pub(super) fn begin_to_wait(&mut self, recorded: &Recorded) {
        (self.since, self.changed_at) = (recorded.metadata.at, recorded.metadata.at);
        if let Some(heard) = &mut self.heard {
            heard.after = recorded.stream_seq;
            heard.events.iter_mut().for_each(|(_, came)| *came = None);
        }
    }

    pub(super) fn output_ids(&self) -> Vec<Id> {
        self.outputs.values().copied().collect()
    }

    /// Whether something may follow for it.
    pub(super) fn is_undecided(&self) -> bool {
        match self.stage {
            Stage::Open | Stage::Queued { .. } => true,
            Stage::Skipped(_) => !self.is_reviving,
            _ => false,
        }
    }

    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.stage, Stage::Skipped(_))
    }

    pub(super) fn command(&self, command: Command) -> Effect {
        Effect::Command {
            namespace: self.profile.namespace.clone(),
            task_id: self.profile.task_id,
            context_id: self.profile.context_id,
            cause: self.cause,
            command,
        }
    }

    /// Since when it could run, for all that is known at `now`: since the last thing that changed,
    /// the time that it had to wait for included.
    pub(super) fn ready_since(&self, now: Timestamp) -> Timestamp {
        let leaves = self.needs.depends_on.iter().flat_map(Dependency::leaves);
        let passed = leaves.filter_map(|leaf| match leaf {
            Dependency::At(at) => Some(*at),
            Dependency::Window(window) => window.cron.last_until(now),
            _ => None,
        });
        let began = self.changed_at.max(self.not_before);
        passed.filter(|at| *at <= now).fold(began, Timestamp::max)
    }

    /// When what holds at `now` may not hold any more, at the earliest, because of the clock alone.
    pub(super) fn ready_until(&self, now: Timestamp) -> Option<Timestamp> {
        let leaves = self.needs.depends_on.iter().flat_map(Dependency::leaves);
        let times = leaves.flat_map(|leaf| match leaf {
            Dependency::At(at) => [Some(*at), None],
            Dependency::Window(window) => {
                let opened = window.cron.last_until(now);
                let closes = opened.map(|at| at.plus(window.duration.duration()));
                [closes, window.cron.next_after(now)]
            }
            _ => [None, None],
        });
        times.flatten().filter(|at| now < *at).min()
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

impl Heard {
    /// Of a task that was spawned by the event at `after`, if it waits for what is said to it alone.
    fn of(needs: &Needs, after: u64) -> Option<Box<Self>> {
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
}

#[cfg(test)]
mod tests {
    use kantoku_domain::{
        Partition,
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
