//! From a run that breaks an invariant to a shorter one that breaks the same.

use crate::run::{Outcome, Plan};

/// How many runs that may take.
const RUNS_MAX: usize = 600;

/// The shortest run that is found, and what came of it.
pub(crate) fn shrink(plan: &Plan) -> (Plan, Outcome) {
    let mut best = (plan.clone(), plan.run());
    let Some(violation) = best.1.violation.clone() else { return best };
    let mut runs = 0;
    let mut is_broken_by = |plan: &Plan| {
        runs += 1;
        let outcome = plan.run();
        let is_same =
            outcome.violation.as_ref().is_some_and(|it| it.invariant == violation.invariant);
        (is_same.then_some(outcome), runs < RUNS_MAX)
    };
    // As few steps as possible,
    let mut cut = best.0.steps / 2;
    best.0.steps = best.1.steps.len() as u64;
    while cut > 0 {
        let shorter = Plan { steps: best.0.steps.saturating_sub(cut), ..best.0.clone() };
        match is_broken_by(&shorter) {
            (Some(outcome), _) => best = (shorter, outcome),
            (None, _) => cut /= 2,
        }
    }
    // and of these, as few as possible.
    let mut size = (best.0.steps / 2).max(1);
    loop {
        let mut has_shrunk = false;
        let mut from = 0;
        while from < best.0.steps {
            let mut fewer = best.0.clone();
            let happened = (from..(from + size).min(best.0.steps)).filter(|step| {
                best.1.steps.get(*step as usize).is_some_and(|it| it.happened.is_some())
            });
            let before = fewer.left_out.len();
            fewer.left_out.extend(happened);
            from += size;
            if fewer.left_out.len() == before {
                continue;
            }
            let (outcome, goes_on) = is_broken_by(&fewer);
            if let Some(outcome) = outcome {
                best = (fewer, outcome);
                has_shrunk = true;
            }
            if !goes_on {
                return best;
            }
        }
        match size {
            1 if !has_shrunk => return best,
            1 => {}
            _ => size = (size / 2).max(1),
        }
    }
}
