//! How a watched context is shown: redrawn in place, line by line, or as documents.

use std::time::Duration;

use kantoku_api::contract::{ReadParams, TaskChanged, TaskTree, Tree, TreeTask};
use tokio::time::Instant;

use super::picture::Picture;
use crate::{
    error::CommandError,
    output::{Format, Paint, now, print_document, print_line},
    render::{
        By, Canvas, Screen, State, change_line, header_lines, name_width, stdout_width, tree_lines,
    },
    session::Session,
};

/// Without changes, only clocks move.
const CLOCK: Duration = Duration::from_secs(1);

/// How a context is shown.
pub(super) struct View {
    picture: Picture,
    mode: Mode,
    name_width: usize,
    drawn_at: Option<Instant>,
    loaded_at: Instant,
    has_changed: bool,
}

enum Mode {
    /// A picture that is redrawn in place.
    Screen(Screen),
    /// A line per change.
    Lines,
    /// A document per change.
    Documents(Format),
}

impl View {
    pub(super) fn begin(tree: Tree, session: &Session) -> Result<Self, CommandError> {
        let mode = match (session.output(), Screen::on_stdout()) {
            (Format::Table | Format::Wide, Some(screen)) => Mode::Screen(screen),
            (Format::Table | Format::Wide, None) => Mode::Lines,
            (format, _) => Mode::Documents(format.of_stream()),
        };
        let name_width = name_width(&tree);
        let picture = Picture::new(tree);
        let loaded_at = Instant::now();
        let view = Self { picture, mode, name_width, drawn_at: None, loaded_at, has_changed: true };
        if matches!(view.mode, Mode::Lines) {
            view.print_header()?;
        }
        Ok(view)
    }

    /// Takes in a change and shows it, or keeps it for the next picture.
    pub(super) fn take(&mut self, change: &TaskChanged) -> Result<(), CommandError> {
        let news = self.picture.apply(change);
        self.has_changed |= news.is_some();
        match (&self.mode, news) {
            (Mode::Documents(format), _) => print_document(*format, change),
            (Mode::Lines, Some(task)) if is_worth_a_line(task) => {
                print_line(&change_line(task, self.name_width, change.task.updated_at))
            }
            (Mode::Lines | Mode::Screen(_), _) => Ok(()),
        }
    }

    /// Draws if there is something new to see.
    pub(super) async fn frame(&mut self, session: &Session) -> Result<(), CommandError> {
        let Mode::Screen(_) = self.mode else { return Ok(()) };
        let is_due = self.drawn_at.is_none_or(|at| self.has_changed || at.elapsed() >= CLOCK);
        if !is_due {
            return Ok(());
        }
        if self.picture.is_incomplete() && self.loaded_at.elapsed() >= CLOCK {
            self.reload(self.picture.position(), session).await?;
        }
        self.draw()
    }

    /// Shows how it ended.
    pub(super) async fn end(
        &mut self,
        as_of_seq: u64,
        session: &Session,
    ) -> Result<(), CommandError> {
        match self.mode {
            Mode::Documents(_) => Ok(()),
            Mode::Screen(_) => {
                self.reload(as_of_seq, session).await?;
                self.draw()
            }
            Mode::Lines => {
                for task in self.reload(as_of_seq, session).await? {
                    let at = task.finished_at.unwrap_or_else(now);
                    print_line(&change_line(&task, self.name_width, at))?;
                }
                self.print_header()
            }
        }
    }

    /// Where changes go on.
    pub(super) fn position(&self) -> u64 {
        self.picture.position()
    }

    /// Asks for everything anew. The tasks of which that is news: their changes are still on their
    /// way.
    async fn reload(
        &mut self,
        min_seq: u64,
        session: &Session,
    ) -> Result<Vec<TreeTask>, CommandError> {
        let id = self.picture.tree().context.id.to_string();
        let params = ReadParams { min_seq: Some(min_seq), ..session.get(id) };
        let tree = session.call::<TaskTree>(&params).await?;
        let news = tree.tasks.iter().filter(|task| self.picture.is_news(task)).cloned().collect();
        self.picture = Picture::new(tree);
        self.loaded_at = Instant::now();
        Ok(news)
    }

    fn draw(&mut self) -> Result<(), CommandError> {
        let Mode::Screen(screen) = &mut self.mode else { return Ok(()) };
        let (width, height) = screen.size();
        let canvas = Canvas { width, height, paint: Paint::stdout(), now: now() };
        screen
            .draw(&tree_lines(self.picture.tree(), By::Parent, &canvas))
            .map_err(|error| CommandError::stdout(&error))?;
        self.drawn_at = Some(Instant::now());
        self.has_changed = false;
        Ok(())
    }

    /// What the context comes to, and what failed.
    fn print_header(&self) -> Result<(), CommandError> {
        const HEIGHT: usize = 40;
        let canvas =
            Canvas { width: stdout_width(), height: HEIGHT, paint: Paint::stdout(), now: now() };
        print_line(&header_lines(self.picture.tree(), &canvas).join("\n"))
    }
}

/// What waits is told at the beginning and, if it has to be tried again, with the reason.
fn is_worth_a_line(task: &TreeTask) -> bool {
    match State::of(task) {
        State::Ready => false,
        State::Waiting => task.error.is_some(),
        _ => true,
    }
}
