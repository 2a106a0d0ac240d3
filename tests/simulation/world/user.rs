//! What people order, at any time and in any order.

use kantoku_domain::{
    Datum, Dependency, Envelope, Id, Kind, Type, context, namespace, policy, resource,
    restart::{self, Graph, Node, Order as Restart, OutputPolicy, Request, Target, VersionPolicy},
    specification, task,
};

use super::{
    World,
    op::{Op, Order, Owner, Then, Work},
    pipeline::{PEOPLE, SPECIFICATIONS, definition, name},
};
use crate::judge::{End, Entry, Life};

const POLICIES: [&str; 2] = ["limits", "rates"];

impl World {
    /// What there is before anything happens.
    pub(super) fn begin(&mut self) {
        self.is_calm = true;
        for text in SPECIFICATIONS {
            self.apply_specification(text, 0);
        }
        for index in 0..2 {
            let id = self.id(&format!("resource {index}"));
            self.resources.push(id);
            self.order(Order::Resource(resource::Command::Allocate(Type::Number)), id, id);
        }
        if self.weather.policies > 0 {
            self.order_policy();
        }
        while !self.ops.is_empty() {
            self.advance(0);
        }
        self.is_calm = false;
        self.open();
    }

    /// Sends a command, in a while.
    pub(super) fn order(&mut self, order: Order, id: Id, context_id: Id) {
        self.commands += 1;
        let envelope = Envelope {
            aggregate_id: id,
            command_id: self.id(&format!("command {}", self.commands)),
            at: self.clock.wall(),
            actor: "user".into(),
            service_id: "api".into(),
            causation_id: None,
            correlation_id: context_id,
        };
        let work = Work::Command { order, envelope, then: Then::Nothing };
        self.ops.push(Op::new(Owner::User, id, work));
    }

    fn apply_specification(&mut self, text: &str, edition: usize) {
        let id = super::named(Kind::Specification, text);
        let definition = Box::new(definition(edition));
        let command = specification::Command::Apply { name: name(text), source: None, definition };
        self.order(Order::Specification(command), id, id);
    }

    pub(super) fn open(&mut self) {
        let id = self.id(&format!("context {}", self.contexts.len()));
        self.contexts.push(id);
        let opened = Box::new(self.pipeline(id));
        self.order(Order::Context(context::Command::Open(opened)), id, id);
    }

    /// Something that people may want.
    pub(super) fn order_something(&mut self) {
        let weather = &self.weather;
        let room = if self.contexts.len() < weather.contexts { 6 } else { 0 };
        let (cancels, pauses, restarts) = (weather.cancels, weather.pauses, weather.restarts);
        let menu = [room, cancels, pauses, restarts, weather.policies, 3, 3, 1, 1];
        match self.rng.weighted(&menu) {
            Some(0) => self.open(),
            Some(1) => self.order_cancel(),
            Some(2) => self.order_pause(),
            Some(3) => self.order_restart(),
            Some(4) => self.order_policy(),
            Some(5) => self.order_approval(),
            Some(6) => self.order_value(),
            Some(7) => {
                let text = SPECIFICATIONS[self.rng.below(SPECIFICATIONS.len())];
                let edition = self.rng.below(3);
                self.apply_specification(text, edition);
            }
            _ => self.order_task(),
        }
    }

    /// A task alone.
    fn order_task(&mut self) {
        let id = self.id(&format!("task {}", self.commands));
        let context_id = self.id(&format!("context of task {}", self.commands));
        let spawned = Box::new(self.spawn_of(id, 0, context_id, &[]));
        self.order(Order::Task(task::Command::Spawn(spawned)), id, context_id);
        self.contexts.push(context_id);
    }

    fn some_task(&mut self, is_meant: impl Fn(&Entry) -> bool) -> Option<(Id, Id)> {
        let tasks = self.judge.tasks.iter().filter(|(_, entry)| is_meant(entry));
        let tasks: Vec<_> = tasks.map(|(id, entry)| (*id, entry.spawned.context_id)).collect();
        self.rng.pick(&tasks).copied()
    }

    fn some_context(&mut self) -> Id {
        let index = self.rng.below(self.contexts.len());
        self.contexts[index]
    }

    fn order_cancel(&mut self) {
        let reason = "enough".to_owned();
        if self.rng.chance(30) {
            let id = self.some_context();
            return self.order(Order::Context(context::Command::Cancel { reason }), id, id);
        }
        let is_any = self.rng.chance(30);
        let is_meant = |entry: &Entry| is_any || entry.is_live();
        let Some((id, context_id)) = self.some_task(is_meant) else { return };
        let mut cancel = task::Cancel::because(reason);
        if self.rng.chance(50) {
            cancel.dependents = self.graph(context_id).live_dependents(id);
        }
        self.order(Order::Task(task::Command::Cancel(cancel)), id, context_id);
    }

    /// Pauses something, or lets it go on.
    fn order_pause(&mut self) {
        let (pause, reason) = (self.rng.chance(50), "later".to_owned());
        match self.rng.below(4) {
            0 => {
                let is_meant = |entry: &Entry| entry.is_live() && entry.paused != pause;
                let Some((id, context_id)) = self.some_task(is_meant) else { return };
                let resume = task::Command::Resume;
                let command = if pause { task::Command::Pause { reason } } else { resume };
                self.order(Order::Task(command), id, context_id);
            }
            1 => {
                let id = self.some_context();
                let resume = context::Command::Resume;
                let command = if pause { context::Command::Pause { reason } } else { resume };
                self.order(Order::Context(command), id, id);
            }
            2 => {
                let text = SPECIFICATIONS[self.rng.below(SPECIFICATIONS.len())];
                let id = super::named(Kind::Specification, text);
                let resume = specification::Command::Resume;
                let command = if pause { specification::Command::Pause { reason } } else { resume };
                self.order(Order::Specification(command), id, id);
            }
            _ => {
                let id = super::named(Kind::Namespace, "default");
                let resume = namespace::Command::Resume;
                let command = if pause { namespace::Command::Pause { reason } } else { resume };
                self.order(Order::Namespace(command), id, id);
            }
        }
    }

    fn order_policy(&mut self) {
        let text = POLICIES[self.rng.below(POLICIES.len())];
        let id = super::named(Kind::Policy, text);
        let command = if self.rng.chance(75) {
            policy::Command::Apply { name: name(text), definition: Box::new(self.policy()) }
        } else {
            policy::Command::Delete
        };
        self.order(Order::Policy(command), id, id);
    }

    fn order_approval(&mut self) {
        let asks = |leaf: &Dependency| matches!(leaf, Dependency::Approval(_));
        let waits = |entry: &Entry| entry.life == Life::Waiting && entry.has(asks);
        let Some((id, context_id)) = self.some_task(waits) else { return };
        let by = PEOPLE[self.rng.below(PEOPLE.len())].to_owned();
        let approved = task::Approved { name: "go".into(), by };
        self.order(Order::Task(task::Command::Approve(approved)), id, context_id);
    }

    fn order_value(&mut self) {
        let id = self.resources[self.rng.below(self.resources.len())];
        let command = resource::Command::Initialize(Datum::Value(1.into()));
        self.order(Order::Resource(command), id, id);
    }

    /// A restart that nobody has planned: the task has to judge it alone.
    fn order_bare_restart(&mut self) {
        let Some((id, context_id)) = self.some_task(|_| true) else { return };
        let outputs =
            if self.rng.chance(70) { OutputPolicy::Reuse } else { OutputPolicy::Reallocate };
        let restart = task::Restart { outputs, reason: "again".into(), ..Default::default() };
        let command = task::Command::Restart(Box::new(restart));
        for _ in 0..=self.rng.below(2) {
            self.order(Order::Task(command.clone()), id, context_id);
        }
    }

    fn order_restart(&mut self) {
        if self.rng.chance(15) {
            return self.order_bare_restart();
        }
        let is_ok = self.rng.chance(30);
        let target = match self.rng.below(4) {
            0 => Target::All,
            1 => Target::Failed,
            of => {
                let is_any = self.rng.chance(20);
                let is_meant = |entry: &Entry| {
                    let is_over = !entry.is_live() && entry.restarted_as.is_none();
                    is_any || is_over && (entry.end() != Some(End::Ok) || is_ok)
                };
                let Some((id, _)) = self.some_task(is_meant) else { return };
                if of == 2 { Target::Task(id) } else { Target::From(id) }
            }
        };
        let context_id = match target {
            Target::Task(id) | Target::From(id) => self.judge.tasks[&id].spawned.context_id,
            Target::All | Target::Failed => self.some_context(),
        };
        let outputs =
            if self.rng.chance(60) { OutputPolicy::Reuse } else { OutputPolicy::Reallocate };
        let version = if self.rng.chance(80) { VersionPolicy::Same } else { VersionPolicy::Latest };
        let times = if self.rng.chance(20) { 3 } else { 1 };
        let Some(restart) = self.planned(context_id, target, outputs, version) else {
            return self.tally.count("a restart cannot be planned");
        };
        for _ in 0..times {
            self.order_planned(&restart, context_id);
        }
    }

    /// What would carry out such a restart, as things are.
    pub(super) fn planned(
        &self,
        context_id: Id,
        target: Target,
        outputs: OutputPolicy,
        version: VersionPolicy,
    ) -> Option<Restart> {
        let (plan, specifications) = self.plan(context_id, target, outputs, version)?;
        Some(plan.order("again", None, &specifications))
    }

    pub(super) fn plan(
        &self,
        context_id: Id,
        target: Target,
        outputs: OutputPolicy,
        version: VersionPolicy,
    ) -> Option<(restart::Plan, kantoku_domain::plan::Specifications)> {
        let latest = self.ledger.specifications.values().filter_map(|it| it.state.latest());
        let specifications: kantoku_domain::plan::Specifications =
            latest.map(|applied| (applied.name.clone(), applied.clone())).collect();
        let request = Request {
            target,
            outputs,
            version,
            specifications: specifications.clone(),
            now: self.clock.wall(),
        };
        let plan = restart::plan(&self.graph(context_id), &request).ok()?;
        Some((plan, specifications))
    }

    pub(super) fn order_planned(&mut self, restart: &Restart, context_id: Id) {
        match restart.clone() {
            Restart::Task(id, command) => self.order(Order::Task(command), id, context_id),
            Restart::Context(id, command) => self.order(Order::Context(command), id, context_id),
        }
    }

    /// The tasks of a context, as a read model shows them: those that are planned included.
    pub(super) fn graph(&self, context_id: Id) -> Graph {
        let context = self.judge.contexts.get(&context_id);
        let tasks = context.into_iter().flat_map(|context| &context.tasks);
        let spawned = tasks.filter_map(|id| {
            let loaded = self.ledger.tasks.get(id)?;
            Some((*id, Node::of(*id, loaded.stream_seq, &loaded.state)?))
        });
        let named = self.judge.named.iter();
        let named = named.filter(|(_, named)| named.spawned.context_id == context_id);
        let planned = named.map(|(id, named)| {
            let node = Node {
                id: *id,
                position: 0,
                spawned: Box::new((*named.spawned).clone()),
                status: task::Status::Absent,
                outcome: None,
                skipped: None,
                delegated: [].into(),
                restarted_as: None,
            };
            (*id, node)
        });
        Graph {
            context_id,
            nodes: spawned.chain(planned).collect(),
            outputs: context.map(|context| context.outputs.clone()).unwrap_or_default(),
            cancelled: self.ledger.contexts.get(&context_id).is_some_and(|it| it.state.cancelled),
        }
    }
}
