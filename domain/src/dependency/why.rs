//! Why a task may run, may not yet, or never will.

use super::{
    Dependency, Explanation, Facts, Ground, How, Known, Needs, Readiness, Status, Trigger,
    TriggerRule, Triggered, Upstream,
    evaluate::Evaluation,
    needs::Need,
    trigger::{End, Ended},
};
use crate::{Id, Timestamp};

impl Needs {
    /// Why [`Needs::evaluate`] says what it says.
    pub fn explain(&self, facts: &impl Facts, now: Timestamp) -> Explanation {
        let inputs = self.required().map(|(name, id)| {
            Dependency::Resource(id).explain(&format!("input {name}"), facts, now)
        });
        let when = self.when.iter().map(|when| self.explain_trigger(when, facts, now));
        let depends_on = self.depends_on.iter().map(|it| it.explain("depends_on", facts, now));
        let parts: Vec<Explanation> = inputs.chain(when).chain(depends_on).collect();
        let status = match self.evaluate(facts, now) {
            Readiness::Pending { next } => Status::Pending { next },
            Readiness::Ready { .. } => Status::Ready,
            Readiness::Failed(hopeless) => Status::Failed { root_causes: hopeless.root_causes },
        };
        let is_failed = |part: &Explanation| matches!(part.status, Status::Failed { .. });
        let alike = |part: &Explanation| part.status.name() == status.name();
        let failed = parts.iter().filter(|part| is_failed(part));
        // One is enough; and if it is ruled out already, that is why.
        let grounds = match failed.min_by_key(|part| part.grounds.len()) {
            Some(first) => first.grounds.clone(),
            None => parts.into_iter().filter(alike).flat_map(|part| part.grounds).collect(),
        };
        Explanation { status, grounds }
    }

    fn explain_trigger(&self, when: &Trigger, facts: &impl Facts, now: Timestamp) -> Explanation {
        let ends = self.ends(when, facts);
        let triggered = when.rule.holds(Trigger::counts(&ends));
        let is_any = matches!(when.rule, TriggerRule::AnyOk | TriggerRule::AnyFailed);
        let matters = |ended: &Ended| match triggered {
            Triggered::Pending => ended.end == End::Pending,
            Triggered::Ready => ended.end != End::Pending && !when.contradicts(ended),
            Triggered::Never => when.contradicts(ended),
        };
        let evaluation = Evaluation { facts, now };
        let mut grounds: Vec<Ground> = ends
            .iter()
            .zip(&when.upstream)
            .filter(|(ended, _)| matters(ended))
            .map(|(_, upstream)| self.ground_of(when.rule, upstream, &evaluation))
            .collect();
        let all = grounds.len();
        match triggered {
            Triggered::Pending if is_any && all > 1 => {
                for ground in &mut grounds {
                    ground.one_of = Some((1, all));
                }
            }
            Triggered::Ready if is_any => grounds.truncate(1),
            Triggered::Never if !is_any => grounds.truncate(1),
            _ => {}
        }
        let status = match self.triggered(when, facts) {
            Need::Pending(next) => Status::Pending { next },
            Need::Ready => Status::Ready,
            Need::Failed(hopeless) => Status::Failed { root_causes: hopeless.root_causes },
        };
        Explanation { status, grounds }
    }

    /// The fact about a task before this one: its end, or an input that it has not handed over.
    fn ground_of<F: Facts>(
        &self,
        rule: TriggerRule,
        upstream: &Upstream,
        evaluation: &Evaluation<'_, F>,
    ) -> Ground {
        let ending = evaluation.facts.task(upstream.task);
        let is_ok = ending.is_some_and(|ending| ending.how == How::Ok);
        let is_open = |id: &Id| !matches!(evaluation.facts.resource(*id), Known::Holds { .. });
        let mut inputs = self.inputs.iter().filter(|(name, _)| upstream.inputs.contains(name));
        if let Some((name, id)) = inputs.find(|(_, id)| is_ok && is_open(id)) {
            let ground = evaluation.ground(&Dependency::Resource(*id), false);
            return Ground { name: format!("input {name}"), ..ground };
        }
        let task = upstream.task;
        let (leaf, negated) = match rule {
            TriggerRule::AllOk | TriggerRule::AnyOk => (Dependency::Task(task), false),
            TriggerRule::AllDone => (Dependency::Done(task), false),
            TriggerRule::AnyFailed | TriggerRule::AllFailed => (Dependency::Failed(task), false),
            TriggerRule::NoneFailed => (Dependency::Failed(task), true),
        };
        Ground { name: format!("when: {}", rule.name()), ..evaluation.ground(&leaf, negated) }
    }
}
