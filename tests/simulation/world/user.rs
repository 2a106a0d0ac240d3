//! What people order, at any time and in any order.

use kantoku_domain::{
    Datum, Dependency, Envelope, Id, Kind, Type, context, namespace, policy, resource,
    specification, task,
};

use super::{
    World,
    op::{Op, Order, Owner, Then, Work},
    pipeline::{PEOPLE, SPECIFICATIONS, definition, name},
};
use crate::judge::{Entry, Life};

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
        let menu = [room, cancels, pauses, restarts, weather.policies, 3, 3, 1, 1, 2];
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
            Some(8) => self.order_task(),
            _ => self.order_label(),
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

    pub(super) fn some_task(&mut self, is_meant: impl Fn(&Entry) -> bool) -> Option<(Id, Id)> {
        let tasks = self.judge.tasks.iter().filter(|(_, entry)| is_meant(entry));
        let tasks: Vec<_> = tasks.map(|(id, entry)| (*id, entry.spawned.context_id)).collect();
        self.rng.pick(&tasks).copied()
    }

    pub(super) fn some_context(&mut self) -> Id {
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

    /// Whatever the task is, and whatever it goes through meanwhile.
    fn order_label(&mut self) {
        let Some((id, context_id)) = self.some_task(|_| true) else { return };
        let value = PEOPLE[self.rng.below(PEOPLE.len())].to_owned();
        let set = [("owner".to_owned(), value)].into();
        let label = task::Label { set, overwrite: true, ..task::Label::default() };
        self.order(Order::Task(task::Command::Label(label)), id, context_id);
    }

    fn order_value(&mut self) {
        let id = self.resources[self.rng.below(self.resources.len())];
        let command = resource::Command::Initialize(Datum::Value(1.into()));
        self.order(Order::Resource(command), id, id);
    }
}
