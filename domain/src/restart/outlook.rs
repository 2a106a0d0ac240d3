//! What can still come once a plan is carried out: the facts that skipped tasks are judged by.

use std::collections::BTreeSet;

use super::graph::{Graph, Links, Node};
use crate::{
    Id, Timestamp,
    dependency::{Cause, Ending, Facts, How, Known},
};

/// The tasks as they are, and those that will run or wait again.
pub(super) struct Outlook<'a> {
    pub(super) graph: &'a Graph,
    pub(super) links: &'a Links,
    /// Tasks that the plan restarts or revives.
    pub(super) again: BTreeSet<Id>,
    pub(super) now: Timestamp,
}

impl Outlook<'_> {
    fn is_open(&self, node: &Node) -> bool {
        node.restarted_as.is_none() && (self.again.contains(&node.id) || node.how().is_none())
    }

    fn impossible(&self, because_of: &Node) -> Known {
        let how = because_of.how().unwrap_or(How::Cancelled);
        let ending = Ending { how, at: self.now };
        let cause = if ending.is_failure() { Cause::Failure } else { Cause::Rule };
        let root_cause = ending.root_cause(because_of.id);
        Known::Impossible { root_cause, cause, at: self.now }
    }
}

impl Facts for Outlook<'_> {
    fn resource(&self, id: Id) -> Known {
        let makers = self.links.makers.get(&id).into_iter().flatten();
        let makers: Vec<&Node> = makers.filter_map(|maker| self.graph.nodes.get(maker)).collect();
        let passed_on = |node: &&Node| {
            node.delegated
                .keys()
                .any(|name| node.spawned.outputs.get(name).is_some_and(|o| o.id == id))
        };
        let custodians = || makers.iter().copied().filter(|node| !passed_on(node));
        if custodians().any(|node| node.how() == Some(How::Ok)) {
            return Known::Holds { at: Timestamp::default() };
        }
        let is_unknown = makers.is_empty();
        if is_unknown || custodians().any(|node| self.is_open(node)) {
            return Known::Pending;
        }
        let last =
            custodians().max_by_key(|node| node.restarted_as.is_none()).or(makers.first().copied());
        last.map_or(Known::Pending, |node| self.impossible(node))
    }

    fn task(&self, id: Id) -> Option<Ending> {
        let node = self.graph.nodes.get(&self.graph.head(id))?;
        let how = node.how().filter(|_| !self.is_open(node))?;
        Some(Ending { how, at: Timestamp::default() })
    }

    /// Whatever is revived has all its time again.
    fn since(&self) -> Timestamp {
        self.now
    }
}
