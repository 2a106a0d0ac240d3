//! What goes on while a command takes longer than a second, on stderr.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use crate::session::Session;

/// What is over by then needs no progress.
const DELAY: Duration = Duration::from_secs(1);
/// How often the picture moves on a terminal.
const TICK: Duration = Duration::from_millis(120);
/// How often a line says how far it is, where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far something is, until it is dropped: a bar on a terminal, else a line now and then,
/// nothing with `-q`.
pub(crate) struct Progress {
    bar: ProgressBar,
    said: Arc<Mutex<String>>,
    mode: Mode,
    _shower: AbortOnDropHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bar,
    Lines,
    Silent,
}

impl Progress {
    /// Begins with a spinner and `text`.
    pub(crate) fn start(session: &Session, text: impl Into<String>) -> Self {
        let mode = match () {
            () if session.is_quiet() => Mode::Silent,
            () if session.is_live() => Mode::Bar,
            () => Mode::Lines,
        };
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style("{spinner} {msg}  {elapsed}"));
        let said = Arc::new(Mutex::new(text.into()));
        bar.set_message(lock(&said).clone());
        let shower = tokio::spawn(show(mode, bar.clone(), Arc::clone(&said)));
        Self { bar, said, mode, _shower: AbortOnDropHandle::new(shower) }
    }

    /// What goes on now, where nobody knows how much there is.
    pub(crate) fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        text.clone_into(&mut lock(&self.said));
    }

    /// `done` of `total` parts are over.
    pub(crate) fn update(&self, done: u64, total: u64, text: &str) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style("{bar:40} {pos}/{len}  {msg}  {elapsed}"));
        }
        self.bar.set_position(done);
        self.bar.set_message(text.to_owned());
        *lock(&self.said) = format!("{done} of {total}, {text}");
    }

    /// Says something that stays.
    pub(crate) fn note(&self, text: &str) {
        match self.mode {
            Mode::Silent => {}
            Mode::Bar if !self.bar.is_hidden() => self.bar.println(text),
            Mode::Bar | Mode::Lines => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

async fn show(mode: Mode, bar: ProgressBar, said: Arc<Mutex<String>>) {
    match mode {
        Mode::Silent => {}
        Mode::Bar => {
            tokio::time::sleep(DELAY).await;
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
        Mode::Lines => loop {
            tokio::time::sleep(LINE_EVERY).await;
            eprintln!("ktk: {}", lock(&said));
        },
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; one that was wrong would only look plain.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("█▌░")
}

fn lock(text: &Mutex<String>) -> std::sync::MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}
