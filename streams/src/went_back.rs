//! A stream that is not what it was: an older store was put in its place, or its tail was lost.

use async_nats::jetstream::{Context, ErrorCode, stream::RawMessageErrorKind};
use kantoku_domain::{Id, Timestamp};
use thiserror::Error;

use crate::{Fault, Ledger, Raw, direct, subject};

/// The stream of events went back behind what was read from it. Positions are used again for other
/// events: what was made of those that are gone has to be made anew.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the stream of events went back behind position {stream_seq}, which was read: {what}; an \
     older store was put in its place, or it lost its tail"
)]
pub struct WentBack {
    /// The last position that was read.
    pub stream_seq: u64,
    /// How it shows.
    pub what: String,
}

/// Why it is not known whether a stream went back, or that it did.
pub(crate) enum Doubt {
    WentBack(WentBack),
    Fault(Fault),
}

impl From<Fault> for Doubt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Where somebody is in the stream: what must be found there again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// When the stream was created.
    created: Option<Timestamp>,
    /// The last event that was read.
    last: Option<(u64, Id)>,
}

impl Place {
    /// An event was read.
    pub(crate) fn at(&mut self, stream_seq: u64, event_id: Id) {
        if self.last.is_none_or(|(last, _)| last < stream_seq) {
            self.last = Some((stream_seq, event_id));
        }
    }

    /// Looks whether the stream is still what it was, as its leader has it.
    pub(crate) async fn check(&mut self, context: &Context, ledger: &Ledger) -> Result<(), Doubt> {
        let fault = |cause: crate::Cause| Fault::unreachable("look at the stream of events", cause);
        let stream = context.get_stream(subject::EVENTS).await;
        let stream = stream.map_err(|error| fault(error.into()))?;
        let info = stream.cached_info();
        let created = Timestamp::from(info.created);
        let before = *self.created.get_or_insert(created);
        let Some((stream_seq, event_id)) = self.last else { return Ok(()) };
        let went_back = |what| Err(Doubt::WentBack(WentBack { stream_seq, what }));
        if before != created {
            return went_back(format!("it was created at {before}, and now at {created}"));
        }
        let end = info.state.last_sequence;
        if end < stream_seq {
            return went_back(format!("it ends at {end}"));
        }
        let message = match stream.get_raw_message(stream_seq).await {
            Ok(message) => message,
            // Purged, as whatever is archived.
            Err(error) if is_missing(error.kind()) => return Ok(()),
            Err(error) => return Err(fault(error.into()).into()),
        };
        let raw = Raw {
            stream_seq: message.sequence,
            subject: message.subject.to_string(),
            event_type: direct::text(&message.headers, subject::TYPE_HEADER),
            payload: message.payload,
        };
        match ledger.decode(raw).await {
            Ok(found) if found.metadata.event_id == event_id => Ok(()),
            Ok(found) => went_back(format!(
                "event {event_id} was there, and now {}",
                found.metadata.event_id
            )),
            Err(fault) if fault.is_final() => {
                went_back(format!("event {event_id} was there, and now something else"))
            }
            Err(fault) => Err(fault.into()),
        }
    }
}

fn is_missing(kind: RawMessageErrorKind) -> bool {
    match kind {
        RawMessageErrorKind::NoMessageFound => true,
        RawMessageErrorKind::JetStream(error) => error.error_code() == ErrorCode::NO_MESSAGE_FOUND,
        _ => false,
    }
}
