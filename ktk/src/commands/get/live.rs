//! A table that is redrawn in place: what changed last comes first.

use std::{pin::Pin, time::Duration};

use futures::{Stream, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    error::CommandError,
    output::{Row, Rows, ShortIds, View},
    render::Screen,
    session::Session,
};

const FRAME: Duration = Duration::from_millis(200);
/// Without changes, only ages move.
const CLOCK: Duration = Duration::from_secs(1);
/// How many rows are kept: more than a screen has.
const KEPT_MAX: usize = 500;

/// Shows what comes until it ends, which is an error: the connection was lost.
pub(super) async fn draw<T: Row>(
    mut screen: Screen,
    mut documents: Pin<&mut impl Stream<Item = Result<T, CommandError>>>,
    session: &Session,
) -> Result<(), CommandError> {
    let mut picture = Picture { items: Vec::new() };
    let mut drawn_at: Option<Instant> = None;
    let mut has_changed = false;
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            item = documents.next() => match item {
                Some(item) => {
                    picture.take(item?);
                    has_changed = true;
                }
                None => return Err(session.connection_lost()),
            },
            _ = frames.tick() => {
                if has_changed || drawn_at.is_none_or(|at| at.elapsed() >= CLOCK) {
                    let lines = picture.lines(&View::of(session), screen.size());
                    screen.draw(&lines).map_err(|error| CommandError::stdout(&error))?;
                    (drawn_at, has_changed) = (Some(Instant::now()), false);
                }
            }
        }
    }
}

/// The rows of a table, the last changed first.
struct Picture<T> {
    items: Vec<T>,
}

impl<T: Row> Picture<T> {
    /// Takes in what is new or has changed.
    fn take(&mut self, item: T) {
        let name = item.name();
        self.items.retain(|known| known.name() != name);
        self.items.insert(0, item);
        self.items.truncate(KEPT_MAX);
    }

    /// The header and as many rows as `size`, columns and lines, has room for.
    fn lines(&self, view: &View, (width, height): (usize, usize)) -> Vec<String> {
        // The header, and a line that says that there are more.
        const AROUND: usize = 2;
        let room = height.saturating_sub(AROUND).max(1);
        let shown = &self.items[..self.items.len().min(room)];
        let ids = ShortIds::of(shown.iter().flat_map(Row::ids));
        let mut rows = Rows::of(View { ids, ..*view });
        for item in shown {
            rows.push(item);
        }
        let text = rows.take_text();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let left = self.items.len() - shown.len();
        if left > 0 {
            lines.push(format!("… and {left} that changed before"));
        }
        lines.truncate(height);
        let cut = |line: &String| console::truncate_str(line, width, "…").into_owned();
        lines.iter().map(cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use kantoku_domain::Id;
    use serde::Serialize;

    use super::*;
    use crate::{
        kind::Kind,
        output::{Paint, now},
    };

    #[derive(Serialize)]
    struct Thing(&'static str, &'static str);

    impl Row for Thing {
        fn kind() -> Kind {
            Kind::Task
        }

        fn name(&self) -> String {
            self.0.to_owned()
        }

        fn namespace(&self) -> Option<&str> {
            None
        }

        fn ids(&self) -> Vec<Id> {
            Vec::new()
        }

        fn columns(_: bool) -> Vec<&'static str> {
            vec!["NAME", "STATUS"]
        }

        fn cells(&self, _: &View) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned()]
        }
    }

    fn view() -> View {
        let ids = ShortIds::default();
        View { wide: false, namespaces: false, ids, paint: Paint::stdout(), now: now() }
    }

    #[test]
    fn what_changed_takes_the_place_of_what_it_was_and_comes_first() {
        let mut picture = Picture { items: Vec::new() };
        picture.take(Thing("a", "ready"));
        picture.take(Thing("b", "ready"));
        picture.take(Thing("a", "ok"));
        let lines = picture.lines(&view(), (80, 24));
        assert_eq!(lines, ["NAME   STATUS", "a      ok", "b      ready"]);
    }

    #[test]
    fn it_fits_the_screen_and_says_what_does_not() {
        let mut picture = Picture { items: Vec::new() };
        for name in ["a", "b", "c", "d"] {
            picture.take(Thing(name, "ready"));
        }
        let lines = picture.lines(&view(), (9, 4));
        assert_eq!(lines, ["NAME   S…", "d      r…", "c      r…", "… and 2 …"]);
        assert_eq!(picture.lines(&view(), (80, 1)), ["NAME   STATUS"], "however small");
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let mut picture = Picture { items: Vec::new() };
        let names = (0..=KEPT_MAX).map(|n| &*Box::leak(n.to_string().into_boxed_str()));
        for name in names {
            picture.take(Thing(name, "ready"));
        }
        assert_eq!(picture.items.len(), KEPT_MAX);
    }
}
