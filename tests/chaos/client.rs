//! Calls as a careful client makes them: written down before and after, and made again under the
//! same key.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    journal::Journal,
    rpc::{self, Failed},
};

/// How long a command with a key is tried.
const PATIENCE: Duration = Duration::from_secs(150);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a command without a key is tried that was surely not carried out.
const TRIES_MAX: u32 = 4;

/// What clients have been told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Commands that were accepted.
    pub(crate) ok: u64,
    /// Commands of which it was never known whether they were.
    pub(crate) unknown: u64,
    /// Commands that were refused, or never reached anybody.
    pub(crate) failed: u64,
    /// Answers to questions.
    pub(crate) read: u64,
}

/// A command with a key, as it was sent last.
struct Sent {
    op: String,
    method: String,
    params: Value,
    attempt: u32,
}

/// The calls of one client.
pub(crate) struct Calls {
    port: u16,
    name: String,
    seed: u64,
    journal: Journal,
    count: u64,
    last: Option<Sent>,
    pub(crate) told: Told,
    /// The last position that this client was told of.
    pub(crate) seen: u64,
}

impl Calls {
    pub(crate) fn new(port: u16, dir: &Path, name: String, seed: u64) -> Self {
        let journal = Journal::create(dir, &name);
        Self { port, name, seed, journal, count: 0, last: None, told: Told::default(), seen: 0 }
    }

    fn next_op(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.name, self.count)
    }

    /// A command that may be sent as often as it takes: its key makes it one.
    pub(crate) async fn keyed(&mut self, method: &str, mut params: Value) -> Result<Value, Failed> {
        let op = self.next_op();
        params["idempotency_key"] = format!("{}-{op}", self.seed).into();
        label(method, &mut params, &op);
        let end = Instant::now() + PATIENCE;
        let mut pause = PAUSE_MIN;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let told = self.attempt(&op, attempt, method, &params).await;
            let again = |failed: &Failed| failed.is_unknown || failed.is_retryable;
            if !told.as_ref().is_err_and(again) || Instant::now() >= end {
                self.last = Some(Sent { op, method: method.to_owned(), params, attempt });
                self.count_in(&told);
                return told;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The last command with a key again, as if its answer had been lost.
    pub(crate) async fn again(&mut self) -> Result<Value, Failed> {
        let Sent { op, method, params, attempt } = self.last.take().expect("one was sent");
        self.attempt(&op, attempt + 1, &method, &params).await
    }

    /// A command that is not sent again once it may have been carried out.
    pub(crate) async fn once(&mut self, method: &str, mut params: Value) -> Result<Value, Failed> {
        let op = self.next_op();
        label(method, &mut params, &op);
        let mut told = self.attempt(&op, 1, method, &params).await;
        for attempt in 2..=TRIES_MAX {
            let again = |failed: &Failed| !failed.is_unknown && failed.is_retryable;
            if !told.as_ref().is_err_and(again) {
                break;
            }
            sleep(PAUSE_MIN * attempt).await;
            told = self.attempt(&op, attempt, method, &params).await;
        }
        self.count_in(&told);
        told
    }

    /// A question, as of the last position that this client was told of.
    pub(crate) async fn read(&mut self, method: &str, mut params: Value) -> Option<Value> {
        if self.seen > 0 {
            params["min_seq"] = self.seen.into();
        }
        let op = self.next_op();
        let told = self.attempt(&op, 1, method, &params).await.ok()?;
        self.told.read += 1;
        Some(told)
    }

    async fn attempt(
        &mut self,
        op: &str,
        attempt: u32,
        method: &str,
        params: &Value,
    ) -> Result<Value, Failed> {
        self.journal.invoke(op, attempt, method, params);
        let told = rpc::call(self.port, method, params).await;
        self.journal.told(op, method, &told);
        told
    }

    fn count_in(&mut self, told: &Result<Value, Failed>) {
        match told {
            Ok(result) => {
                self.told.ok += 1;
                self.seen = self.seen.max(result["stream_seq"].as_u64().unwrap_or_default());
            }
            Err(failed) if failed.is_unknown => self.told.unknown += 1,
            Err(_) => self.told.failed += 1,
        }
    }
}

/// Whatever comes of the command is known by its label.
fn label(method: &str, params: &mut Value, op: &str) {
    if matches!(method, "task.spawn" | "pipeline.run") {
        params["labels"] = json!({"op": op});
    }
}
