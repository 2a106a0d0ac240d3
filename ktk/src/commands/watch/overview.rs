//! Watching all contexts.

use std::time::Duration;

use futures::StreamExt as _;
use kantoku_api::contract::{
    ContextChanged, ContextList, ContextSubscribe, ListParams, SubscribeParams,
};
use kantoku_projections::document::{ContextDocument, ContextStatus};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    error::CommandError,
    output::{Paint, now, print_document, print_line},
    render::{Canvas, Screen, context_line, context_lines, stdout_width},
    session::Session,
};

const FRAME: Duration = Duration::from_millis(200);
const CLOCK: Duration = Duration::from_secs(1);
/// How many contexts are kept in view.
const KEPT_MAX: usize = 200;

/// Shows the contexts that changed last, what failed and what runs first, until it is interrupted.
/// Without a screen: those that there are, then each that changes, a line each.
pub(super) async fn watch(session: &Session) -> Result<(), CommandError> {
    let params = ListParams {
        limit: Some(KEPT_MAX as u32),
        namespace: session.namespace(),
        min_seq: session.min_seq(),
        ..ListParams::default()
    };
    let page = session.call::<ContextList>(&params).await?;
    let params = SubscribeParams {
        from_seq: Some(page.as_of_seq),
        namespace: session.namespace(),
        ..SubscribeParams::default()
    };
    let mut changes = session.subscribe::<ContextSubscribe>(&params).await?;
    let mut view = View {
        contexts: page.items,
        screen: Screen::on_stdout().filter(|_| session.output().is_table()),
        drawn_at: None,
        has_changed: true,
    };
    if view.screen.is_none() {
        for context in view.contexts.drain(..).rev() {
            print(context, session)?;
        }
    }
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => {
                    let context = change?.context;
                    if view.screen.is_some() {
                        view.take(context);
                    } else {
                        print(context, session)?;
                    }
                }
                None => return Err(session.connection_lost()),
            },
            _ = frames.tick() => view.frame()?,
        }
    }
}

fn print(context: ContextDocument, session: &Session) -> Result<(), CommandError> {
    if session.output().is_table() {
        return print_line(&context_line(&context, &canvas(None)));
    }
    let stream_seq = context.stream_seq;
    print_document(session.output().of_stream(), &ContextChanged { context, stream_seq })
}

struct View {
    /// The last changed first.
    contexts: Vec<ContextDocument>,
    screen: Option<Screen>,
    drawn_at: Option<Instant>,
    has_changed: bool,
}

impl View {
    fn take(&mut self, context: ContextDocument) {
        self.contexts.retain(|known| known.id != context.id);
        self.contexts.insert(0, context);
        // What runs stays in view.
        if self.contexts.len() > KEPT_MAX {
            let ended = self.contexts.iter().rposition(|c| c.status != ContextStatus::Running);
            self.contexts.remove(ended.unwrap_or(KEPT_MAX));
        }
        self.has_changed = true;
    }

    fn frame(&mut self) -> Result<(), CommandError> {
        let is_due = self.drawn_at.is_none_or(|at| self.has_changed || at.elapsed() >= CLOCK);
        let Some(screen) = self.screen.as_mut().filter(|_| is_due) else { return Ok(()) };
        let lines = context_lines(&self.contexts, &canvas(Some(screen)));
        screen.draw(&lines).map_err(|error| CommandError::stdout(&error))?;
        self.drawn_at = Some(Instant::now());
        self.has_changed = false;
        Ok(())
    }
}

fn canvas(screen: Option<&Screen>) -> Canvas {
    let (width, height) = screen.map_or((stdout_width(), usize::MAX), Screen::size);
    Canvas { width, height, paint: Paint::stdout(), now: now() }
}
