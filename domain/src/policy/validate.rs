//! What is wrong with a policy: all of it at once.

use super::{Definition, Limit, Rate};
use crate::Problem;

impl Definition {
    /// How many limits a policy may have.
    pub const LIMITS_MAX: usize = 1_000;

    /// The highest limit: more is no limit.
    pub const LIMIT_MAX: u32 = 100_000;

    /// The longest span of a rate, in milliseconds: what has started in it is remembered.
    pub const SPAN_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

    /// Every problem of the policy. Paths start with `path`.
    pub fn problems(&self, path: &[&str]) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.limits.len() > Self::LIMITS_MAX {
            let (found, max) = (self.limits.len(), Self::LIMITS_MAX);
            let message = format!("{found} limits are more than {max}");
            problems.push(Problem::new(&[path, &["limits"]].concat(), message));
        }
        for (name, limit) in &self.limits {
            limit.problems(&[path, &["limits", name]].concat(), &mut problems);
        }
        if self.ageing.is_some_and(|ageing| ageing.every.0 < 1_000) {
            let problem = Problem::new(
                &[path, &["ageing", "every"]].concat(),
                "priority grows at most every second",
            );
            problems.push(problem.suggest(Some("write every: 1m".into())));
        }
        problems
    }
}

impl Limit {
    fn problems(&self, path: &[&str], problems: &mut Vec<Problem>) {
        let mut add = |keys: &[&str], message: String, way_out: &str| {
            let problem = Problem::new(&[path, keys].concat(), message);
            problems.push(problem.suggest(Some(way_out.to_owned())));
        };
        let selectors = [self.specification.is_some(), self.label.is_some(), self.key.is_some()];
        let selectors = selectors.into_iter().filter(|it| *it).count();
        if selectors != 1 {
            add(
                &[],
                format!("a limit is about one thing, not {selectors}"),
                "write one of specification, label and key",
            );
        }
        if self.value.is_some() && self.label.is_none() {
            add(&["value"], "a value is the value of a label".into(), "write label, too");
        }
        if self.concurrency.is_none() && self.rate.is_none() {
            add(
                &[],
                "it limits nothing".into(),
                "write concurrency: 4, or rate: {count: 100, per: 1m}",
            );
        }
        let wrong = |count: u32| {
            let max = Definition::LIMIT_MAX;
            (count == 0 || count > max).then(|| format!("a limit is 1 to {max}, not {count}"))
        };
        let way_out = "to stop them all, pause them (ktk pause); to limit nothing, leave it out";
        if let Some(message) = self.concurrency.and_then(wrong) {
            add(&["concurrency"], message, way_out);
        }
        let Some(Rate { count, per }) = self.rate else { return };
        if let Some(message) = wrong(count) {
            add(&["rate", "count"], message, way_out);
        }
        if per.0 == 0 || per.0 > Definition::SPAN_MS_MAX {
            add(&["rate", "per"], format!("{per} is not 1ms to 1d"), "write per: 1m");
        }
    }
}
