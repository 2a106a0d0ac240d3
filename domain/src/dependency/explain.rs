//! Why an expression holds, does not yet, or never will: the facts that decide it and no others.

use serde::{Deserialize, Serialize};

use super::{
    Cause, Dependency, Facts, How, Known, RootCauses, Status,
    evaluate::{Evaluation, Verdict},
};
use crate::Timestamp;

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it holds.
    pub status: Status,
    /// What is ready or failed: a smallest set of facts that decides it by itself. What is pending:
    /// all facts that it still waits for, and none that make no difference.
    pub grounds: Vec<Ground>,
}

/// One fact that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// What of a task it is about: `input page`, `when`, `depends_on`.
    pub name: String,
    /// The leaf; or a `within` whose time is up.
    pub leaf: Dependency,
    /// Whether it is the opposite of the leaf that is waited for.
    pub negated: bool,
    /// Whether what is waited for, the leaf or its opposite, holds.
    #[serde(flatten)]
    pub status: Status,
    /// If others would do as well: how many of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<(usize, usize)>,
    /// For people: the fact.
    pub message: String,
}

/// Tasks that made something impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) root_causes: RootCauses,
    pub(super) cause: Cause,
}

impl Dependency {
    /// Why [`Dependency::evaluate`] says what it says; `name` is what the grounds are called.
    pub fn explain(&self, name: &str, facts: &impl Facts, now: Timestamp) -> Explanation {
        let mut grounds = Evaluation { facts, now }.grounds(self, false);
        for ground in &mut grounds {
            name.clone_into(&mut ground.name);
        }
        Explanation { status: self.evaluate(facts, now), grounds }
    }
}

impl<F: Facts> Evaluation<'_, F> {
    fn grounds(&self, expression: &Dependency, negated: bool) -> Vec<Ground> {
        match expression {
            Dependency::Not(part) => self.grounds(part, !negated),
            Dependency::Within { of, .. } => {
                let inner = self.verdict(of, false);
                let outer = self.verdict(expression, false);
                let is_late = matches!(outer, Verdict::Failed(at) if inner != Verdict::Failed(at));
                if is_late {
                    vec![self.ground(expression, negated)]
                } else {
                    self.grounds(of, false)
                }
            }
            node => match (node.parts(), node.needed(negated)) {
                (Some(parts), Some(needed)) => self.of_parts(parts, needed, negated),
                _ => vec![self.ground(node, negated)],
            },
        }
    }

    fn of_parts(&self, parts: &[Dependency], needed: usize, negated: bool) -> Vec<Ground> {
        let (mut ready, mut failed, mut pending) = (vec![], vec![], vec![]);
        for part in parts {
            match self.verdict(part, negated) {
                Verdict::Ready(_) => ready.push(part),
                Verdict::Failed(_) => failed.push(part),
                Verdict::Pending(_) => pending.push(part),
            }
        }
        let explain = |part: &&Dependency| self.grounds(part, negated);
        if ready.len() >= needed {
            return smallest(ready.iter().map(explain), needed);
        }
        if let Some(spare) = parts.len().checked_sub(needed)
            && failed.len() <= spare
        {
            let missing = needed - ready.len();
            let one_of = (missing < pending.len()).then_some((missing, pending.len()));
            return pending
                .iter()
                .flat_map(explain)
                .map(|ground| Ground { one_of: ground.one_of.or(one_of), ..ground })
                .collect();
        }
        let decisive = (parts.len() + 1).saturating_sub(needed);
        smallest(failed.iter().map(explain), decisive)
    }

    pub(super) fn ground(&self, leaf: &Dependency, negated: bool) -> Ground {
        let status = match self.verdict(leaf, negated) {
            Verdict::Pending(next) => Status::Pending { next },
            Verdict::Ready(_) => Status::Ready,
            Verdict::Failed(_) => {
                let mut root_causes = Vec::new();
                self.blame(leaf, negated, &mut |blame| {
                    root_causes.extend(blame.root_causes.iter());
                });
                Status::Failed { root_causes }
            }
        };
        let (name, one_of, message) = (String::new(), None, self.fact(leaf));
        Ground { name, leaf: leaf.clone(), negated, status, one_of, message }
    }

    /// Reports every task because of which `expression`, or its negation, has failed.
    pub(super) fn blame(
        &self,
        expression: &Dependency,
        negated: bool,
        report: &mut impl FnMut(Blame),
    ) {
        if !matches!(self.verdict(expression, negated), Verdict::Failed(_)) {
            return;
        }
        match expression {
            Dependency::Not(part) => self.blame(part, !negated, report),
            Dependency::Resource(id) => {
                if let Known::Impossible { root_causes, cause, .. } = self.facts.resource(*id) {
                    report(Blame { root_causes, cause });
                }
            }
            Dependency::Task(id) | Dependency::Done(id) | Dependency::Failed(id) => {
                if let Some(ending) = self.facts.task(*id) {
                    let cause = if ending.is_failure() { Cause::Failure } else { Cause::Rule };
                    report(Blame { root_causes: ending.root_causes(), cause });
                }
            }
            node => {
                for part in node.parts().unwrap_or_default() {
                    self.blame(part, negated, report);
                }
            }
        }
    }

    /// What is the case, for people.
    fn fact(&self, leaf: &Dependency) -> String {
        match leaf {
            Dependency::Resource(id) => match self.facts.resource(*id) {
                Known::Pending => format!("resource {id} is not resolved yet"),
                Known::Holds { .. } => format!("resource {id} is resolved"),
                Known::Impossible { root_causes, .. } => {
                    format!(
                        "resource {id} cannot be resolved any more, because of task {}",
                        root_causes.first()
                    )
                }
            },
            Dependency::Task(id) | Dependency::Done(id) | Dependency::Failed(id) => {
                match self.facts.task(*id).map(|ending| ending.how) {
                    None => format!("task {id} has not ended yet"),
                    Some(How::Ok) => format!("task {id} finished ok"),
                    Some(How::Failed) => format!("task {id} failed"),
                    Some(How::Cancelled) => format!("task {id} was cancelled"),
                    Some(How::Skipped { root_causes, .. }) => {
                        format!("task {id} was skipped because of task {}", root_causes.first())
                    }
                }
            }
            Dependency::Within { time, .. } => {
                format!("it did not come within {time}, since {}", self.facts.since())
            }
            Dependency::At(at) => format!("the time {at} {}", has_come(self.now >= *at)),
            Dependency::Window(window) => {
                let next = window.cron.next_after(self.now);
                let next = next.map_or_else(|| "never".into(), |at| format!("at {at}"));
                format!(
                    "the window of {} from {:?} opens next {next}",
                    window.duration,
                    window.cron.to_string()
                )
            }
            Dependency::Approval(approval) => self.approval(approval),
            Dependency::Event(pattern) => {
                let id = pattern.id.map_or_else(String::new, |id| format!(" of {id}"));
                let found = has_come(self.facts.event(pattern).is_some());
                format!("the event {}{id} {found}", pattern.type_)
            }
            Dependency::Http(probe) => match self.facts.probe(probe) {
                None => format!("GET {} was not tried yet", probe.url),
                Some(last) => {
                    let status = last.status.map_or("not at all".into(), |it| it.to_string());
                    let (url, expect, at) = (&probe.url, probe.expect, last.at);
                    format!("GET {url} was answered {status} at {at}; {expect} is waited for")
                }
            },
            Dependency::All(_)
            | Dependency::Any(_)
            | Dependency::AtLeast { .. }
            | Dependency::Not(_) => String::new(),
        }
    }

    fn approval(&self, approval: &super::Approval) -> String {
        let given = self.facts.approvals(&approval.name);
        let given: Vec<&str> =
            given.into_iter().map(|(who, _)| who).filter(|who| approval.may(who)).collect();
        let by = match given.as_slice() {
            [] => String::new(),
            names => format!(" ({})", names.join(", ")),
        };
        let may = match approval.by.as_slice() {
            [] => "anybody may give it".into(),
            names => format!("it may be given by {}", names.join(", ")),
        };
        format!("approval {:?} has {} of {}{by}; {may}", approval.name, given.len(), approval.count)
    }
}

const fn has_come(it_has: bool) -> &'static str {
    if it_has { "has come" } else { "has not come yet" }
}

/// The `count` shortest of `explanations` together.
fn smallest(explanations: impl Iterator<Item = Vec<Ground>>, count: usize) -> Vec<Ground> {
    let mut explanations: Vec<_> = explanations.collect();
    explanations.sort_by_key(Vec::len);
    explanations.into_iter().take(count).flatten().collect()
}
