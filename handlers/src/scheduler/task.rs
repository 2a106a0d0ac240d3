//! A task that is not over, or was given up and may come back.

use std::{collections::BTreeMap, sync::Arc};

use kantoku_domain::{
    Dependency, Id, Recorded, Timestamp,
    admission::Profile,
    dependency::Needs,
    task::{Command, Skipped, Spawned},
};

use serde::{Deserialize, Serialize};

use super::{heard::Heard, knowledge::News, names::Name, tally::Tally};
use crate::{
    Effect,
    saved::{as_json, micros},
};

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    #[serde(with = "as_json")]
    pub(super) profile: Arc<Profile>,
    #[serde(with = "as_json")]
    pub(super) needs: Needs,
    pub(super) tally: Tally,
    pub(super) outputs: BTreeMap<String, Id>,
    /// The attempt to announce next, or that is announced or held.
    pub(super) attempt: u32,
    /// How often it was resumed or revived.
    pub(super) round: u32,
    /// Its last event.
    pub(super) guard: u64,
    pub(super) version: u64,
    #[serde(with = "micros")]
    pub(super) not_before: Timestamp,
    /// When it was spawned, or revived last.
    #[serde(with = "micros")]
    pub(super) since: Timestamp,
    /// When something last changed for it, and the event that the next effect follows from.
    #[serde(with = "micros")]
    pub(super) changed_at: Timestamp,
    pub(super) cause: Id,
    pub(super) stage: Stage,
    /// Whether the word that it may run after all is on its way.
    pub(super) is_reviving: bool,
    /// Whether it is to be looked at.
    pub(super) is_due: bool,
    /// When it is to be looked at again for the clock's sake.
    #[serde(skip)]
    pub(super) alarm: Option<Timestamp>,
    #[serde(with = "as_json")]
    pub(super) heard: Option<Box<Heard>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Stage {
    /// It waits for facts, the clock or the end of a pause.
    Open,
    /// It waits for admission.
    Queued {
        #[serde(with = "micros")]
        since: Timestamp,
    },
    /// It was admitted, and its announcement is on its way.
    Announcing,
    /// It was announced, by us now or, as the stream says, before.
    Announced {
        #[serde(with = "micros")]
        at: Timestamp,
    },
    /// A node has it.
    Held {
        node: Name,
        #[serde(with = "micros")]
        at: Timestamp,
    },
    /// It will never run, and the word is on its way.
    Skipping,
    /// It is to stop with a task that it waits for, and the word is on its way.
    Stopping,
    /// It was given up.
    Skipped(#[serde(with = "as_json")] Box<Skipped>),
}

impl Waiting {
    pub(super) fn new(recorded: &Recorded, spawned: &Spawned) -> Self {
        let needs = Needs::of(spawned);
        let at = recorded.metadata.at;
        Self {
            profile: Arc::new(Profile::of(&recorded.namespace, recorded.id, spawned)),
            tally: Tally::of(&needs),
            heard: Heard::of(&needs, recorded.stream_seq),
            needs,
            outputs: spawned.outputs.iter().map(|(name, o)| (name.clone(), o.id)).collect(),
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
        let is_worth_it = self.tally.learn(news);
        is_worth_it || self.is_given_up()
    }

    /// Takes in an event that it may wait for, and the labels of what that happened to. Whether it
    /// does.
    pub(super) fn hear(&mut self, recorded: &Recorded, labels: &BTreeMap<String, String>) -> bool {
        let is_news = self.heard.as_mut().is_some_and(|heard| heard.hear(recorded, labels));
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
            heard.begin_anew(recorded.stream_seq);
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
