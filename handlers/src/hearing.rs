//! What a node hears besides the stream: heartbeats and questions.

use kantoku_domain::{Standing, Timestamp};
use kantoku_streams::{Asker, Bus, Heard, Heartbeats, Question, Questions, warn_missing};

/// What a lease keeper hears next. Never returns where there is none. May be dropped and called
/// again, as can the next.
pub(crate) async fn hear(heartbeats: &mut Option<Heartbeats>) -> Heard {
    if let Some(heartbeats) = heartbeats
        && let Some(heard) = heartbeats.next().await
    {
        return heard;
    }
    std::future::pending().await
}

/// Begins to listen to questions. `None` when it does not work now: those who ask are not answered
/// for a while.
pub(crate) async fn listen(bus: &Bus) -> Option<Questions> {
    bus.questions().await.inspect_err(|fault| warn_missing("nats", "hear questions", fault)).ok()
}

/// The next question. Never returns where nobody listens.
pub(crate) async fn hear_question(questions: &mut Option<Questions>) -> (Question, Asker) {
    if let Some(questions) = questions
        && let Some(asked) = questions.next().await
    {
        return asked;
    }
    std::future::pending().await
}

pub(crate) async fn answer(asker: Asker, standing: Option<Standing>) {
    if let Err(fault) = asker.answer(standing).await {
        tracing::debug!(%fault, "a question was not answered");
    }
}

pub(crate) async fn echo(heartbeats: Option<&Heartbeats>, now: Timestamp) {
    let Some(heartbeats) = heartbeats else { return };
    if let Err(fault) = heartbeats.echo(now).await {
        tracing::debug!(%fault, "no echo was sent");
    }
}
