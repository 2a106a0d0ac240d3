//! An event, or a part of it: some name so many tasks that they are taken in one part after the
//! other.

use kantoku_domain::{Event, Recorded, task::Planned};

/// An event with some of the tasks that it names. All else that it says belongs to every part:
/// taking it in again comes to the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) recorded: &'a Recorded,
    /// The tasks of a plan, or children, that this part is about.
    pub(crate) named: &'a [Planned],
}

impl<'a> Part<'a> {
    /// All of `recorded`.
    pub(crate) fn whole(recorded: &'a Recorded) -> Self {
        Self { recorded, named: named(recorded) }
    }

    /// `recorded` in parts of so many tasks, at least one part.
    pub(crate) fn parts(recorded: &'a Recorded, tasks_max: usize) -> impl Iterator<Item = Self> {
        let mut rest = Some(named(recorded));
        std::iter::from_fn(move || {
            let (named, after) = rest?.split_at(tasks_max.min(rest?.len()));
            rest = (!after.is_empty()).then_some(after);
            Some(Self { recorded, named })
        })
    }
}

/// The tasks that exist from an event on, apart from what takes the place of one.
pub(crate) fn named(recorded: &Recorded) -> &[Planned] {
    match &recorded.event {
        Event::ContextOpened(opened) => &opened.plan,
        Event::TaskFinished(finished) => &finished.children,
        _ => &[],
    }
}
