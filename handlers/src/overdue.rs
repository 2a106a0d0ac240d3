//! What was handed out to be done, and has to show by an event that it was.

use std::{collections::VecDeque, time::Duration};

use kantoku_domain::Timestamp;

/// After this long without the event that shows it, an effect counts as lost, for whatever reason,
/// and is due again. What is merely late is done twice then, which changes nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What was handed out lately, oldest first. As long as what [`PATIENCE`] takes in.
#[derive(Debug)]
pub(crate) struct Overdue<T>(VecDeque<(Timestamp, T)>);

impl<T> Default for Overdue<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Overdue<T> {
    /// It is handed out at `now`.
    pub(crate) fn taken(&mut self, now: Timestamp, what: T) {
        self.0.push_back((now, what));
    }

    /// All that was handed out.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.0.drain(..).map(|(_, what)| what).collect()
    }

    /// The next that should have shown an effect by `now`. Whether it has is for the caller to see.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<T> {
        let (at, _) = self.0.front()?;
        // Clocks may be set back.
        let is_over = now.since(*at) >= PATIENCE || at.since(now) >= PATIENCE;
        is_over.then(|| self.0.pop_front()).flatten().map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_looked_at_once_its_time_is_over() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut overdue = Overdue::default();
        overdue.taken(at(100), "first");
        overdue.taken(at(110), "second");
        assert_eq!(overdue.next(at(129)), None);
        assert_eq!(overdue.next(at(130)), Some("first"));
        assert_eq!(overdue.next(at(130)), None);
        assert_eq!(overdue.next(at(70)), Some("second"), "the clock was set back");
        assert_eq!(overdue.next(at(1_000)), None);
    }
}
