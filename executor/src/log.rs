//! The output of an attempt on its way to the log: split into lines, bounded, in batches.
//!
//! A process is never held up by its log: what comes too fast, or cannot be stored, is left out, and
//! a line says how much.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kantoku_service::Backoff;
use kantoku_streams::{LogAddress, LogLine, LogStream, Logs, now, warn_missing};
use tokio::{sync::Notify, time::timeout};

use crate::metric;

/// How many lines may come at once, and per second in the long run.
const BURST_LINES: u32 = 10_000;
const LINES_PER_SECOND: u32 = 1_000;
/// How much may wait to be stored.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long lines are gathered, and how much is enough.
const GATHER: Duration = Duration::from_millis(100);
const BATCH_BYTES: usize = 64 * 1024;
/// What a line costs beside its text.
const LINE_BYTES: usize = 64;

/// A log, between the process that writes and the task that stores.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<LogLine>,
    bytes: usize,
    left_out: u64,
    is_closed: bool,
}

/// The writing end. The log is closed when it is dropped.
pub(crate) struct Writer {
    log: Log,
    partial: Vec<u8>,
    allowance: Allowance,
}

impl Log {
    /// An empty log, and its writing end.
    pub(crate) fn open() -> (Self, Writer) {
        let log = Self(Arc::default());
        let writer = Writer { log: log.clone(), partial: Vec::new(), allowance: Allowance::full() };
        (log, writer)
    }

    /// Stores what is written, until the log is closed and all of it is stored.
    pub(crate) async fn store(&self, logs: &Logs, address: &LogAddress) {
        let mut backoff = Backoff::default();
        loop {
            let batch = self.next_batch().await;
            if batch.is_empty() {
                return;
            }
            match logs.append(address, &batch).await {
                Ok(()) => backoff = Backoff::default(),
                Err(fault) => {
                    warn_missing("nats", "store the output of an attempt", &fault);
                    self.lock().leave_out(batch.len() as u64);
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// What has gathered; nothing once the log is closed and empty.
    async fn next_batch(&self) -> Vec<LogLine> {
        while self.lock().is_idle() {
            self.0.changed.notified().await;
        }
        let enough = async {
            while !self.lock().is_enough() {
                self.0.changed.notified().await;
            }
        };
        timeout(GATHER, enough).await.ok();
        self.lock().take_batch()
    }

    /// A list of lines is whole even if a holder of the lock panicked.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && !self.is_closed
    }

    fn is_enough(&self) -> bool {
        self.is_closed || self.bytes >= BATCH_BYTES
    }

    fn push(&mut self, text: String) {
        let cost = text.len() + LINE_BYTES;
        if self.bytes + cost > WAITING_BYTES_MAX {
            self.leave_out(1);
            return;
        }
        self.mention_left_out();
        self.bytes += cost;
        self.lines.push_back(line(text));
    }

    fn leave_out(&mut self, lines: u64) {
        self.left_out += lines;
        metric::lines_dropped(lines);
    }

    fn mention_left_out(&mut self) {
        let lines = std::mem::take(&mut self.left_out);
        if lines > 0 {
            let what =
                format!("{lines} lines were left out: they came too fast, or could not be stored");
            let line = LogLine::remark(now(), &what);
            self.bytes += line.text.len() + LINE_BYTES;
            self.lines.push_back(line);
        }
    }

    fn take_batch(&mut self) -> Vec<LogLine> {
        if self.is_closed {
            self.mention_left_out();
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(line) = self.lines.pop_front()
        {
            bytes += line.text.len() + LINE_BYTES;
            batch.push(line);
        }
        self.bytes -= bytes;
        batch
    }
}

fn line(text: String) -> LogLine {
    LogLine { at: now(), stream: LogStream::Stderr, text }
}

impl Writer {
    /// Takes in a piece of output, as it comes.
    pub(crate) fn write(&mut self, mut piece: &[u8]) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(&piece[..end]);
            self.end_line();
            piece = &piece[end + 1..];
        }
        self.partial.extend_from_slice(piece);
        while self.partial.len() >= Logs::TEXT_BYTES_MAX {
            let rest = self.partial.split_off(cut(&self.partial, Logs::TEXT_BYTES_MAX));
            self.end_line();
            self.partial = rest;
        }
        self.log.0.changed.notify_one();
    }

    fn end_line(&mut self) {
        let text = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        let text = String::from_utf8_lossy(text).into_owned();
        self.partial.clear();
        let mut waiting = self.log.lock();
        if self.allowance.take() {
            waiting.push(text);
        } else {
            waiting.leave_out(1);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.end_line();
        }
        self.log.lock().is_closed = true;
        self.log.0.changed.notify_one();
    }
}

/// Where to cut `text` at or before `at`, so that no character is parted.
fn cut(text: &[u8], at: usize) -> usize {
    // Only the first byte of a character has other leading bits than 10.
    let is_first = |index: &usize| text.get(*index).is_none_or(|byte| byte & 0xc0 != 0x80);
    (at.saturating_sub(3)..=at).rev().find(is_first).unwrap_or(at)
}

/// A bucket of tokens, one per line.
struct Allowance {
    lines: f64,
    at: Instant,
}

impl Allowance {
    fn full() -> Self {
        Self { lines: f64::from(BURST_LINES), at: Instant::now() }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = now.duration_since(self.at).as_secs_f64() * f64::from(LINES_PER_SECOND);
        self.lines = (self.lines + gained).min(f64::from(BURST_LINES));
        self.at = now;
        let is_allowed = self.lines >= 1.0;
        if is_allowed {
            self.lines -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests;
