//! A small world in memory: the rules, a scheduler, an executor and an unfolder over one context,
//! taking turns in any order. Everything that handlers do with commands, and nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kantoku_domain::{
    Aggregate, Context, Datum, Decision, Envelope, Event, Id, Rejection, Task, Timestamp, Type,
    context,
    dependency::{Cause, Ending, Facts, How, Known, Needs, Readiness},
    restart::{Graph, Node, Order, OutputPolicy, Unfolding},
    task::{
        Cancel, Child, Command, Delegation, Failure, Outcome, Planned, Received, Revived, Spawned,
        Status, Success, Template,
    },
};

use crate::scenario::{envelope, spawned, uuid_like::id};

#[derive(Default)]
pub(crate) struct World {
    seq: u64,
    pub(crate) tasks: BTreeMap<Id, (Task, u64)>,
    pub(crate) context: Context,
    pub(crate) outputs: BTreeMap<String, Id>,
    /// Who is to resolve each resource, and whether somebody has.
    custodians: BTreeMap<Id, Id>,
    pub(crate) resolved: BTreeMap<Id, u32>,
    /// What events name and is not done yet.
    named: VecDeque<(Id, Command)>,
    /// What the scheduler has decided and not sent yet.
    decided: Vec<(Id, Command)>,
    unfolding: Vec<Unfolding>,
    pub(crate) settled: Vec<context::RestartSettled>,
    /// Steps that fail, by name.
    pub(crate) failing: BTreeSet<String>,
    /// Steps that pass their output to a child.
    pub(crate) delegating: BTreeSet<String>,
}

pub(crate) fn context_id() -> Id {
    id(1)
}

pub(crate) fn step_id(step: &str) -> Id {
    context_id().derive(&format!("step:{step}"), context_id().partition())
}

pub(crate) fn output_of(task: Id) -> Id {
    task.derive("out", context_id().partition())
}

impl World {
    pub(crate) fn new(failing: &[&str], delegating: &[&str]) -> Self {
        let names = |steps: &[&str]| steps.iter().map(ToString::to_string).collect();
        Self { failing: names(failing), delegating: names(delegating), ..Self::default() }
    }

    pub(crate) fn name(&mut self, task: Planned) {
        for output in task.task.outputs.values() {
            self.custodians.insert(output.id, task.id);
        }
        self.named.push_back((task.id, Command::Spawn(Box::new(task.task))));
    }

    pub(crate) fn task(&self, id: Id) -> &Task {
        &self.tasks[&id].0
    }

    pub(crate) fn position(&self, id: Id) -> u64 {
        self.tasks[&id].1
    }

    fn envelope(&self, aggregate_id: Id) -> Envelope {
        Envelope { aggregate_id, ..envelope(self.seq + 1) }
    }

    /// Decides and appends; every command is sent twice.
    pub(crate) fn send(&mut self, id: Id, command: &Command) -> Decision {
        let envelope = self.envelope(id);
        let (task, position) = self.tasks.entry(id).or_default();
        let decision = task.decide(command, &envelope);
        if let Ok(Some(event)) = &decision {
            let before = task.custody.clone();
            task.evolve(event);
            assert_eq!(task.decide(command, &envelope), Ok(None), "twice: {command:?}");
            self.seq += 1;
            *position = self.seq;
            self.happened(id, event, &before);
        }
        decision
    }

    pub(crate) fn send_to_context(
        &mut self,
        command: &context::Command,
    ) -> Result<Option<Event>, Rejection> {
        let envelope = self.envelope(context_id());
        let event = self.context.decide(command, &envelope)?;
        if let Some(event) = &event {
            self.context.evolve(event);
            assert_eq!(self.context.decide(command, &envelope), Ok(None), "twice: {command:?}");
            self.seq += 1;
            match event {
                Event::ContextRestarted(restarted) => {
                    self.outputs.extend(restarted.results.clone());
                    self.unfolding.push(Unfolding::new(restarted.clone()));
                }
                Event::ContextRestartSettled(settled) => self.settled.push(settled.clone()),
                _ => {}
            }
        }
        Ok(event)
    }

    pub(crate) fn order(&mut self, order: &Order) -> Result<Option<Event>, Rejection> {
        match order {
            Order::Task(id, command) => self.send(*id, command),
            Order::Context(_, command) => self.send_to_context(command),
        }
    }

    fn happened(&mut self, id: Id, event: &Event, custody: &BTreeMap<String, Id>) {
        match event {
            Event::TaskFinished(finished) => {
                for name in finished.outputs.keys() {
                    let resource = custody[name];
                    assert_eq!(self.custodians[&resource], id, "only the custodian resolves");
                    let times = self.resolved.entry(resource).or_default();
                    *times += 1;
                    assert_eq!(*times, 1, "an output was resolved twice");
                }
                for child in &finished.children {
                    self.name(child.clone());
                }
                for (name, Delegation { child, .. }) in &finished.delegated {
                    assert_eq!(self.custodians[&custody[name]], *child);
                }
            }
            Event::TaskRestarted(restarted) => {
                if restarted.outputs == OutputPolicy::Reuse {
                    let passed: BTreeMap<_, _> = restarted
                        .successor
                        .task
                        .outputs
                        .iter()
                        .map(|(name, output)| (name.clone(), output.id))
                        .collect();
                    assert_eq!(passed, *custody, "just what it held passes on");
                }
                let successor = restarted.successor.clone();
                let revived = Revived { root_cause: id, restarted_as: successor.id };
                self.name(successor);
                for revival in &restarted.revive {
                    self.named.push_back((revival.task_id, Command::Revive(revived)));
                }
                for child in &restarted.children {
                    let cancel = Cancel::because("its parent was restarted");
                    self.named.push_back((self.head(*child), Command::Cancel(cancel)));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn head(&self, id: Id) -> Id {
        let mut head = id;
        while let Some(next) = self.tasks.get(&head).and_then(|(task, _)| task.restarted_as) {
            head = next;
        }
        head
    }

    /// Takes turns until nothing is left to do; `choose` says whose turn it is.
    pub(crate) fn run(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        for _ in 0..20_000 {
            let turns = self.turns();
            if turns.is_empty() {
                return;
            }
            let turn = turns[choose(turns.len()) % turns.len()];
            self.take(turn);
        }
        panic!("it does not come to rest");
    }

    /// Takes at most `count` turns.
    pub(crate) fn run_some(&mut self, count: usize, choose: &mut dyn FnMut(usize) -> usize) {
        for _ in 0..count {
            let turns = self.turns();
            if turns.is_empty() {
                return;
            }
            self.take(turns[choose(turns.len()) % turns.len()]);
        }
    }

    fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        turns.extend((!self.named.is_empty()).then_some(Turn::Unfold));
        turns.extend((0..self.decided.len()).map(Turn::Decided));
        turns.extend((0..self.unfolding.len()).map(Turn::Restart));
        for (id, (task, _)) in &self.tasks {
            match task.status {
                Status::Initialized => {
                    let is_decided = self.decided.iter().any(|(other, _)| other == id);
                    let is_pending = || matches!(self.readiness(*id), Readiness::Pending { .. });
                    if !is_decided && !is_pending() {
                        turns.push(Turn::Schedule(*id));
                    }
                }
                Status::Received => turns.push(Turn::Finish(*id)),
                Status::Skipped if task.restarted_as.is_none() && self.revival(*id).is_some() => {
                    turns.push(Turn::Revive(*id));
                }
                _ => {}
            }
        }
        turns
    }

    fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Unfold => {
                let (id, command) = self.named.pop_front().expect("a turn");
                // A task that has ended has no need to be cancelled, and so on.
                drop(self.send(id, &command));
            }
            Turn::Decided(index) => {
                let (id, command) = self.decided.remove(index);
                drop(self.send(id, &command));
            }
            Turn::Schedule(id) => {
                let task = self.task(id);
                let command = match self.readiness(id) {
                    Readiness::Failed(hopeless) => Command::Skip(hopeless.skipped(id)),
                    _ => Command::Receive(Received {
                        attempt: task.attempt + 1,
                        node: "a".into(),
                        boot_id: id,
                        ready_seq: 0,
                        round: task.round,
                    }),
                };
                self.decided.push((id, command));
            }
            Turn::Finish(id) => self.finish(id),
            Turn::Revive(id) => {
                let revived = self.revival(id).expect("a turn");
                self.send(id, &Command::Revive(revived)).expect("accepted").expect("an event");
            }
            Turn::Restart(index) => self.unfold_restart(index),
        }
    }

    fn revival(&self, id: Id) -> Option<Revived> {
        let skipped = self.task(id).skipped.as_ref()?;
        skipped.revival(&self.readiness(id), |cause| self.tasks.get(&cause)?.0.restarted_as)
    }

    fn finish(&mut self, id: Id) {
        let task = self.task(id);
        let spawned = task.spawned.as_ref().expect("spawned");
        let step = spawned.step.clone().expect("a step");
        let attempt = task.attempt;
        let command = if self.failing.contains(&step) {
            Command::Fail { attempt, error: Failure::new("exit", "no", false) }
        } else if self.delegating.contains(&step) {
            let key = format!("{step}/child");
            let template = child(spawned);
            let delegate = [("out".into(), (key.clone(), "out".into()))].into();
            let children = vec![Child { key, template }];
            let success = Success { children, delegate, ..Success::default() };
            Command::Finish { attempt, success: Box::new(success) }
        } else {
            let outputs = [("out".into(), Datum::Value(7.into()))].into();
            Command::Finish {
                attempt,
                success: Box::new(Success { outputs, ..Success::default() }),
            }
        };
        self.send(id, &command).expect("it holds the task");
    }

    fn unfold_restart(&mut self, index: usize) {
        let mut unfolding = self.unfolding.remove(index);
        if let Some(command) = unfolding.settled() {
            self.send_to_context(&command).expect("settled");
            return;
        }
        let step = unfolding.next(1)[0].task_id;
        let (task, position) = self.tasks[&step].clone();
        if let Some(command) = unfolding.look(step, position, &task, None) {
            if let Err(rejection) = self.send(step, &command) {
                unfolding.refused(step, &rejection);
            }
            // Whoever unfolds it anew comes to the same.
            let (task, position) = self.tasks[&step].clone();
            unfolding.look(step, position, &task, None);
        }
        self.unfolding.push(unfolding);
    }

    pub(crate) fn graph(&self) -> Graph {
        let node = |(id, (task, position)): (&Id, &(Task, u64))| {
            Some((*id, Node::of(*id, *position, task)?))
        };
        Graph {
            context_id: context_id(),
            nodes: self.tasks.iter().filter_map(node).collect(),
            outputs: self.outputs.clone(),
            cancelled: self.context.cancelled,
        }
    }

    /// Whether a task may run, for all that is known.
    pub(crate) fn readiness(&self, id: Id) -> Readiness {
        let needs = Needs::of(self.task(id).spawned.as_ref().expect("spawned"));
        needs.evaluate(&All(self), Timestamp::default())
    }
}

/// A child that resolves the output of its parent, and that nothing else reads.
fn child(parent: &Spawned) -> Template {
    Template {
        specification: parent.specification.clone(),
        inputs: [].into(),
        outputs: [("out".into(), Type::Number)].into(),
        queue: parent.queue.clone(),
        labels: [].into(),
        retry: parent.retry.clone(),
        timeouts: parent.timeouts.clone(),
    }
}

#[derive(Clone, Copy)]
enum Turn {
    Unfold,
    Decided(usize),
    Restart(usize),
    Schedule(Id),
    Finish(Id),
    Revive(Id),
}

/// What is known in the world.
struct All<'a>(&'a World);

impl All<'_> {
    fn how(&self, id: Id) -> Option<How> {
        let (task, _) = self.0.tasks.get(&id)?;
        match (task.status, &task.skipped) {
            (Status::Finished, _) if task.outcome == Some(Outcome::Ok) => Some(How::Ok),
            (Status::Finished, _) => Some(How::Failed),
            (Status::Cancelled, _) => Some(How::Cancelled),
            (Status::Skipped, Some(skipped)) => Some(How::from(skipped)),
            _ => None,
        }
    }
}

impl Facts for All<'_> {
    fn resource(&self, id: Id) -> Known {
        let at = Timestamp::default();
        if self.0.resolved.contains_key(&id) {
            return Known::Holds { at };
        }
        let Some(custodian) = self.0.custodians.get(&id) else { return Known::Pending };
        match self.how(*custodian) {
            None | Some(How::Ok) => Known::Pending,
            Some(How::Skipped { root_causes, cause }) => {
                Known::Impossible { root_causes: root_causes.by_way_of(*custodian), cause, at }
            }
            Some(_) => {
                Known::Impossible { root_causes: (*custodian).into(), cause: Cause::Failure, at }
            }
        }
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let task = self.0.head(id);
        Some(Ending { task, how: self.how(task)?, at: Timestamp::default() })
    }

    fn since(&self) -> Timestamp {
        Timestamp::default()
    }
}

/// A step that reads the outputs of `reads` and comes after `after`.
pub(crate) fn step(step: &str, reads: &[&str], after: &[&str]) -> Planned {
    let id = step_id(step);
    let mut task = spawned(1);
    task.step = Some(step.into());
    task.outputs.get_mut("out").expect("an output").id = output_of(id);
    for read in reads {
        let binding = kantoku_domain::Binding {
            source: kantoku_domain::Source::Resource(output_of(step_id(read))),
            type_: Type::Optional(Box::new(Type::Number)),
            map: None,
            names: vec![],
        };
        task.inputs.insert((*read).into(), binding);
    }
    let after: Vec<_> =
        after.iter().map(|it| kantoku_domain::Dependency::Task(step_id(it))).collect();
    task.depends_on = (!after.is_empty()).then_some(kantoku_domain::Dependency::All(after));
    Planned { id, task }
}
