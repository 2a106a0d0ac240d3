//! What is wrong with an expression: all of it at once.

use std::collections::BTreeMap;

use super::{Approval, Expression, HttpProbe};
use crate::{Event, Problem};

/// How many people an approval may ask for.
const APPROVERS_MAX: u32 = 100;

impl<R> Expression<R> {
    /// Every problem of the expression that can be seen without knowing what its names stand for.
    /// Paths start with `path`.
    pub fn problems(&self, path: &[&str]) -> Vec<Problem> {
        let mut check = Check { problems: Vec::new(), approvals: BTreeMap::new() };
        let (mut leaves, mut is_deep) = (0, false);
        self.walk(path, &mut |node, path, depth| {
            if depth <= Self::DEPTH_MAX {
                check.node(node, path);
                leaves += usize::from(node.parts().is_none());
            } else if !std::mem::replace(&mut is_deep, true) {
                let max = Self::DEPTH_MAX;
                check.add(path, format!("the expression nests more than {max} deep"));
            }
            depth <= Self::DEPTH_MAX
        });
        if leaves > Self::LEAVES_MAX {
            let max = Self::LEAVES_MAX;
            let message = format!("{leaves} facts are more than {max}");
            check.problems.push(Problem::new(path, message));
        }
        check.problems
    }
}

struct Check<'a> {
    problems: Vec<Problem>,
    approvals: BTreeMap<&'a str, &'a Approval>,
}

impl<'a> Check<'a> {
    fn add(&mut self, path: &[String], message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn suggest(&mut self, path: &[String], message: impl Into<String>, way_out: &str) {
        self.problems.push(Problem::new(path, message).suggest(Some(way_out.into())));
    }

    /// What is wrong with a node or a leaf, its parts aside.
    fn node<R>(&mut self, it: &'a Expression<R>, path: &[String]) {
        match it {
            Expression::Any(parts) if parts.is_empty() => {
                self.add(path, "any of nothing never holds");
            }
            Expression::AtLeast { count, of } if *count == 0 || *count as usize > of.len() => {
                self.add(path, format!("at least {count} of {} cannot be asked for", of.len()));
            }
            Expression::Within { time, .. } if time.0 == 0 => {
                self.suggest(path, "nothing happens within no time", "write time: 1h");
            }
            Expression::Window(window) if window.duration.0 == 0 => {
                self.suggest(path, "a window without a duration never opens", "write duration: 1h");
            }
            Expression::Window(window) => {
                if let Some(problem) = window.cron.problem() {
                    self.add(path, problem);
                }
            }
            Expression::Approval(approval) => self.approval(approval, path),
            Expression::Event(pattern) if !Event::NAMES.contains(&pattern.type_.as_str()) => {
                let problem = Problem::new(path, format!("there is no event {:?}", pattern.type_));
                let names = Event::NAMES.iter().copied();
                self.problems.push(problem.did_you_mean(&pattern.type_, names));
            }
            Expression::Http(probe) => self.probe(probe, path),
            _ => {}
        }
    }

    fn approval(&mut self, approval: &'a Approval, path: &[String]) {
        let Approval { name, count, by } = approval;
        if name.is_empty() || name.len() > 100 {
            self.add(path, "the name of an approval has 1 to 100 bytes");
        }
        if *count == 0 || *count > APPROVERS_MAX {
            self.add(
                path,
                format!("an approval asks for 1 to {APPROVERS_MAX} people, not {count}"),
            );
        }
        let mut people: Vec<&String> = by.iter().collect();
        people.sort_unstable();
        people.dedup();
        if people.len() < by.len() {
            self.add(path, "by names somebody twice");
        }
        if !by.is_empty() && people.len() < *count as usize {
            let found = people.len();
            self.add(path, format!("{count} have to approve, but by names {found}"));
        }
        if self.approvals.insert(name, approval).is_some_and(|known| known != approval) {
            self.add(path, format!("there is another approval {name:?}, which asks for others"));
        }
    }

    fn probe(&mut self, probe: &HttpProbe, path: &[String]) {
        let rest = ["http://", "https://"].iter().find_map(|it| probe.url.strip_prefix(it));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        match host {
            None | Some("") => {
                self.suggest(path, "this is no URL", "write http://host/path or https://host/path");
            }
            Some(host) if host.contains('@') => self.suggest(
                path,
                "a URL with a password would be stored in events",
                "take out what stands before @",
            ),
            Some(_) => {}
        }
        if !(100..600).contains(&probe.expect) {
            self.add(path, format!("{} is no HTTP status", probe.expect));
        }
        if probe.every.0 < 1_000 {
            self.suggest(path, "a server is asked at most once a second", "write every: 30s");
        }
    }
}

impl<R> Expression<R> {
    /// The key under which it is written.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::All(_) => "all",
            Self::Any(_) => "any",
            Self::AtLeast { .. } => "at_least",
            Self::Not(_) => "not",
            Self::Within { .. } => "within",
            Self::Resource(_) => "resource",
            Self::Task(_) => "task",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
            Self::At(_) => "at",
            Self::Window(_) => "window",
            Self::Approval(_) => "approval",
            Self::Event(_) => "event",
            Self::Http(_) => "http",
        }
    }
}
