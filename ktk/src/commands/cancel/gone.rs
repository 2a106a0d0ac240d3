//! Waiting until nothing runs any more of what was ordered to stop.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kantoku_api::contract::{
    Alive, Cancelled, LogEntry, LogsParams, NoParams, ServiceList, TaskFollowLogs,
};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{
    error::{CommandError, Exit},
    progress::Progress,
    session::Session,
};

/// How many attempts are followed at once.
const AT_ONCE: usize = 32;
/// How often it is looked whether a node is present.
const LOOK: Duration = Duration::from_secs(2);

/// Waits until each attempt that ran has ended, or its node with it, or `--timeout` is over.
pub(super) async fn wait(
    what: &str,
    cancelled: &Cancelled,
    session: &Session,
) -> Result<(), CommandError> {
    let total = cancelled.alive.len() as u64;
    if cancelled.alive_total.is_none_or(|alive| alive > total) {
        let message = format!("{what} was cancelled, but not all that runs of it is known");
        return Err(CommandError::new(Exit::Error, message)
            .as_of(cancelled.stream_seq)
            .advise(format!("ktk cancel {what} --wait")));
    }
    session.on_interrupt(format!("interrupted; {what} was cancelled and goes on stopping"));
    let progress = Progress::start(session, format!("waiting for {total} attempts to end"));
    let mut ended = 0;
    let all = async {
        let waits: Vec<_> = cancelled.alive.iter().map(|alive| gone(alive, session)).collect();
        let mut waits = stream::iter(waits).buffer_unordered(AT_ONCE);
        while waits.try_next().await?.is_some() {
            ended += 1;
            progress.update(ended, total, "attempts ended");
        }
        Ok(())
    };
    match session.timeout() {
        None => all.await,
        Some(limit) => timeout(limit, all).await.unwrap_or_else(|_| {
            let message = format!("{what} was cancelled, and some of it runs still");
            Err(CommandError::new(Exit::TimedOut, message)
                .as_of(cancelled.stream_seq)
                .advise("ktk get services -o wide"))
        }),
    }
}

/// Returns when the executor says that the attempt has ended, or is not there to say so: what its
/// attempts have started goes with it.
async fn gone(alive: &Alive, session: &Session) -> Result<(), CommandError> {
    let params = LogsParams {
        id: alive.task_id.to_string(),
        attempt: Some(alive.attempt),
        namespace: session.namespace(),
        ..LogsParams::default()
    };
    let mut lines = session.subscribe::<TaskFollowLogs>(&params).await?;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Some(line) => {
                    if is_end(&line?, alive.attempt) {
                        return Ok(());
                    }
                }
                None => return Err(session.connection_lost()),
            },
            _ = looks.tick() => {
                let services = session.call::<ServiceList>(&NoParams {}).await?.items;
                let is_holder = |id: &String| services.iter().any(|it| it.service_id == *id);
                if !alive.node.as_ref().is_some_and(is_holder) {
                    return Ok(());
                }
            }
        }
    }
}

/// How the executor begins to say that an attempt is over: it was stopped, or came to an end of its
/// own, which was refused.
const ENDS: [&str; 2] = ["[kantoku: it was stopped: ", "[kantoku: its end was refused: "];

fn is_end(line: &LogEntry, attempt: u32) -> bool {
    let is_of_executor = line.stream == "system" && line.attempt == attempt;
    is_of_executor && ENDS.iter().any(|end| line.text.starts_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_executor_says_that_an_attempt_is_over() {
        let line = |stream: &str, text: &str| LogEntry {
            attempt: 2,
            at: kantoku_domain::Timestamp::default(),
            stream: stream.into(),
            text: text.into(),
        };
        let stopped = "[kantoku: it was stopped: enough]";
        assert!(is_end(&line("system", stopped), 2));
        assert!(is_end(&line("system", "[kantoku: its end was refused: it is cancelled]"), 2));
        assert!(!is_end(&line("stderr", stopped), 2), "a process may say anything");
        assert!(!is_end(&line("system", stopped), 3));
        let left_out = "[kantoku: 7 lines were left out: they came too fast]";
        assert!(!is_end(&line("system", left_out), 2));
    }
}
