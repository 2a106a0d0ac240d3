//! Restarts, as people order them: by a plan made on what there is, or without.

use kantoku_domain::{
    Id,
    plan::Specifications,
    restart::{self, Graph, Node, Order as Restart, OutputPolicy, Request, Target, VersionPolicy},
    task,
};

use super::{World, op::Order};
use crate::judge::{End, Entry};

impl World {
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

    pub(super) fn order_restart(&mut self) {
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
    ) -> Option<(restart::Plan, Specifications)> {
        let latest = self.ledger.specifications.values().filter_map(|it| it.state.latest());
        let specifications: Specifications =
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
