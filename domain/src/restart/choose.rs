//! Which tasks run again, or why they cannot.

use std::collections::{BTreeMap, BTreeSet};

use super::{Node, Plan, Target, VersionPolicy, outlook::Outlook, planner::Planner};
use crate::{
    Id, Reason, Rejection,
    dependency::{How, Readiness},
    specification::Applied,
    task::{Restart, Status, already_restarted, check_successor, not_custodian},
};

/// The tasks that others take the place of.
pub(super) struct Chosen {
    /// Those that were asked for.
    pub(super) seeds: BTreeSet<Id>,
    /// With those that follow.
    pub(super) rerun: BTreeSet<Id>,
}

/// Whether a task has failed or was cancelled.
fn is_unwell(node: &Node) -> bool {
    matches!(node.how(), Some(How::Failed | How::Cancelled))
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection::new(Reason::WrongState, message))
}

impl Planner<'_> {
    fn current(&self) -> impl Iterator<Item = &Node> {
        self.links.needs.keys().filter_map(|id| self.graph.nodes.get(id))
    }

    pub(super) fn choose(&self) -> Result<Chosen, Rejection> {
        let seeds = self.seeds()?;
        if seeds.is_empty() {
            return refuse(match self.request.target {
                Target::Failed => "nothing of the context has failed",
                _ => "all of the context is ok or under way: with outputs reallocate it runs again",
            });
        }
        let rerun = match self.request.target {
            Target::From(id) if self.is_reuse() => {
                let after = self.links.downstream([id]).into_iter();
                after.filter(|it| *it == id || is_unwell(&self.graph.nodes[it])).collect()
            }
            _ if self.is_reuse() => seeds.clone(),
            _ => {
                // What a task of the plan spawned is spawned anew by its successor.
                let all = self.links.downstream(seeds.iter().copied());
                &all - &self.links.descendants(&all)
            }
        };
        Ok(Chosen { seeds, rerun })
    }

    /// The tasks that are asked for.
    fn seeds(&self) -> Result<BTreeSet<Id>, Rejection> {
        let of = |is_asked_for: &dyn Fn(&Node) -> bool| {
            self.current().filter(|node| is_asked_for(node)).map(|node| node.id).collect()
        };
        Ok(match self.request.target {
            Target::Task(id) | Target::From(id) => BTreeSet::from([self.target(id)?.id]),
            Target::Failed => of(&|node| node.how() == Some(How::Failed)),
            Target::All if self.is_reuse() => of(&is_unwell),
            Target::All => of(&|node| {
                let parent = node.spawned.parent_id;
                parent.is_none_or(|parent| !self.graph.nodes.contains_key(&parent))
            }),
        })
    }

    /// The task that was named, if it can be restarted so.
    fn target(&self, id: Id) -> Result<&Node, Rejection> {
        let Some(node) = self.graph.nodes.get(&id) else {
            let message = format!("context {} has no task {id}", self.graph.context_id);
            return Err(Rejection::new(Reason::NotFound, message));
        };
        if let Some(winner) = node.restarted_as {
            return Err(already_restarted(winner));
        }
        if let Some((ancestor, winner)) = self.graph.replaced_ancestor(node) {
            let message = format!(
                "{} came from {}, which was restarted as {winner}: what that spawns takes its place",
                node.name(),
                ancestor.name()
            );
            return Err(Rejection::new(Reason::AlreadyRestarted, message).winner(winner));
        }
        let current = |rejection: Rejection| rejection.current(node.status.name());
        match node.how() {
            None => refuse(format!(
                "{} is {} and may still end well: cancel it first, or wait for its end",
                node.name(),
                node.status.name()
            ))
            .map_err(current),
            Some(How::Ok) if self.is_reuse() => Err(current(self.is_resolved(node))),
            Some(How::Skipped { .. }) => match self.hopeless(node) {
                Some(missing) => refuse(format!(
                    "{} would be skipped again: {missing}; restart what that comes from",
                    node.name()
                ))
                .map_err(current),
                None => Ok(node),
            },
            _ => Ok(node),
        }
    }

    /// What a task lacks that cannot come, as things are.
    fn hopeless(&self, node: &Node) -> Option<String> {
        let (graph, links, now) = (self.graph, self.links, self.request.now);
        let (again, hopeless) = (BTreeSet::new(), BTreeMap::new());
        let outlook = Outlook { graph, links, again, hopeless, now };
        match self.links.needs.get(&node.id)?.evaluate(&outlook, now) {
            Readiness::Failed(hopeless) => Some(hopeless.missing),
            _ => None,
        }
    }

    /// Why outputs cannot be reused: they are resolved, or another's to resolve.
    fn is_resolved(&self, node: &Node) -> Rejection {
        let Some((name, output)) =
            node.delegated.keys().find_map(|name| Some((name, node.spawned.outputs.get(name)?.id)))
        else {
            let message = format!(
                "{} finished ok, and an output is resolved once: restart it with outputs reallocate",
                node.name()
            );
            return Rejection::new(Reason::WrongState, message);
        };
        not_custodian(name, self.custodian(node, output))
    }

    /// Who is the custodian of `resource` now that `from` has passed it on.
    fn custodian(&self, from: &Node, resource: Id) -> Id {
        let mut holder = from;
        for _ in 0..self.graph.nodes.len() {
            let passed = holder.delegated.iter().find(|(name, _)| {
                holder.spawned.outputs.get(*name).is_some_and(|output| output.id == resource)
            });
            let Some((_, delegation)) = passed else { break };
            match self.graph.nodes.get(&self.graph.head(delegation.child)) {
                Some(child) => holder = child,
                None => return delegation.child,
            }
        }
        holder.id
    }

    /// Whether every task can be restarted so: it exists, and the version fits it.
    pub(super) fn check(&self, rerun: &BTreeSet<Id>) -> Result<(), Rejection> {
        if rerun.len() > Plan::STEPS_MAX {
            let (found, max) = (rerun.len(), Plan::STEPS_MAX);
            return refuse(format!("{found} tasks to restart at once are more than {max}"));
        }
        for node in rerun.iter().filter_map(|id| self.graph.nodes.get(id)) {
            if node.status == Status::Absent {
                let name = node.name();
                return refuse(format!("{name} is planned and spawned in a moment: try again"));
            }
            let specification = self.specification(node)?;
            let restart = Restart {
                outputs: self.request.outputs,
                version: self.request.version,
                specification: specification.cloned().map(Box::new),
                ..Restart::default()
            };
            check_successor(node.id, &node.spawned, &restart).map_err(|rejection| {
                let message = format!("{}: {}", node.name(), rejection.message);
                Rejection { message, ..rejection }
            })?;
        }
        Ok(())
    }

    /// The other version that the successor of `node` has.
    pub(super) fn specification(&self, node: &Node) -> Result<Option<&Applied>, Rejection> {
        if self.request.version == VersionPolicy::Same {
            return Ok(None);
        }
        let name = &node.spawned.specification.name;
        self.request.specifications.get(name).map(Some).ok_or_else(|| {
            let message = format!("version {} of {name} does not exist", self.request.version);
            Rejection::new(Reason::NotFound, message).field("version")
        })
    }
}
