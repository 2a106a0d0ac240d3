//! Random expressions and policies.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Id, Millis,
    dependency::{Approval, EventPattern, HttpProbe, Timezone, Window},
    policy,
};

use super::World;

impl World {
    /// A random expression.
    pub(super) fn dependency(&mut self, earlier: &[Id], depth: u32) -> Dependency {
        let some = self.rng.pick(earlier).copied();
        let kind = self.rng.below(if depth < 2 { 15 } else { 8 });
        match (kind, some) {
            (0, Some(id)) => Dependency::Resource(id.derive("out", id.partition())),
            (1, Some(id)) => Dependency::Task(id),
            (2, Some(id)) => Dependency::Done(id),
            (3, Some(id)) => Dependency::Failed(id),
            (4, _) => Dependency::At(self.clock.wall().plus(self.span(1, 60_000).duration())),
            (5, _) => Dependency::Approval(Approval {
                name: "go".into(),
                count: 1 + self.rng.below(2) as u32,
                by: if self.rng.chance(50) { vec![] } else { vec!["ann".into(), "bob".into()] },
            }),
            (6, _) => Dependency::Event(EventPattern {
                type_: "SpecificationApplied".into(),
                id: None,
                labels: BTreeMap::new(),
            }),
            (8, _) => Dependency::Any(self.parts(earlier, depth)),
            (9, _) => Dependency::All(self.parts(earlier, depth)),
            (10, _) => {
                let of = self.parts(earlier, depth);
                Dependency::AtLeast { count: 1 + self.rng.below(of.len()) as u32, of }
            }
            (11, Some(id)) => {
                let part = self.dependency(earlier, 2);
                // That nothing does not hold is nothing that anybody can explain.
                let is_nothing = part.parts().is_some_and(<[_]>::is_empty);
                Dependency::Not(Box::new(if is_nothing { Dependency::Done(id) } else { part }))
            }
            (12, _) => Dependency::Within {
                time: self.span(1_000, 90_000),
                of: Box::new(self.dependency(earlier, depth + 1)),
            },
            (13, _) => Dependency::Http(HttpProbe {
                url: "http://elsewhere/".into(),
                expect: 200,
                every: Millis(10_000),
            }),
            (14, _) => Dependency::Window(Window {
                cron: "* * * * *".parse().expect("every minute"),
                duration: self.span(5_000, 40_000),
                timezone: Timezone::Utc,
            }),
            _ => Dependency::All(vec![]),
        }
    }

    fn parts(&mut self, earlier: &[Id], depth: u32) -> Vec<Dependency> {
        (0..=1 + self.rng.below(2)).map(|_| self.dependency(earlier, depth + 1)).collect()
    }

    /// A random policy.
    pub(super) fn policy(&mut self) -> policy::Definition {
        let mut limits = BTreeMap::new();
        for limit in 0..=self.rng.below(2) {
            let mut it = policy::Limit::default();
            match self.rng.below(4) {
                0 => it.specification = Some(self.specification().name),
                1 => it.label = Some("team".into()),
                2 => {
                    it.label = Some("team".into());
                    it.value = Some("red".into());
                }
                _ => it.key = "{specification}/{labels.team}".parse().ok(),
            }
            let is_rate = self.rng.chance(40);
            if is_rate {
                let count = 1 + self.rng.below(3) as u32;
                it.rate = Some(policy::Rate { count, per: self.span(1_000, 20_000) });
            }
            if !is_rate || self.rng.chance(30) {
                it.concurrency = Some(1 + self.rng.below(3) as u32);
            }
            limits.insert(format!("limit{limit}"), it);
        }
        let ageing =
            self.rng.chance(40).then(|| policy::Ageing { every: self.span(1_000, 30_000) });
        let fair_share = self.rng.chance(40).then(|| self.rng.chance(50));
        policy::Definition { description: String::new(), limits, ageing, fair_share }
    }
}
