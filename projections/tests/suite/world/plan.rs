//! What runs: tasks that wait for each other in every way there is.

use std::collections::BTreeMap;

use kantoku_domain::{
    Dependency, Event, Executable, Id, Millis, RetryPolicy, Timeouts, TriggerRule, Type,
    context::{Opened, PipelineRef},
    dependency::{Approval, EventPattern, HttpProbe, Trigger, Upstream},
    specification,
    task::{Output, Planned, Spawned},
};

use super::World;
use crate::given::{derived, spawned};

/// The specification of all tasks.
pub(super) const SPECIFICATION: &str = "text/words";

impl World {
    pub(super) fn open(&mut self) {
        let definition = specification::Definition {
            description: String::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::from([("out".to_owned(), Type::Unknown)]),
            executable: Executable::Noop,
            queue: "default".into(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        };
        let command = specification::Command::Apply {
            name: SPECIFICATION.parse().unwrap(),
            source: None,
            definition: Box::new(definition),
        };
        let mut specification = std::mem::take(&mut self.specification);
        self.decide(&mut specification, Self::specification_id(), &command);
        self.specification = specification;

        let plan = self.plan();
        let out = |step: &str| (step.to_owned(), derived(derived(self.context_id, step), "out"));
        let opened = Opened {
            pipeline: PipelineRef {
                name: "abc".parse().unwrap(),
                version: 1,
                digest: "sha256:1".into(),
            },
            params: BTreeMap::new(),
            plan: plan.clone(),
            outputs: BTreeMap::from([out("b"), out("d")]),
            labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        };
        self.outputs.clone_from(&opened.outputs);
        let envelope = self.envelope(self.context_id);
        let seq = self.push(Event::ContextOpened(opened), &envelope);
        for planned in &plan {
            self.name(planned, seq, envelope.at);
        }
    }

    fn plan(&self) -> Vec<Planned> {
        let context = self.context_id;
        let step = |step: &str| derived(context, step);
        let task = |name: &str, reads: &[(&str, &str)]| {
            let reads: Vec<_> =
                reads.iter().map(|(input, of)| (*input, derived(step(of), "out"))).collect();
            let mut task = spawned(context, step(name), name, &reads);
            task.retry = RetryPolicy { attempts: 2, backoff: Millis(1), ..task.retry };
            task.timeouts.total = Some(Millis(3_600_000));
            task
        };
        let depends_on = |name: &str, depends_on: Dependency| Spawned {
            depends_on: Some(depends_on),
            ..task(name, &[])
        };
        let go = Approval { name: "go".into(), count: 2, by: vec![] };
        let mut c = task("c", &[("in", "b")]);
        c.depends_on = Some(Dependency::All(vec![
            Dependency::Task(step("a")),
            Dependency::Approval(go.clone()),
        ]));
        let mut d = task("d", &[("in", "b"), ("other", "a")]);
        let upstream = vec![
            Upstream { task: step("b"), inputs: vec!["in".into()] },
            Upstream { task: step("c"), inputs: vec![] },
        ];
        d.when = Some(Trigger { rule: TriggerRule::AllDone, upstream: upstream.clone() });
        let mut e = task("e", &[("in", "b")]);
        e.when = Some(Trigger { rule: TriggerRule::AnyFailed, upstream });
        let resumed = |labels: &[&str]| {
            Dependency::Event(EventPattern {
                type_: "ContextResumed".into(),
                id: labels.is_empty().then_some(context),
                labels: labels.iter().map(|team| ("team".into(), (*team).into())).collect(),
            })
        };
        let late = |of| Dependency::Within { time: Millis(60), of: Box::new(of) };
        let probe = HttpProbe { url: "http://x".into(), expect: 200, every: Millis(1) };
        let any = vec![Dependency::Failed(step("a")), Dependency::Done(step("c"))];
        let tasks = [
            ("a", task("a", &[])),
            ("b", task("b", &[("in", "a")])),
            ("c", c),
            ("d", d),
            ("e", e),
            ("any", depends_on("any", Dependency::Any(any))),
            ("not", depends_on("not", Dependency::Not(Box::new(Dependency::Task(step("a")))))),
            ("late", depends_on("late", late(Dependency::Task(step("b"))))),
            ("asked", depends_on("asked", late(Dependency::Approval(go)))),
            ("event", depends_on("event", Dependency::All(vec![resumed(&[]), resumed(&["a"])]))),
            ("never", depends_on("never", resumed(&["b"]))),
            ("probe", depends_on("probe", Dependency::Http(probe))),
        ];
        tasks.map(|(name, task)| Planned { id: step(name), task }).to_vec()
    }

    /// The resource that a child makes of its own.
    pub(super) fn output_type() -> BTreeMap<String, Type> {
        BTreeMap::from([("out".to_owned(), Type::Unknown)])
    }

    /// The resources that a task was to resolve.
    pub(super) fn outputs_of(spawned: &Spawned) -> impl Iterator<Item = Id> {
        spawned.outputs.values().map(|output: &Output| output.id)
    }
}
