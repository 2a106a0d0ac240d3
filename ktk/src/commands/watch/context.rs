//! Watching one context until it ends.

use std::time::Duration;

use futures::StreamExt as _;
use kantoku_api::contract::{
    ContextWait, ContextWaited, Filter, GetParams, SubscribeParams, TaskChanged, TaskSubscribe,
    TaskTree, Tree, TreeTask, WaitParams,
};
use kantoku_domain::{Id, Millis};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::picture::Picture;
use crate::{
    error::{CommandError, Exit},
    output::{Format, Paint, now, print_document, print_line},
    render::{
        Canvas, Screen, State, change_line, header_lines, name_width, stdout_width, tree_lines,
    },
    session::Session,
};

/// Between two pictures: changes that come faster are shown together.
const FRAME: Duration = Duration::from_millis(100);
/// Without changes, only clocks move.
const CLOCK: Duration = Duration::from_secs(1);
/// How long one call waits for the end; then the next one goes on.
const WAIT: Duration = Duration::from_secs(30);

/// Shows the context that `id` belongs to, as of `min_seq` or later, until it has ended or the
/// session's timeout is over.
pub(crate) async fn watch(
    id: String,
    min_seq: Option<u64>,
    session: &Session,
) -> Result<ContextWaited, CommandError> {
    let tree = session.call::<TaskTree>(&GetParams { min_seq, ..session.get(id) }).await?;
    let context_id = tree.context.id;
    session.on_interrupt(format!(
        "context/{context_id} goes on; see it again: ktk watch {context_id}"
    ));
    let params = SubscribeParams {
        filter: Filter::from_iter([("context_id".into(), Value::from(context_id.to_string()))]),
        from_seq: Some(tree.as_of_seq),
        namespace: session.namespace(),
        timeout: None,
    };
    let mut changes = session.subscribe::<TaskSubscribe>(&params).await?;
    let mut view = View::begin(tree, session)?;
    let mut end = Box::pin(wait(context_id, session));
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let waited = loop {
        tokio::select! {
            waited = &mut end => break waited?,
            change = changes.next() => match change {
                Some(change) => view.take(&change?)?,
                None => return Err(session.connection_lost()),
            },
            _ = frames.tick() => view.frame(session).await?,
        }
    };
    view.end(waited.as_of_seq, session).await?;
    Ok(waited)
}

/// Waits for the end of all tasks.
async fn wait(id: Id, session: &Session) -> Result<ContextWaited, CommandError> {
    let start = Instant::now();
    loop {
        let left = session.timeout().map(|limit| limit.saturating_sub(start.elapsed()));
        let within = left.unwrap_or(WAIT).min(WAIT);
        let params = WaitParams {
            id: id.to_string(),
            timeout: Some(Millis(within.as_millis() as u64)),
            namespace: session.namespace(),
        };
        let answer = session.call_within::<ContextWait>(within + WAIT, &params).await?;
        if answer.done {
            return Ok(answer);
        }
        if left.is_some_and(|left| left <= within) {
            return Err(CommandError::new(
                Exit::TimedOut,
                format!("context/{id} has not ended yet"),
            )
            .as_of(answer.as_of_seq)
            .advise(format!("ktk watch {id}")));
        }
    }
}

/// How a context is shown.
struct View {
    picture: Picture,
    mode: Mode,
    name_width: usize,
    drawn_at: Option<Instant>,
    has_changed: bool,
}

enum Mode {
    /// A picture that is redrawn in place.
    Screen(Screen),
    /// A line per change.
    Lines,
    /// A document per change.
    Documents,
}

impl View {
    fn begin(tree: Tree, session: &Session) -> Result<Self, CommandError> {
        let mode = match (session.output(), Screen::on_stdout()) {
            (Format::Table | Format::Wide, Some(screen)) => Mode::Screen(screen),
            (Format::Table | Format::Wide, None) => Mode::Lines,
            _ => Mode::Documents,
        };
        let name_width = name_width(&tree);
        let picture = Picture::new(tree);
        let view = Self { picture, mode, name_width, drawn_at: None, has_changed: true };
        if matches!(view.mode, Mode::Lines) {
            view.print_header()?;
        }
        Ok(view)
    }

    fn take(&mut self, change: &TaskChanged) -> Result<(), CommandError> {
        if matches!(self.mode, Mode::Documents) {
            return print_document(Format::Jsonl, change);
        }
        let Some(task) = self.picture.apply(change) else { return Ok(()) };
        self.has_changed = true;
        match self.mode {
            Mode::Lines if is_worth_a_line(task) => {
                print_line(&change_line(task, self.name_width, change.task.updated_at))
            }
            _ => Ok(()),
        }
    }

    /// Draws if there is something new to see.
    async fn frame(&mut self, session: &Session) -> Result<(), CommandError> {
        let Mode::Screen(_) = self.mode else { return Ok(()) };
        let is_due = self.drawn_at.is_none_or(|at| self.has_changed || at.elapsed() >= CLOCK);
        if !is_due {
            return Ok(());
        }
        if self.picture.is_incomplete() && self.drawn_at.is_some_and(|at| at.elapsed() >= CLOCK) {
            self.reload(self.picture.tree().as_of_seq, session).await?;
        }
        self.draw()
    }

    /// Shows how it ended.
    async fn end(&mut self, as_of_seq: u64, session: &Session) -> Result<(), CommandError> {
        match self.mode {
            Mode::Documents => Ok(()),
            Mode::Screen(_) => {
                self.reload(as_of_seq, session).await?;
                self.draw()
            }
            Mode::Lines => {
                self.reload(as_of_seq, session).await?;
                self.print_header()
            }
        }
    }

    async fn reload(&mut self, min_seq: u64, session: &Session) -> Result<(), CommandError> {
        let id = self.picture.tree().context.id.to_string();
        let params = GetParams { min_seq: Some(min_seq), ..session.get(id) };
        self.picture = Picture::new(session.call::<TaskTree>(&params).await?);
        Ok(())
    }

    fn draw(&mut self) -> Result<(), CommandError> {
        let Mode::Screen(screen) = &mut self.mode else { return Ok(()) };
        let (width, height) = screen.size();
        let canvas = Canvas { width, height, paint: Paint::stdout(), now: now() };
        screen
            .draw(&tree_lines(self.picture.tree(), &canvas))
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
