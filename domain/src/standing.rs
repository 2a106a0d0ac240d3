//! Where a task stands and why: the answer of the scheduler, made of the very state that decides.

use serde::{Deserialize, Serialize};

use crate::{
    Id, Kind, Timestamp,
    admission::Blocked,
    dependency::{Explanation, Ground},
    pause::Paused,
    task::Skipped,
};

/// Where a task stands and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The task.
    pub task_id: Id,
    /// The scheduler knows the stream up to this `stream_seq`.
    pub position: u64,
    /// How far the task has come.
    pub stage: Stage,
    /// The attempt that is held, announced, or to be announced next; 1 for the first.
    pub attempt: u32,
    /// How often the task was resumed or revived.
    pub round: u32,
    /// Of a task that waits for facts: those that it waits for, and none that make no difference.
    /// Of any other: a smallest set of facts because of which it may run, or never will.
    pub grounds: Vec<Ground>,
    /// How many more there are, which were left out.
    #[serde(default)]
    pub left_out: usize,
    /// What is paused, if something is that the task has to wait for: the widest there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pausing>,
    /// What keeps it from being admitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
    /// When the clock alone may change anything, at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// How far a task has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Stage {
    /// It waits for facts.
    Waiting,
    /// Its last attempt failed, and the next has to wait until [`Standing::next_at`].
    Backoff,
    /// It could run, but for a pause.
    Paused,
    /// It could run, and waits for admission.
    Queued {
        /// Since when.
        since: Timestamp,
    },
    /// An executor may claim it.
    Announced {
        /// Where.
        queue: String,
        /// Since when.
        since: Timestamp,
    },
    /// An executor has it.
    Held {
        /// The executor.
        node: String,
        /// Since when.
        since: Timestamp,
    },
    /// It was given up, and comes back if a restart makes it possible again.
    Skipped(Skipped),
}

impl Stage {
    /// The name in documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Backoff => "backoff",
            Self::Paused => "paused",
            Self::Queued { .. } => "queued",
            Self::Announced { .. } => "announced",
            Self::Held { .. } => "held",
            Self::Skipped(_) => "skipped",
        }
    }
}

/// A pause, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pausing {
    /// The task itself, its context, its specification, or its namespace.
    pub kind: Kind,
    /// By whom, why, and since when.
    #[serde(flatten)]
    pub paused: Paused,
}

impl Standing {
    /// How many facts are told, parts of an expression that came too late included.
    pub const FACTS_MAX: usize = 1_000;

    /// The grounds of `explanation`, as many as are told, and how many are left out. The first is
    /// told whatever its size: it is no larger than the event that the task was spawned by.
    pub fn grounds(explanation: Explanation) -> (Vec<Ground>, usize) {
        let all = explanation.grounds.len();
        let mut facts = 0;
        let is_told = |ground: &Ground| {
            let is_first = facts == 0;
            facts += ground.leaf.leaves().len().max(1);
            is_first || facts <= Self::FACTS_MAX
        };
        let mut grounds = explanation.grounds;
        let told = grounds.iter().map(is_told).take_while(|is_told| *is_told).count();
        grounds.truncate(told);
        (grounds, all - told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dependency, Millis, dependency::Status};

    fn ground(leaf: Dependency) -> Ground {
        let (name, message) = ("depends_on".into(), "so it is".into());
        let status = Status::Failed { root_causes: vec![Id::default()] };
        Ground { name, leaf, negated: false, status, one_of: Some((1, 2)), message }
    }

    fn told(leaves: impl Iterator<Item = Dependency>) -> (usize, usize) {
        let grounds = leaves.map(ground).collect();
        let explanation = Explanation { status: Status::Ready, grounds };
        let (told, left_out) = Standing::grounds(explanation);
        (told.len(), left_out)
    }

    #[test]
    fn what_is_told_is_bounded() {
        let leaf = || Dependency::Resource(Id::default());
        assert_eq!(told((0..1_000).map(|_| leaf())), (1_000, 0));
        assert_eq!(told((0..1_001).map(|_| leaf())), (1_000, 1));
        let parts = (0..2_000).map(|_| leaf()).collect();
        let late = Dependency::Within { time: Millis(1), of: Box::new(Dependency::All(parts)) };
        assert_eq!(told([late, leaf()].into_iter()), (1, 1));
    }

    #[test]
    fn a_standing_is_read_as_it_was_written() {
        let paused =
            Paused { by: "ann".into(), reason: "audit".into(), since: Timestamp::default() };
        let key = crate::admission::Key {
            namespace: crate::Namespace::default(),
            policy: "p".parse().expect("a name"),
            limit: "four".into(),
            value: "gpu".into(),
        };
        let standing = Standing {
            task_id: Id::default(),
            position: 7,
            stage: Stage::Queued { since: Timestamp::default() },
            attempt: 1,
            round: 0,
            grounds: vec![ground(Dependency::At(Timestamp::default()))],
            left_out: 0,
            paused: Some(Pausing { kind: Kind::Context, paused }),
            blocked: vec![Blocked::Concurrency {
                key: key.into(),
                limit: 4,
                held: 4,
                held_by: vec![Id::default()],
            }],
            next_at: None,
        };
        let written = serde_json::to_value(&standing).expect("written");
        assert_eq!(written["grounds"][0]["status"], "FAILED");
        assert_eq!(written["paused"]["by"], "ann");
        assert_eq!(written["stage"]["name"], standing.stage.name());
        assert_eq!(serde_json::from_value::<Standing>(written).expect("read"), standing);
    }
}
