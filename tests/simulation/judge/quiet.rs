//! Nothing is left to do: whoever has not ended is explained, or stuck.

use kantoku_domain::{
    Id, Standing, Timestamp,
    dependency::{Ground, Readiness, Status},
    standing::Stage,
    task::Skipped,
};

use super::{Entry, Judge, Life, Verdict, ensure};

/// Why a task has not ended although nothing is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    Paused,
    Waits,
}

const STUCK: &str = "what has not ended can go on, or is explained";
const TRUE: &str = "what the scheduler says is so";

impl Judge {
    /// All executors work, no message is under way, and the clock makes nothing due: says of each
    /// task why it waits, and hears what the scheduler says. `twice`: there are two unfolders.
    pub(crate) fn check_rest(
        &self,
        now: Timestamp,
        twice: bool,
        standing: impl Fn(Id) -> Option<Standing>,
    ) -> Result<Vec<Why>, super::Violation> {
        ensure(self.named.is_empty(), "what is named is spawned", || {
            format!("{:?}", self.named.keys().collect::<Vec<_>>())
        })?;
        self.check_restarts(twice)?;
        let mut found = Vec::new();
        for (id, entry) in &self.tasks {
            match entry.life {
                Life::Over(_) => self.check_revival(*id, entry, now)?,
                Life::Held => ensure(false, STUCK, || format!("task {id} is held by nobody"))?,
                Life::Waiting => {
                    let why = self.why(*id, entry, now)?;
                    check_standing(*id, why, standing(*id).as_ref())?;
                    found.push(why);
                }
            }
        }
        Ok(found)
    }

    fn check_revival(&self, id: Id, entry: &Entry, now: Timestamp) -> Verdict {
        let revival = self.revival(entry, now);
        ensure(revival.is_none(), "what may run again is revived", || format!("task {id}"))?;
        // That its own time was up was so by the clock and by what was known then.
        let is_open = |skipped: &&Skipped| entry.restarted_as.is_none() && skipped.root_cause != id;
        let Some(skipped) = entry.skipped.as_ref().filter(is_open) else { return Ok(()) };
        ensure(self.is_hopeless(entry, now), "what is skipped can never run", || {
            format!("task {id}: {skipped:?}, but {:?}", self.readiness(entry, now))
        })
    }

    fn why(&self, id: Id, entry: &Entry, now: Timestamp) -> Result<Why, super::Violation> {
        let readiness = self.readiness(entry, now);
        let is_paused = self.paused(entry);
        match readiness {
            Readiness::Pending { .. } => Ok(Why::Waits),
            Readiness::Ready { .. } if is_paused => Ok(Why::Paused),
            readiness => ensure(false, STUCK, || {
                let announced = entry.announcement.is_some();
                format!("task {id}: {readiness:?}, announced: {announced}")
            })
            .map(|()| Why::Waits),
        }
    }
}

/// What the scheduler says agrees with why the task waits.
fn check_standing(id: Id, why: Why, standing: Option<&Standing>) -> Verdict {
    let Some(standing) = standing else {
        return ensure(false, TRUE, || format!("it does not know task {id}, which waits"));
    };
    // What a rule has ruled out is told, though others are waited for before it is given up.
    let is_open = |ground: &Ground| !matches!(ground.status, Status::Ready);
    let is_so = match why {
        // While it is paused, nobody looks at the clock for it.
        Why::Paused => {
            let is_held_back = matches!(standing.stage, Stage::Paused | Stage::Backoff);
            is_held_back && standing.paused.is_some()
        }
        Why::Waits => {
            standing.stage == Stage::Waiting
                && !standing.grounds.is_empty()
                && standing.grounds.iter().all(is_open)
        }
    };
    ensure(is_so, TRUE, || format!("task {id} waits as {why:?}, and it says {standing:?}"))
}
