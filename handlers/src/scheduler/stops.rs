//! Tasks that are stopped with one that they wait for: they are not given up for its end, but wait
//! for the word that they are to stop, which somebody else sends.

use kantoku_domain::{Event, Id};

use super::{Scheduler, task::Stage};

impl Scheduler {
    /// Takes in who else an order to stop is for.
    pub(super) fn ordered(&mut self, event: &Event) {
        let dependents = match event {
            Event::TaskCancelled(cancelled) => &cancelled.dependents,
            Event::TaskChildrenCancelled(cancelled) => &cancelled.dependents,
            _ => return,
        };
        for id in dependents {
            self.is_to_stop(*id);
        }
    }

    fn is_to_stop(&mut self, id: Id) {
        match self.tasks.get(&id) {
            Some(task) if task.is_undecided() && !task.is_given_up() => {
                self.lay_aside(id);
                if let Some(task) = self.tasks.get_mut(&id) {
                    task.stage = Stage::Stopping;
                }
            }
            None if !self.knowledge.has_ended(id) => {
                self.to_stop.insert(id);
            }
            _ => {}
        }
    }
}
