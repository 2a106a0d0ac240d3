//! Something happens: a command drawn by lot, to whom it may concern.

use std::collections::BTreeMap;

use kantoku_domain::{
    Aggregate as _, Datum, Event, Id, Kind, Millis, Namespace, Task, context,
    dependency::Cause,
    namespace, policy,
    restart::{Graph, Node, OutputPolicy, Request, Target, Unfolding, VersionPolicy, plan},
    specification,
    task::{
        self, Approved, Cancel, Child, Command, Expire, Failure, Label, Received, Revived, Skipped,
        Status, Success, Template,
    },
};
use serde_json::json;

use super::{Restart, World};
use crate::given::derived;

impl World {
    /// Something happens, or is refused.
    pub(crate) fn act(&mut self) {
        let ids: Vec<Id> = self.tasks.keys().copied().collect();
        match self.lot.below(40) {
            0..=6 => self.unfold(),
            35..=39 => self.carry_out(),
            34 => self.order_context(),
            33 => self.order_others(),
            32 => self.restart_context(),
            lot => {
                if let Some(id) = self.lot.one(&ids) {
                    self.act_on(id, lot);
                }
            }
        }
    }

    /// Something that was named comes to be, and is stopped where an order to stop reaches it.
    fn unfold(&mut self) {
        let absent = |id: &&Id| self.tasks.get(id).is_none_or(|(task, _)| task.spawned.is_none());
        let named: Vec<Id> = self.named.keys().filter(absent).copied().collect();
        let Some(id) = self.lot.one(&named) else { return };
        let spawned = self.named[&id].spawned.clone();
        self.send(id, &Command::Spawn(spawned));
        if self.is_stopped(id) {
            self.send(id, &Command::Cancel(Cancel::because("enough")));
        }
    }

    fn act_on(&mut self, id: Id, lot: usize) {
        let task = self.tasks[&id].0.clone();
        let is_reuse = self.lot.is_one_in(2);
        match (lot, task.status) {
            (7..=20, Status::Initialized) => self.begin(id, &task),
            (7..=17, Status::Received) => self.end(id, task.attempt),
            (18..=19, Status::Received) => {
                let error = Failure::new("exit", "no", true);
                self.send(id, &Command::Fail { attempt: task.attempt, error });
            }
            (7..=20, status) if status.is_terminal() => {
                let outputs = if is_reuse { OutputPolicy::Reuse } else { OutputPolicy::Reallocate };
                let reason = "again".into();
                let restart = task::Restart { outputs, reason, ..task::Restart::default() };
                if lot < 12 {
                    self.send(id, &Command::Restart(Box::new(restart)));
                } else {
                    self.revive(id, &task);
                }
            }
            (21..=22, _) => self.skip(id),
            (23, _) => {
                self.send(id, &Command::Expire(Expire::Total { round: task.round }));
            }
            (24..=25, _) => {
                self.send(id, &Command::Cancel(Cancel::because("enough")));
            }
            (26..=27, _) => {
                self.send(id, &Command::Pause { reason: "wait".into() });
            }
            (28..=29, _) => {
                self.send(id, &Command::Resume);
            }
            (30, _) => {
                let value = self.lot.below(3).to_string();
                let set = [("triage".to_owned(), value)].into();
                let label = Label { set, overwrite: true, ..Label::default() };
                let remove = ["triage".to_owned()].into();
                let unlabel = Label { remove, ..Label::default() };
                let label = if is_reuse { label } else { unlabel };
                self.send(id, &Command::Label(label));
            }
            (_, _) => {
                let by = format!("person {}", self.lot.below(3));
                self.send(id, &Command::Approve(Approved { name: "go".into(), by }));
            }
        }
    }

    /// An attempt is announced, perhaps twice, and perhaps claimed.
    fn begin(&mut self, id: Id, task: &Task) {
        let (attempt, round) = (task.attempt + 1, task.round);
        if task.paused.is_none() {
            let (guard, inputs) = (self.tasks[&id].1, BTreeMap::new());
            let ready = task::Ready { task_id: id, attempt, guard, round, inputs };
            let envelope = self.envelope(id);
            self.push(Event::TaskReady(ready), &envelope);
            self.announced.insert(id);
        }
        if self.lot.is_one_in(3) {
            return;
        }
        let (node, boot_id) = ("node-1".into(), derived(self.context_id, "boot"));
        let received = Received { attempt, node, boot_id, ready_seq: 1, round };
        self.send(id, &Command::Receive(received));
    }

    fn end(&mut self, id: Id, attempt: u32) {
        let out = || BTreeMap::from([("out".to_owned(), Datum::Value(json!(attempt)))]);
        let children = (0..self.lot.below(3)).map(|n| {
            let template = Template {
                specification: self.named[&id].spawned.specification.clone(),
                inputs: BTreeMap::new(),
                outputs: Self::output_type(),
                queue: "default".into(),
                labels: BTreeMap::new(),
                retry: self.named[&id].spawned.retry.clone(),
                timeouts: self.named[&id].spawned.timeouts.clone(),
            };
            Child { key: format!("child {n}"), template }
        });
        let children: Vec<Child> = children.collect();
        let success = if children.is_empty() || self.lot.is_one_in(3) {
            Success { outputs: out(), children, ..Success::default() }
        } else {
            let delegate =
                BTreeMap::from([("out".to_owned(), ("child 0".to_owned(), "out".to_owned()))]);
            Success { children, delegate, ..Success::default() }
        };
        self.send(id, &Command::Finish { attempt, success: Box::new(success) });
    }

    fn skip(&mut self, id: Id) {
        let others: Vec<Id> = self.tasks.keys().copied().collect();
        let one = |world: &mut Self| world.lot.one(&others).unwrap_or(id);
        let (root_cause, others) = (one(self), vec![one(self)]);
        let cause = if self.lot.is_one_in(2) { Cause::Rule } else { Cause::Failure };
        let skipped = Skipped { root_cause, others, cause, missing: "input in".into() };
        self.send(id, &Command::Skip(skipped));
    }

    fn revive(&mut self, id: Id, task: &Task) {
        let causes: Vec<Id> = task.skipped.iter().flat_map(Skipped::causes).collect();
        for root_cause in causes {
            let restarted_as = self.tasks.get(&root_cause).and_then(|(task, _)| task.restarted_as);
            if let Some(restarted_as) = restarted_as {
                self.send(id, &Command::Revive(Revived { root_cause, restarted_as }));
            }
        }
    }

    fn order_context(&mut self) {
        let reason = "enough".to_owned();
        let command = match self.lot.below(6) {
            0 => context::Command::Cancel { reason },
            1..=2 => context::Command::Pause { reason },
            _ => context::Command::Resume,
        };
        self.send_to_context(&command);
    }

    pub(super) fn send_to_context(&mut self, command: &context::Command) {
        let envelope = self.envelope(self.context_id);
        let Ok(Some(event)) = self.context.decide(command, &envelope) else { return };
        self.context.evolve(&event);
        let seq = self.push(event.clone(), &envelope);
        match event {
            Event::ContextCancelled(_) => {
                self.stopped_at = seq;
                let before: Vec<Id> =
                    self.tasks.keys().copied().filter(|id| self.is_stopped(*id)).collect();
                for id in before {
                    self.send(id, &Command::Cancel(Cancel::because("enough")));
                }
            }
            Event::ContextRestarted(restarted) => {
                let (id, results) = (restarted.id, restarted.results.clone());
                let unfolding = Unfolding::new(restarted);
                self.restarts.push(Restart { id, seq, unfolding, results });
            }
            _ => {}
        }
    }

    fn restart_context(&mut self) {
        let node = |(id, (task, position)): (&Id, &(Task, u64))| {
            Some((*id, Node::of(*id, *position, task)?))
        };
        let graph = Graph {
            context_id: self.context_id,
            nodes: self.tasks.iter().filter_map(node).collect(),
            outputs: self.outputs.clone(),
            cancelled: self.context.cancelled,
        };
        let outputs =
            if self.lot.is_one_in(2) { OutputPolicy::Reuse } else { OutputPolicy::Reallocate };
        let target = if self.lot.is_one_in(2) { Target::Failed } else { Target::All };
        let (version, specifications) = (VersionPolicy::Same, BTreeMap::new());
        let request = Request { target, outputs, version, specifications, now: self.now() };
        if let Ok(plan) = plan(&graph, &request) {
            let restart = context::Restart { plan, reason: "again".into(), by: None };
            self.send_to_context(&context::Command::Restart(Box::new(restart)));
        }
    }

    /// One step of a restart, or its end.
    fn carry_out(&mut self) {
        if self.restarts.is_empty() {
            return;
        }
        let place = self.lot.below(self.restarts.len());
        let unfolding = &mut self.restarts[place].unfolding;
        if let Some(command) = unfolding.settled() {
            let restart = self.restarts.remove(place);
            if let context::Command::SettleRestart(settled) = &command
                && settled.superseded.is_empty()
            {
                for (name, id) in &restart.results {
                    assert_eq!(self.outputs[name], *id, "as the plan said");
                }
            }
            return self.send_to_context(&command);
        }
        let step = unfolding.next(1)[0].task_id;
        let (task, position) = self.tasks[&step].clone();
        let Some(command) = unfolding.look(step, position, &task, None) else { return };
        let envelope = self.envelope(step);
        if let Err(rejection) = task.decide(&command, &envelope) {
            self.restarts[place].unfolding.refused(step, &rejection);
        } else {
            self.send(step, &command);
        }
    }

    /// Something is ordered for all tasks of a specification, or of the namespace.
    fn order_others(&mut self) {
        let reason = "wait".to_owned();
        let namespace_id = Id::named(&Namespace::default(), Kind::Namespace, "default");
        let policy_id = Id::named(&Namespace::default(), Kind::Policy, "limits");
        let mut specification = std::mem::take(&mut self.specification);
        let mut namespace = std::mem::take(&mut self.namespace);
        let mut policy = std::mem::take(&mut self.policy);
        match self.lot.below(7) {
            0 => self.decide(
                &mut specification,
                Self::specification_id(),
                &specification::Command::Pause { reason },
            ),
            1 => self.decide(
                &mut specification,
                Self::specification_id(),
                &specification::Command::Resume,
            ),
            2 => self.decide(&mut namespace, namespace_id, &namespace::Command::Pause { reason }),
            3 => self.decide(&mut namespace, namespace_id, &namespace::Command::Resume),
            4 => self.decide(&mut policy, policy_id, &policy::Command::Delete),
            _ => {
                let every = Millis(self.lot.below(1_000) as u64);
                let definition = policy::Definition {
                    ageing: Some(policy::Ageing { every }),
                    ..policy::Definition::default()
                };
                let (name, definition) = ("limits".parse().unwrap(), Box::new(definition));
                self.decide(&mut policy, policy_id, &policy::Command::Apply { name, definition });
            }
        }
        (self.specification, self.namespace, self.policy) = (specification, namespace, policy);
    }

    /// Whether an order to stop all of the context reaches a task.
    pub(super) fn is_stopped(&self, id: Id) -> bool {
        self.named[&id].origin < self.stopped_at
    }
}
