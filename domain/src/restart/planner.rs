//! One planner for all restarts: of a task, from a task downward, of what failed, of everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Entry, Graph, Moved, Node, OutputPolicy, Plan, Target, VersionPolicy, graph::Links,
    outlook::Outlook,
};
use crate::{
    Id, Reason, Rejection, Timestamp,
    dependency::{How, Readiness},
    plan::Specifications,
    specification::Applied,
    task::{Restart, Revived, Skipped, Status, already_restarted, check_successor, not_custodian},
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is to run again.
    pub target: Target,
    /// What becomes of outputs.
    pub outputs: OutputPolicy,
    /// Which versions run.
    pub version: VersionPolicy,
    /// For another version than the same: the specifications, looked up.
    pub specifications: Specifications,
    /// The time, as deadlines may have passed.
    pub now: Timestamp,
}

/// What becomes of every task of `graph`, or why the request cannot be met. A function of its
/// arguments: what a preview shows is what is done, unless a task moves on meanwhile.
pub fn plan(graph: &Graph, request: &Request) -> Result<Plan, Rejection> {
    let links = graph.links();
    let planner = Planner { graph, request, links: &links };
    let chosen = planner.choose()?;
    planner.check(&chosen.rerun)?;
    Ok(planner.plan(&chosen))
}

/// The tasks that others take the place of.
struct Chosen {
    /// Those that were asked for.
    seeds: BTreeSet<Id>,
    /// With those that follow.
    rerun: BTreeSet<Id>,
}

struct Planner<'a> {
    graph: &'a Graph,
    request: &'a Request,
    links: &'a Links,
}

/// Whether a task has failed or was cancelled.
fn is_unwell(node: &Node) -> bool {
    matches!(node.how(), Some(How::Failed | How::Cancelled))
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection::new(Reason::WrongState, message))
}

impl Planner<'_> {
    fn is_reuse(&self) -> bool {
        self.request.outputs == OutputPolicy::Reuse
    }

    fn current(&self) -> impl Iterator<Item = &Node> {
        self.links.needs.keys().filter_map(|id| self.graph.nodes.get(id))
    }

    fn choose(&self) -> Result<Chosen, Rejection> {
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
    fn check(&self, rerun: &BTreeSet<Id>) -> Result<(), Rejection> {
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
    fn specification(&self, node: &Node) -> Result<Option<&Applied>, Rejection> {
        if self.request.version == VersionPolicy::Same {
            return Ok(None);
        }
        let name = &node.spawned.specification.name;
        self.request.specifications.get(name).map(Some).ok_or_else(|| {
            let message = format!("version {} of {name} does not exist", self.request.version);
            Rejection::new(Reason::NotFound, message).field("version")
        })
    }

    fn plan(&self, chosen: &Chosen) -> Plan {
        let rerun = &chosen.rerun;
        let again = rerun.clone();
        let (graph, links, now) = (self.graph, self.links, self.request.now);
        let mut outlook = Outlook { graph, links, again, hopeless: BTreeMap::new(), now };
        let spawned_anew = self.links.descendants(rerun);
        let downstream = self.links.downstream(rerun.iter().copied());
        let mut entries: Vec<Entry> = Vec::new();
        let mut placed = BTreeSet::new();
        for node in self.links.order().iter().filter_map(|id| self.graph.nodes.get(id)) {
            let mut entry = match () {
                () if rerun.contains(&node.id) => self.rerun(node, chosen, &mut outlook),
                () if spawned_anew.contains(&node.id) => spawned_again(node),
                () if node.skipped.is_some() && downstream.contains(&node.id) => {
                    self.skipped(node, rerun, &mut outlook)
                }
                () => self.keep(node, rerun),
            };
            // What waits in a circle has no order: it never ran.
            entry.after.retain(|id| placed.contains(id));
            placed.insert(node.id);
            if entry.action == Action::Revive {
                outlook.again.insert(node.id);
            }
            entries.push(entry);
        }
        Plan {
            context_id: self.graph.context_id,
            target: self.request.target,
            outputs: self.request.outputs,
            version: self.request.version,
            results: self.results(&entries),
            entries,
            reopens: self.graph.cancelled,
        }
    }

    /// The tasks of the plan that come just before `node`.
    fn before(&self, node: &Node, rerun: &BTreeSet<Id>) -> Vec<&Node> {
        let before = self.links.before(node.id).filter(|id| rerun.contains(id));
        before.filter_map(|id| self.graph.nodes.get(&id)).collect()
    }

    fn rerun(&self, node: &Node, chosen: &Chosen, outlook: &mut Outlook<'_>) -> Entry {
        let before = self.before(node, &chosen.rerun);
        let asked_for = chosen.seeds.contains(&node.id);
        let stopped = if node.how().is_none() { "; what it does now is stopped" } else { "" };
        let mut reason = match (node.how(), before.first()) {
            (_, Some(first)) if !asked_for && !self.is_reuse() => {
                format!("{} runs again, and it reads its fresh outputs{stopped}", first.name())
            }
            (Some(How::Failed), _) => "it failed".into(),
            (Some(How::Cancelled), _) => "it was cancelled".into(),
            _ => format!("it was asked for{stopped}"),
        };
        let needs = &self.links.needs[&node.id];
        if let Readiness::Failed(hopeless) = needs.evaluate(outlook, self.request.now) {
            reason = outlook.give_up(node.id, &reason, hopeless);
        }
        let specification = self.specification(node).ok().flatten();
        let mut entry = Entry::of(node, Action::Rerun, reason);
        entry.specification = specification
            .map(Applied::reference)
            .filter(|other| *other != node.spawned.specification);
        if !self.is_reuse() {
            let outputs = node.spawned.outputs.iter();
            entry.replaces = outputs.map(|(name, output)| (name.clone(), output.id)).collect();
            entry.after = before.iter().map(|node| node.id).collect();
        }
        entry
    }

    /// A task that was skipped: it waits again if because of what runs again, and if all that it
    /// lacks may come then.
    fn skipped(&self, node: &Node, rerun: &BTreeSet<Id>, outlook: &mut Outlook<'_>) -> Entry {
        let skipped = node.skipped.as_ref();
        let causes: Vec<Id> = skipped.into_iter().flat_map(Skipped::causes).collect();
        let after: Vec<Id> = causes.iter().copied().filter(|id| rerun.contains(id)).collect();
        let earlier = causes.iter().find_map(|id| {
            let restarted_as = self.graph.nodes.get(id)?.restarted_as?;
            Some(Revived { root_cause: *id, restarted_as })
        });
        let name =
            |id: &Id| self.graph.nodes.get(id).map_or_else(|| format!("task {id}"), Node::name);
        let (first, revived) = match (after.first(), earlier) {
            (Some(first), _) => (format!("{}, which runs again", name(first)), None),
            // It was restarted before, but something else that runs again now had failed, too.
            (None, Some(earlier)) => {
                (format!("{}, which was restarted", name(&earlier.root_cause)), Some(earlier))
            }
            (None, None) => {
                let first = causes.first().map(name).unwrap_or_default();
                let reason = format!("it was skipped because of {first}, which does not run again");
                return Entry::of(node, Action::Skip, reason);
            }
        };
        let needs = &self.links.needs[&node.id];
        let mut reason = format!("it was skipped because of {first}");
        if let Readiness::Failed(hopeless) = needs.evaluate(outlook, self.request.now) {
            if !skipped.is_some_and(|skipped| skipped.is_milder(&hopeless)) {
                let reason = format!("it would be skipped again: {}", hopeless.missing);
                return Entry::of(node, Action::Skip, reason);
            }
            reason = outlook.give_up(node.id, &reason, hopeless);
        }
        Entry { after, revived, ..Entry::of(node, Action::Revive, reason) }
    }

    fn keep(&self, node: &Node, rerun: &BTreeSet<Id>) -> Entry {
        let before = self.before(node, rerun);
        let reason = match (node.how(), before.first()) {
            (Some(How::Ok), Some(first)) => {
                format!("it finished ok although {} had not", first.name())
            }
            (Some(How::Ok), None) => "it finished ok".into(),
            (None, Some(first)) => format!("it waits for {}, which runs again", first.name()),
            (None, None) => format!("it is {} already", node.status.name()),
            (Some(How::Skipped { .. }), _) => {
                return Entry::of(
                    node,
                    Action::Skip,
                    "nothing that it waits for runs again".into(),
                );
            }
            (Some(_), _) => "it was not asked for".into(),
        };
        Entry::of(node, Action::Keep, reason)
    }

    fn results(&self, entries: &[Entry]) -> BTreeMap<String, Moved> {
        let replaced: BTreeMap<Id, Moved> = entries
            .iter()
            .flat_map(|entry| entry.replaces.iter().map(move |it| (entry.task_id, it)))
            .map(|(task_id, (name, id))| (*id, Moved { task_id, output: name.clone() }))
            .collect();
        let moved = |(name, id): (&String, &Id)| Some((name.clone(), replaced.get(id)?.clone()));
        self.graph.outputs.iter().filter_map(moved).collect()
    }
}

fn spawned_again(node: &Node) -> Entry {
    let stopped = if node.how().is_none() { ", and this one is stopped" } else { "" };
    let reason = format!("its parent runs again and spawns another in its place{stopped}");
    Entry::of(node, Action::Skip, reason)
}

impl Entry {
    fn of(node: &Node, action: Action, reason: String) -> Self {
        Self {
            task_id: node.id,
            step: node.spawned.step.clone(),
            action,
            reason,
            position: node.position,
            specification: None,
            replaces: BTreeMap::new(),
            after: Vec::new(),
            revived: None,
        }
    }
}
