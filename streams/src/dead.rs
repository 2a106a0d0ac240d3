//! Dead letters: what a handler could not digest, with the reason.

use async_nats::{HeaderMap, jetstream::Context};

use crate::{Fault, Raw, metric, subject};

/// The header that says why a message is dead.
pub const REASON_HEADER: &str = "Ktk-Reason";
/// The header with the subject of the original.
pub const SUBJECT_HEADER: &str = "Ktk-Subject";
/// The header with the position of the original.
pub const STREAM_SEQ_HEADER: &str = "Ktk-Stream-Seq";

const REASON_CHARS_MAX: usize = 1_000;

/// Puts a copy of `raw` among the dead letters of `consumer`, once it is stored there.
pub(crate) async fn bury(
    context: &Context,
    consumer: &str,
    raw: &Raw,
    reason: &str,
) -> Result<(), Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(REASON_HEADER, one_line(reason));
    headers.insert(SUBJECT_HEADER, raw.subject.as_str());
    headers.insert(STREAM_SEQ_HEADER, raw.stream_seq.to_string());
    if let Some(event_type) = &raw.event_type {
        headers.insert(subject::TYPE_HEADER, event_type.as_str());
    }
    let fault = |cause| Fault::unreachable("store a dead letter", cause);
    let stored = context
        .publish_with_headers(subject::dead(consumer), headers, raw.payload.clone())
        .await
        .map_err(|error| fault(crate::Cause::from(error)))?;
    stored.await.map_err(|error| fault(error.into()))?;
    metric::buried(consumer);
    tracing::error!(
        consumer,
        subject = raw.subject,
        stream_seq = raw.stream_seq,
        reason,
        "an event went to the dead letters"
    );
    Ok(())
}

/// Headers cannot hold line breaks.
fn one_line(reason: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    reason.chars().take(REASON_CHARS_MAX).map(printable).collect()
}
