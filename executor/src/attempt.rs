//! An attempt from its announcement to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kantoku_domain::{
    Reason, Recorded, Task,
    task::{Command, Failure, Success},
};
use kantoku_service::Backoff;
use kantoku_streams::{Delivery, ExecuteError, LogLine, now, warn_missing};
use tokio::time::timeout;

use crate::{
    claim::{Claim, Claimed, claim, envelope},
    executor::Parts,
    failure, metric,
    run::{Attempt, Ended},
    running::{Place, Stop},
    slots::Slot,
};

/// When a claim of unknown outcome is made again.
const CLAIM_AGAIN: Duration = Duration::from_secs(1);
/// How long it is tried to leave a remark in a log.
const REMARK_MAX: Duration = Duration::from_secs(10);

/// Claims the attempt that `recorded` announces, runs it and reports its end, if it can be had.
/// The announcement is settled once it is known whose the attempt is, and not before.
pub(crate) async fn carry_out(
    parts: Arc<Parts>,
    slot: Slot,
    recorded: Arc<Recorded>,
    delivery: Option<Delivery>,
) {
    let claimed = claim(&parts, &recorded).await;
    let is_decided = matches!(claimed, Ok(Claimed::Ours(_) | Claimed::Over));
    let kept = parts.seen.decide(recorded.stream_seq, is_decided);
    let verdict = match &claimed {
        Ok(Claimed::Ours(_) | Claimed::Over) => Verdict::Done,
        Ok(Claimed::TooEarly(wait)) => Verdict::Again(*wait),
        Err(_) => Verdict::Again(CLAIM_AGAIN),
    };
    let settle = async {
        for delivery in delivery.into_iter().chain(kept) {
            verdict.settle(delivery).await;
        }
    };
    let carry_on = async {
        match claimed {
            Ok(Claimed::Ours(claim)) => run(&parts, slot, &claim).await,
            Ok(_) => drop(slot),
            Err(fault) => {
                drop(slot);
                warn_missing("nats", "claim an attempt", &fault);
            }
        }
    };
    // Nobody waits for an acknowledgement: without a connection it may hang.
    tokio::join!(settle, carry_on);
}

/// What becomes of an announcement.
#[derive(Clone, Copy)]
enum Verdict {
    /// It need not come again.
    Done,
    /// It is to come again after so long.
    Again(Duration),
}

impl Verdict {
    async fn settle(self, delivery: Delivery) {
        let settled = match self {
            Self::Done => delivery.ack().await,
            Self::Again(wait) => delivery.retry(wait).await,
        };
        if let Err(fault) = settled {
            tracing::debug!(%fault, "an announcement was not settled and comes again");
        }
    }
}

async fn run(parts: &Parts, slot: Slot, claim: &Claim) {
    let start = Instant::now();
    let place = parts.running.enter(claim.ready.task_id, claim.ready.attempt, claim.fence);
    metric::running(&parts.config.queue, parts.running.count());
    let Ended { outcome, executable } = Attempt { parts, claim, place: &place }.run().await;
    let outcome = outcome.map_err(|failure| explain(failure, &place));
    metric::ended(executable, outcome.as_ref().err(), start.elapsed());
    // The next attempt need not wait until the end of this one is stored.
    drop(slot);
    let remark = match place.reason() {
        Some(stop @ Stop::Cancelled(_)) if outcome.is_err() => {
            Some(LogLine::stop(now(), &stop.to_string()))
        }
        Some(stop @ Stop::Lost) if outcome.is_err() => {
            Some(LogLine::refusal(now(), &stop.to_string()))
        }
        _ => report(parts, claim, outcome).await,
    };
    drop(place);
    metric::running(&parts.config.queue, parts.running.count());
    if let Some(remark) = remark {
        say(parts, claim, remark).await;
    }
}

/// Says why an attempt was stopped, which it does not know.
fn explain(failure: Failure, place: &Place) -> Failure {
    match place.reason() {
        Some(Stop::Shutdown) => {
            Failure { stderr_tail: failure.stderr_tail, ..failure::shut_down() }
        }
        _ => failure,
    }
}

/// Reports how the attempt ended, until the outcome of that is known; what is to be said, if that
/// is refused.
async fn report(
    parts: &Parts,
    claim: &Claim,
    outcome: Result<Success, Failure>,
) -> Option<LogLine> {
    let attempt = claim.ready.attempt;
    let mut command = match outcome {
        Ok(success) => Command::Finish { attempt, success: Box::new(success) },
        Err(error) => Command::Fail { attempt, error },
    };
    let mut backoff = Backoff::default();
    let task_id = claim.ready.task_id;
    loop {
        match execute(parts, claim, &command).await {
            Ok(()) => return None,
            // Its outputs are not what was promised, which is a failure in turn.
            Err(ExecuteError::Rejected(rejection))
                if rejection.reason == Reason::Invalid
                    && matches!(command, Command::Finish { .. }) =>
            {
                command = Command::Fail { attempt, error: failure::result(rejection.message) };
            }
            // The attempt is not ours any more.
            Err(ExecuteError::Rejected(rejection)) => {
                tracing::info!(%rejection, %task_id, attempt, "a late end was refused");
                metric::refused();
                return Some(LogLine::refusal(now(), &rejection.message));
            }
            Err(fault) => {
                tracing::debug!(%fault, %task_id, attempt, "an end could not be reported");
                warn_missing("nats", "report the end of an attempt", &fault);
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

/// Leaves a word in the log of the attempt, for whoever wonders what became of it.
async fn say(parts: &Parts, claim: &Claim, remark: LogLine) {
    let (logs, address, lines) = (parts.bus.logs(), claim.log_address(), [remark]);
    let mut backoff = Backoff::default();
    let store = async {
        while let Err(fault) = logs.append(&address, &lines).await {
            warn_missing("nats", "leave a remark in a log", &fault);
            tokio::time::sleep(backoff.next_wait()).await;
        }
    };
    timeout(REMARK_MAX, store).await.ok();
}

async fn execute(parts: &Parts, claim: &Claim, command: &Command) -> Result<(), ExecuteError> {
    let key = match command {
        Command::Finish { .. } => "finish",
        _ => "fail",
    };
    let envelope = envelope(parts, &claim.recorded, claim.ready.task_id, key);
    let (ledger, namespace) = (parts.bus.ledger(), &claim.recorded.namespace);
    let outcome = match &claim.task {
        Some(task) => ledger.execute_on(task, namespace, command, &envelope).await,
        None => ledger.execute::<Task>(namespace, command, &envelope).await,
    };
    outcome.map(drop)
}
