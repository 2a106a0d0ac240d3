//! All that a task waits for: its inputs, how the tasks before it end, and what it depends on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Cause, Dependency, Facts, Hopeless, Known, Readiness, Status, Trigger, Triggered,
    evaluate::{Evaluation, earlier, root_causes},
    explain::Blame,
    trigger::{End, Ended},
};
use crate::{Id, Timestamp, task::Spawned};

/// All that a task waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Its inputs that are resources.
    pub inputs: BTreeMap<String, Id>,
    /// When it runs, unless all of them have to arrive.
    pub when: Option<Trigger>,
    /// What has to hold besides.
    pub depends_on: Option<Dependency>,
}

/// What one of the needs comes to.
pub(super) enum Need {
    Pending(Option<Timestamp>),
    Ready,
    Failed(Hopeless),
}

impl Needs {
    /// What the task that was spawned so waits for.
    pub fn of(spawned: &Spawned) -> Self {
        let input =
            |(name, binding): (&String, &crate::Binding)| Some((name.clone(), binding.resource()?));
        Self {
            inputs: spawned.inputs.iter().filter_map(input).collect(),
            when: spawned.when.clone(),
            depends_on: spawned.depends_on.clone(),
        }
    }

    /// The tasks and resources that it is about: whenever something is learnt of one of them, the
    /// task is to be looked at again.
    pub fn named(&self) -> BTreeSet<Id> {
        let upstream = self.when.iter().flat_map(|when| &when.upstream).map(|it| it.task);
        let leaves = self.depends_on.iter().flat_map(Dependency::leaves);
        let named = leaves.filter_map(Dependency::named).copied();
        self.inputs.values().copied().chain(upstream).chain(named).collect()
    }

    /// Whether it waits for everything in [`Needs::named`] to be resolved or to finish ok, and for
    /// nothing else: then it is enough to count.
    pub fn is_conjunction(&self) -> bool {
        let is_plain =
            |part: &Dependency| matches!(part, Dependency::Resource(_) | Dependency::Task(_));
        let depends_on = match &self.depends_on {
            None => true,
            Some(Dependency::All(parts)) => parts.iter().all(is_plain),
            Some(part) => is_plain(part),
        };
        self.when.is_none() && depends_on
    }

    /// Whether the task may run at `now`, as far as `facts` tell. One that somebody's failure makes
    /// impossible is so at once; one that a rule alone rules out, once nobody can fail any more.
    pub fn evaluate(&self, facts: &impl Facts, now: Timestamp) -> Readiness {
        let (mut next, mut is_pending, mut hopeless) = (None, false, None::<Hopeless>);
        let inputs = self.required().map(|(name, id)| input(name, facts.resource(id)));
        let when = self.when.iter().map(|when| self.triggered(when, facts));
        let depends_on = self.depends_on.iter().map(|it| depends_on(it, facts, now));
        for need in inputs.chain(when).chain(depends_on) {
            match need {
                Need::Ready => {}
                Need::Pending(at) => (next, is_pending) = (earlier(next, at), true),
                Need::Failed(also) => match &mut hopeless {
                    Some(hopeless) => hopeless.merge(also),
                    None => hopeless = Some(also),
                },
            }
        }
        // What holds may hold no longer before the rest does.
        let evaluation = Evaluation { facts, now };
        let ends = self.depends_on.iter().filter_map(|it| evaluation.next_end(it, false)).min();
        let next = earlier(next, ends);
        match hopeless {
            // Who fails yet decides what it means to those who come after: that is waited for, so
            // that the order in which things become known makes no difference.
            Some(hopeless) if !hopeless.cause.is_failure() && self.may_fail_yet(facts) => {
                Readiness::Pending { next }
            }
            Some(hopeless) => Readiness::Failed(hopeless.tidy()),
            None if is_pending => Readiness::Pending { next },
            None => Readiness::Ready { absent: self.absent(facts) },
        }
    }

    /// Whether a task or a resource that it is about is not settled.
    fn may_fail_yet(&self, facts: &impl Facts) -> bool {
        let resource = |id: Id| facts.resource(id) == Known::Pending;
        let task = |id: Id| facts.task(id).is_none();
        let mut leaves = self.depends_on.iter().flat_map(Dependency::leaves);
        self.required().any(|(_, id)| resource(id))
            || self.when.iter().flat_map(|it| self.ends(it, facts)).any(|it| it.end == End::Pending)
            || leaves.any(|leaf| match leaf {
                Dependency::Resource(id) => resource(*id),
                Dependency::Task(id) | Dependency::Done(id) | Dependency::Failed(id) => task(*id),
                _ => false,
            })
    }

    /// The inputs that have to arrive, whatever the rule.
    pub(super) fn required(&self) -> impl Iterator<Item = (&str, Id)> {
        let governed = self.governed();
        let inputs = self.inputs.iter().map(|(name, id)| (name.as_str(), *id));
        inputs.filter(move |(name, _)| !governed.contains(name))
    }

    /// The inputs that the rule decides about.
    fn governed(&self) -> BTreeSet<&str> {
        let upstream = self.when.iter().flat_map(|when| &when.upstream);
        upstream.flat_map(|upstream| &upstream.inputs).map(String::as_str).collect()
    }

    fn absent(&self, facts: &impl Facts) -> Vec<String> {
        let is_absent = |name: &&str| {
            let id = self.inputs.get(*name);
            id.is_some_and(|id| !matches!(facts.resource(*id), Known::Holds { .. }))
        };
        self.governed().into_iter().filter(is_absent).map(str::to_owned).collect()
    }

    pub(super) fn ends(&self, when: &Trigger, facts: &impl Facts) -> Vec<Ended> {
        let resource = |name: &str| self.inputs.get(name).copied();
        when.upstream.iter().map(|upstream| upstream.ended(facts, resource)).collect()
    }

    pub(super) fn triggered(&self, when: &Trigger, facts: &impl Facts) -> Need {
        let ends = self.ends(when, facts);
        match when.rule.holds(Trigger::counts(&ends)) {
            Triggered::Pending => Need::Pending(None),
            Triggered::Ready => Need::Ready,
            Triggered::Never => {
                let blames: Vec<Blame> = ends
                    .iter()
                    .filter(|ended| when.contradicts(ended))
                    .map(|ended| {
                        let has_failed = ended.end == End::Failed;
                        let cause = if has_failed { Cause::Failure } else { Cause::Rule };
                        Blame { root_causes: ended.root_causes.clone(), cause }
                    })
                    .collect();
                Need::Failed(Hopeless {
                    cause: blames.iter().map(|it| it.cause).max().unwrap_or_default(),
                    root_causes: root_causes(blames),
                    missing: format!("when: {}", when.rule.name()),
                    is_late: false,
                })
            }
        }
    }
}

fn input(name: &str, known: Known) -> Need {
    match known {
        Known::Holds { .. } => Need::Ready,
        Known::Pending => Need::Pending(None),
        Known::Impossible { root_causes, cause, .. } => Need::Failed(Hopeless {
            root_causes: root_causes.iter().collect(),
            cause,
            missing: format!("input {name}"),
            is_late: false,
        }),
    }
}

fn depends_on(dependency: &Dependency, facts: &impl Facts, now: Timestamp) -> Need {
    match dependency.evaluate(facts, now) {
        Status::Ready => Need::Ready,
        Status::Pending { next } => Need::Pending(next),
        Status::Failed { root_causes } => {
            let mut causes = Vec::new();
            let evaluation = Evaluation { facts, now };
            evaluation.blame(dependency, false, &mut |blame| causes.push(blame.cause));
            let grounds = dependency.explain("depends_on", facts, now).grounds;
            let missing = grounds.first().map_or_else(
                || "depends_on, which can never hold".into(),
                |ground| format!("depends_on: {}", ground.message),
            );
            let cause = causes.into_iter().max().unwrap_or_default();
            let is_late = root_causes.is_empty();
            Need::Failed(Hopeless { root_causes, cause, missing, is_late })
        }
    }
}
