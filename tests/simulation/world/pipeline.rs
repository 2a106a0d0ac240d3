//! Random pipelines, children and policies.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Dependency, Executable, Id, Millis, Name, RetryPolicy, Source, Timeouts, TriggerRule,
    Type, context,
    dependency::{Approval, EventPattern, HttpProbe, Timezone, Trigger, Upstream, Window},
    policy, specification,
    task::{Child, Output, Planned, Spawned, SpecificationRef, Template},
};

use super::World;

/// The specifications that all tasks are of.
pub(super) const SPECIFICATIONS: [&str; 3] = ["fetch", "words", "top"];
const TEAMS: [&str; 2] = ["red", "blue"];
const INPUTS: [&str; 3] = ["a", "b", "c"];
/// Who may approve.
pub(super) const PEOPLE: [&str; 3] = ["ann", "bob", "eve"];

pub(super) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// What a specification says; each edition has one more output than the one before.
pub(super) fn definition(edition: usize) -> specification::Definition {
    let number = || Type::Optional(Box::new(Type::Number));
    let more = (0..edition).map(|edition| (format!("more{edition}"), number()));
    specification::Definition {
        description: String::new(),
        inputs: INPUTS.iter().map(|input| ((*input).to_owned(), number())).collect(),
        outputs: [("out".to_owned(), Type::Number)].into_iter().chain(more).collect(),
        executable: Executable::Noop,
        queue: "default".into(),
        retry: RetryPolicy::default(),
        timeouts: Timeouts::default(),
    }
}

impl World {
    fn specification(&mut self) -> SpecificationRef {
        let text = SPECIFICATIONS[self.rng.below(SPECIFICATIONS.len())];
        let id = super::named(kantoku_domain::Kind::Specification, text);
        let known = self.ledger.specifications.get(&id).and_then(|it| it.state.versions.first());
        let unknown = || SpecificationRef { name: name(text), version: 1, digest: String::new() };
        known.map_or_else(unknown, specification::Applied::reference)
    }

    fn labels(&mut self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        if self.rng.chance(60) {
            let team = TEAMS[self.rng.below(TEAMS.len())];
            labels.insert("team".to_owned(), team.to_owned());
        }
        labels
    }

    fn retry(&mut self) -> RetryPolicy {
        RetryPolicy {
            attempts: 1 + self.rng.below(3) as u32,
            backoff: Millis(self.rng.between(0, 2_000)),
            losses_max: self.rng.below(4) as u32,
            ..RetryPolicy::default()
        }
    }

    fn timeouts(&mut self) -> Timeouts {
        let mut some = |percent, millis| self.rng.chance(percent).then_some(Millis(millis));
        Timeouts {
            queue: some(15, 30_000),
            attempt: some(30, 20_000),
            total: some(15, 120_000),
            grace: None,
        }
    }

    /// A pipeline in the context.
    pub(super) fn pipeline(&mut self, context_id: Id) -> context::Opened {
        let steps = 1 + self.rng.below(self.weather.steps);
        let task_id =
            |step: usize| context_id.derive(&format!("step:{step}"), context_id.partition());
        let mut plan: Vec<Planned> = Vec::with_capacity(steps);
        for step in 0..steps {
            let id = task_id(step);
            let earlier: Vec<Id> = plan.iter().map(|planned| planned.id).collect();
            let task = self.spawn_of(id, step, context_id, &earlier);
            plan.push(Planned { id, task });
        }
        let last = plan.last().and_then(|last| last.task.outputs.get("out")).map(|out| out.id);
        context::Opened {
            pipeline: context::PipelineRef {
                name: name("pipeline"),
                version: 1,
                digest: "sha256:1".into(),
            },
            params: BTreeMap::new(),
            plan,
            outputs: last.map(|id| ("out".to_owned(), id)).into_iter().collect(),
            labels: BTreeMap::new(),
        }
    }

    /// A task that reads from and comes after some of those before.
    pub(super) fn spawn_of(
        &mut self,
        id: Id,
        step: usize,
        context_id: Id,
        earlier: &[Id],
    ) -> Spawned {
        let partition = context_id.partition();
        let mut inputs = BTreeMap::new();
        let mut upstream: BTreeMap<Id, Vec<String>> = BTreeMap::new();
        for input in INPUTS.iter().take(self.rng.below(INPUTS.len() + 1)) {
            let from = self.rng.pick(earlier).copied();
            let source = match from {
                Some(from) => {
                    upstream.entry(from).or_default().push((*input).to_owned());
                    Source::Resource(from.derive("out", partition))
                }
                None => match self.rng.pick(&self.resources).copied() {
                    Some(resource) if self.rng.chance(25) => Source::Resource(resource),
                    _ => Source::Value(1.into()),
                },
            };
            let type_ = Type::Optional(Box::new(Type::Number));
            let binding = Binding { source, type_, map: None, names: vec![] };
            inputs.insert((*input).to_owned(), binding);
        }
        if let Some(after) = self.rng.pick(earlier).copied().filter(|_| self.rng.chance(40)) {
            upstream.entry(after).or_default();
        }
        let rule = match self.rng.below(10) {
            0 => TriggerRule::AllDone,
            1 => TriggerRule::AnyOk,
            2 => TriggerRule::AnyFailed,
            3 => TriggerRule::AllFailed,
            4 => TriggerRule::NoneFailed,
            _ => TriggerRule::AllOk,
        };
        let mut parts = Vec::new();
        let mut when = None;
        if rule == TriggerRule::AllOk || upstream.is_empty() {
            let alone = upstream.iter().filter(|(_, inputs)| inputs.is_empty());
            parts.extend(alone.map(|(task, _)| Dependency::Task(*task)));
        } else {
            let upstream = upstream.into_iter().map(|(task, inputs)| Upstream { task, inputs });
            when = Some(Trigger { rule, upstream: upstream.collect() });
        }
        if self.rng.chance(30) {
            let dependency = self.dependency(earlier, 0);
            parts.push(dependency);
        }
        Spawned {
            step: Some(step.to_string()),
            specification: self.specification(),
            inputs,
            outputs: [(
                "out".into(),
                Output { id: id.derive("out", partition), type_: Type::Number },
            )]
            .into(),
            depends_on: (!parts.is_empty()).then_some(Dependency::All(parts)),
            when,
            context_id,
            parent_id: None,
            restart_root: None,
            restart_parent: None,
            queue: if self.rng.chance(80) { "default" } else { "gpu" }.into(),
            shard_key: None,
            priority: self.rng.below(3) as i32,
            labels: self.labels(),
            retry: self.retry(),
            timeouts: self.timeouts(),
        }
    }

    /// A random expression.
    fn dependency(&mut self, earlier: &[Id], depth: u32) -> Dependency {
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
            (11, Some(_)) => Dependency::Not(Box::new(self.dependency(earlier, 2))),
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

    fn span(&mut self, least: u64, most: u64) -> Millis {
        Millis(self.rng.between(least, most))
    }

    /// Children of a task, the first of which can take its output over.
    pub(super) fn children(&mut self, parent: &Spawned) -> Vec<Child> {
        let step = parent.step.clone().unwrap_or_default();
        (0..1 + self.rng.below(2))
            .map(|child| Child {
                key: format!("{step}/{child}"),
                template: Template {
                    specification: self.specification(),
                    inputs: BTreeMap::new(),
                    outputs: [("out".into(), Type::Number)].into(),
                    queue: "default".into(),
                    labels: self.labels(),
                    retry: self.retry(),
                    timeouts: self.timeouts(),
                },
            })
            .collect()
    }

    /// A random policy.
    pub(super) fn policy(&mut self) -> policy::Definition {
        let mut limits = BTreeMap::new();
        for limit in 0..1 + self.rng.below(2) {
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
