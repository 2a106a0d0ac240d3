//! When a step of a pipeline runs, by how the steps before it have ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Facts, How, Known, RootCauses};
use crate::{Id, stored::is_default};

/// When a task runs, by how the tasks before it have ended: `when` of a step.
///
/// *Failed* means that it finished failed, was cancelled, or was skipped because of such a task, or
/// that what it was to hand over cannot arrive any more. *Skipped* means that a rule chose not to
/// run it, though nobody failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerRule {
    /// All have finished ok.
    #[default]
    AllOk,
    /// All have ended, in whatever way.
    AllDone,
    /// One has finished ok; the others are not waited for.
    AnyOk,
    /// One has failed; the others are not waited for.
    AnyFailed,
    /// All have failed.
    AllFailed,
    /// All have ended, and none has failed.
    NoneFailed,
}

/// How the tasks before another have ended: how many in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not yet.
    pub pending: usize,
    /// Ok.
    pub ok: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped, though nobody failed.
    pub skipped: usize,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triggered {
    /// It may hold yet.
    Pending,
    /// It holds.
    Ready,
    /// It cannot hold any more.
    Never,
}

impl TriggerRule {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AllOk,
        Self::AllDone,
        Self::AnyOk,
        Self::AnyFailed,
        Self::AllFailed,
        Self::NoneFailed,
    ];

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllOk => "all_ok",
            Self::AllDone => "all_done",
            Self::AnyOk => "any_ok",
            Self::AnyFailed => "any_failed",
            Self::AllFailed => "all_failed",
            Self::NoneFailed => "none_failed",
        }
    }

    /// Whether a task may run under it although an input of its did not arrive.
    pub fn tolerates_absence(self) -> bool {
        self != Self::AllOk
    }

    /// What the rule says of tasks that have ended like this. A function of numbers, so that
    /// whoever counts as endings come in need not look at all of them again.
    pub const fn holds(self, of: Counts) -> Triggered {
        let Counts { pending, ok, failed, skipped } = of;
        let (ready, never) = match self {
            Self::AllOk => (pending + failed + skipped == 0, failed + skipped > 0),
            Self::AllDone => (pending == 0, false),
            Self::AnyOk => (ok > 0, pending == 0),
            Self::AnyFailed => (failed > 0, pending == 0),
            Self::AllFailed => (pending + ok + skipped == 0, ok + skipped > 0),
            Self::NoneFailed => (pending + failed == 0, failed > 0),
        };
        match (ready, never) {
            (true, _) => Triggered::Ready,
            (false, true) => Triggered::Never,
            (false, false) => Triggered::Pending,
        }
    }

    /// Whether an ending speaks against the rule.
    const fn is_contradicted_by(self, end: End) -> bool {
        match self {
            Self::AllOk | Self::AnyOk => matches!(end, End::Failed | End::Skipped),
            Self::AllDone => false,
            Self::AnyFailed | Self::AllFailed => matches!(end, End::Ok | End::Skipped),
            Self::NoneFailed => matches!(end, End::Failed),
        }
    }
}

/// A rule, and the tasks that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// The rule.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rule: TriggerRule,
    /// The tasks.
    pub upstream: Vec<Upstream>,
}

/// A task before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upstream {
    /// The task.
    pub task: Id,
    /// The inputs that it is to hand over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
}

/// How a task before another has ended, what it was to hand over included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Pending,
    Ok,
    Failed,
    Skipped,
}

/// An ending, with the tasks to blame should the rule not hold because of it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) root_causes: RootCauses,
}

impl Trigger {
    pub(super) fn counts(ends: &[Ended]) -> Counts {
        let mut counts = Counts::default();
        for ended in ends {
            match ended.end {
                End::Pending => counts.pending += 1,
                End::Ok => counts.ok += 1,
                End::Failed => counts.failed += 1,
                End::Skipped => counts.skipped += 1,
            }
        }
        counts
    }

    pub(super) fn contradicts(&self, ended: &Ended) -> bool {
        self.rule.is_contradicted_by(ended.end)
    }
}

impl Upstream {
    /// How it has ended: a task that has finished ok counts once what it was to hand over, perhaps
    /// by a task that it delegated to, is there.
    pub(super) fn ended(&self, facts: &impl Facts, resource: impl Fn(&str) -> Option<Id>) -> Ended {
        let Some(ending) = facts.task(self.task) else {
            return Ended { end: End::Pending, root_causes: self.task.into() };
        };
        let root_causes = ending.root_causes();
        if ending.how != How::Ok {
            let end = if ending.is_failure() { End::Failed } else { End::Skipped };
            return Ended { end, root_causes };
        }
        let mut ended = Ended { end: End::Ok, root_causes };
        for id in self.inputs.iter().filter_map(|input| resource(input)) {
            match facts.resource(id) {
                Known::Holds { .. } => {}
                Known::Pending => ended.end = End::Pending,
                Known::Impossible { root_causes, cause, .. } => {
                    let end = match cause {
                        Cause::Failure => End::Failed,
                        Cause::Rule => End::Skipped,
                    };
                    return Ended { end, root_causes };
                }
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_decides_as_soon_as_it_can_and_no_sooner() {
        use Triggered::{Never, Pending, Ready};
        let of = |pending, ok, failed, skipped| Counts { pending, ok, failed, skipped };
        let cases = [
            (of(0, 2, 0, 0), [Ready, Ready, Ready, Never, Never, Ready]),
            (of(0, 1, 1, 0), [Never, Ready, Ready, Ready, Never, Never]),
            (of(0, 0, 2, 0), [Never, Ready, Never, Ready, Ready, Never]),
            (of(0, 1, 0, 1), [Never, Ready, Ready, Never, Never, Ready]),
            (of(1, 1, 0, 0), [Pending, Pending, Ready, Pending, Never, Pending]),
            (of(1, 0, 1, 0), [Never, Pending, Pending, Ready, Pending, Never]),
            (of(1, 0, 0, 1), [Never, Pending, Pending, Pending, Never, Pending]),
            (of(2, 0, 0, 0), [Pending; 6]),
        ];
        for (counts, expected) in cases {
            assert_eq!(TriggerRule::ALL.map(|rule| rule.holds(counts)), expected, "{counts:?}");
        }
    }
}
