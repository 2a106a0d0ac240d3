//! One planner for all restarts: of a task, from a task downward, of what failed, of everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Entry, Graph, Moved, Node, OutputPolicy, Plan, Target, VersionPolicy, choose::Chosen,
    graph::Links, outlook::Outlook,
};
use crate::{
    Id, Rejection, Timestamp,
    dependency::{How, Readiness},
    plan::Specifications,
    specification::Applied,
    task::{Revived, Skipped},
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

/// What all decisions go by.
pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    pub(super) request: &'a Request,
    pub(super) links: &'a Links,
}

impl Planner<'_> {
    pub(super) fn is_reuse(&self) -> bool {
        self.request.outputs == OutputPolicy::Reuse
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
