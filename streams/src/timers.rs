//! Timers that the server keeps: they fire though whoever set them is gone.

use async_nats::{
    HeaderMap, HeaderName, header,
    jetstream::{Context, stream::Stream},
};
use kantoku_domain::{Id, Timestamp};
use serde::Serialize;

use crate::{Fault, subject};

/// How long what was due waits for its reader. A reader that was away for longer sets its timers
/// anew from the events.
const DUE_TTL: &str = "168h";

/// The stream of timers: one subject per timer, so that setting it twice is one timer.
#[derive(Clone)]
pub struct Timers {
    context: Context,
    stream: Stream<()>,
}

impl Timers {
    pub(crate) async fn open(context: &Context) -> Result<Self, Fault> {
        let stream = context
            .get_stream_no_info(subject::TIMERS)
            .await
            .map_err(|error| Fault::unreachable("open the stream of timers", error))?;
        Ok(Self { context: context.clone(), stream })
    }

    /// Lets `payload` arrive among what is [due](crate::Bus::due) of `kind` at `at`: never before
    /// and, measured, up to a third of a second later. Replaces the timer `id` when it is set.
    pub async fn set<T: Serialize>(
        &self,
        id: Id,
        kind: &str,
        at: Timestamp,
        payload: &T,
    ) -> Result<(), Fault> {
        let fault = |cause: crate::Cause| Fault::unreachable("set a timer", cause);
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_SCHEDULE, format!("@at {at}"));
        headers.insert(header::NATS_SCHEDULE_TARGET, subject::due(kind));
        headers.insert(header::NATS_SCHEDULE_TTL, DUE_TTL);
        let payload = serde_json::to_vec(payload).map_err(|error| fault(error.into()))?;
        let stored = self
            .context
            .publish_with_headers(subject::timer(id), headers, payload.into())
            .await
            .map_err(|error| fault(error.into()))?;
        stored.await.map_err(|error| fault(error.into()))?;
        Ok(())
    }

    /// Takes back the timer `id`. One that is due already arrives all the same.
    pub async fn cancel(&self, id: Id) -> Result<(), Fault> {
        self.stream
            .purge()
            .filter(subject::timer(id))
            .await
            .map_err(|error| Fault::unreachable("take back a timer", error))?;
        Ok(())
    }
}

/// The timer that a due message came from.
pub(crate) fn timer_of(headers: Option<&HeaderMap>) -> Option<Id> {
    let name: HeaderName = header::NATS_SCHEDULER;
    subject::timer_id(headers?.get(name)?.as_str())
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
