//! Random pipelines, children and policies.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, Dependency, Executable, Id, Millis, Name, RetryPolicy, Source, Timeouts, TriggerRule,
    Type, context,
    dependency::{Trigger, Upstream},
    specification,
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
    pub(super) fn specification(&mut self) -> SpecificationRef {
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

    pub(super) fn span(&mut self, least: u64, most: u64) -> Millis {
        Millis(self.rng.between(least, most))
    }

    /// Children of a task, the first of which can take its output over.
    pub(super) fn children(&mut self, parent: &Spawned) -> Vec<Child> {
        let step = parent.step.clone().unwrap_or_default();
        (0..=self.rng.below(2))
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
}
