//! What can still come once a plan is carried out: the facts that skipped tasks are judged by.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Links, Node};
use crate::{
    Id, Timestamp,
    dependency::{Cause, Ending, Facts, Hopeless, How, Known},
};

/// The tasks as they are, and those that will run or wait again.
pub(super) struct Outlook<'a> {
    pub(super) graph: &'a Graph,
    pub(super) links: &'a Links,
    /// Tasks that the plan restarts or revives.
    pub(super) again: BTreeSet<Id>,
    /// Those among them that will be skipped all the same.
    pub(super) hopeless: BTreeMap<Id, How>,
    pub(super) now: Timestamp,
}

impl Outlook<'_> {
    /// How a task has ended, or will have; `None`: that is open.
    fn how(&self, node: &Node) -> Option<How> {
        match self.hopeless.get(&node.id) {
            Some(how) => Some(how.clone()),
            None if self.again.contains(&node.id) => None,
            None => node.how(),
        }
    }

    /// Notes that a task of the plan will be skipped all the same, and adds that to the reason why
    /// it is in the plan.
    pub(super) fn give_up(&mut self, id: Id, reason: &str, hopeless: Hopeless) -> String {
        let skipped = hopeless.skipped(id);
        self.hopeless.insert(id, How::from(&skipped));
        format!("{reason}, but it will be skipped again: {}", skipped.missing)
    }

    fn impossible(&self, because_of: &Node) -> Known {
        let how = self.how(because_of).unwrap_or(How::Cancelled);
        let ending = Ending { task: because_of.id, how, at: self.now };
        let cause = if ending.is_failure() { Cause::Failure } else { Cause::Rule };
        Known::Impossible { root_causes: ending.root_causes(), cause, at: self.now }
    }
}

impl Facts for Outlook<'_> {
    fn resource(&self, id: Id) -> Known {
        let makers = self.links.makers.get(&id).into_iter().flatten();
        let makers: Vec<&Node> = makers.filter_map(|maker| self.graph.nodes.get(maker)).collect();
        // What runs again makes it anew; what passed it on does not have it.
        let passed_on = |node: &&Node| {
            let is_it = |name: &String| node.spawned.outputs.get(name).is_some_and(|o| o.id == id);
            !self.again.contains(&node.id) && node.delegated.keys().any(is_it)
        };
        let custodians = || makers.iter().copied().filter(|node| !passed_on(node));
        if custodians().any(|node| self.how(node) == Some(How::Ok)) {
            return Known::Holds { at: Timestamp::default() };
        }
        let is_unknown = makers.is_empty();
        if is_unknown
            || custodians().any(|node| node.restarted_as.is_none() && self.how(node).is_none())
        {
            return Known::Pending;
        }
        let last =
            custodians().max_by_key(|node| node.restarted_as.is_none()).or(makers.first().copied());
        last.map_or(Known::Pending, |node| self.impossible(node))
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let node = self.graph.nodes.get(&self.graph.head(id))?;
        Some(Ending { task: node.id, how: self.how(node)?, at: Timestamp::default() })
    }

    /// Whatever is revived has all its time again.
    fn since(&self) -> Timestamp {
        self.now
    }
}
