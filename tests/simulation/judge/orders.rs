//! Orders to stop: who is not to run any more.

use kantoku_domain::{Event, Id, Recorded};

use super::{Judge, Verdict, ensure};

/// See the module.
#[derive(Default)]
pub(super) struct Orders {
    /// Tasks, and where that was ordered.
    single: Vec<(Id, u64)>,
    /// Tasks with what they were restarted as by then.
    with_successors: Vec<(Id, u64)>,
}

impl Orders {
    pub(super) fn take(&mut self, recorded: &Recorded) {
        let seq = recorded.stream_seq;
        let at = |id: &Id| (*id, seq);
        match &recorded.event {
            Event::TaskCancelled(cancelled) => {
                self.single.extend(cancelled.dependents.iter().map(at));
            }
            Event::TaskChildrenCancelled(cancelled) => {
                self.single.extend(cancelled.dependents.iter().map(at));
                self.with_successors.extend(cancelled.children.iter().map(at));
            }
            Event::TaskRestarted(restarted) => {
                self.with_successors.extend(restarted.children.iter().map(at));
            }
            _ => {}
        }
    }
}

const OBEYED: &str = "what was ordered to stop stops";

impl Judge {
    /// Nothing is left to do: whoever was to stop has.
    pub(crate) fn check_orders(&self) -> Verdict {
        for (context_id, context) in &self.contexts {
            let Some(ordered) = context.cancelled else { continue };
            for id in &context.tasks {
                let is_meant = self.tasks[id].origin <= ordered;
                ensure(!(is_meant && self.tasks[id].is_live()), OBEYED, || {
                    format!("task {id} is live, and its context {context_id} was cancelled")
                })?;
            }
        }
        for (id, ordered) in &self.orders.single {
            self.check_order(*id, *ordered)?;
        }
        for (id, ordered) in &self.orders.with_successors {
            let mut next = Some(*id);
            while let Some(id) = next {
                self.check_order(id, *ordered)?;
                next = self.tasks.get(&id).and_then(|entry| entry.restarted_as);
            }
        }
        Ok(())
    }

    fn check_order(&self, id: Id, ordered: u64) -> Verdict {
        let Some(entry) = self.tasks.get(&id) else { return Ok(()) };
        // What came back or began by a later order is not meant.
        let is_meant = entry.origin <= ordered;
        ensure(!(is_meant && entry.is_live()), OBEYED, || {
            format!("task {id} is live, and was ordered to stop at {ordered}")
        })
    }
}
