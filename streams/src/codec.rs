//! How an event is stored.
//!
//! The header `Ktk-Type` holds its type; the payload is
//! `{"version", "event": {"type", "data"} | "blob": {"digest", "size"}, "metadata"}`. An event over
//! 64 KiB lies whole in the blob store, and the payload says where.

use bytes::Bytes;
use kantoku_domain::{BlobRef, Datum, Event, Id, Metadata, Namespace, Recorded};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    Blobs, Fault, Raw,
    subject::{self, Parsed},
};

/// A stored message that is no event. No later try can read it: it belongs among the dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("message {stream_seq} on {subject} cannot be read as an event: {reason}")]
pub struct Malformed {
    /// Where it was published.
    pub subject: String,
    /// Its position.
    pub stream_seq: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What is read of a payload. One of `event` and `blob` is there.
#[derive(Deserialize)]
struct Stored {
    version: u64,
    #[serde(default)]
    event: Option<Box<Event>>,
    #[serde(default)]
    blob: Option<BlobRef>,
    metadata: Metadata,
}

/// The payload of an event, and the size of the event. A large event goes to the blob store first,
/// so that whoever reads the payload finds it there.
pub async fn encode(
    blobs: &Blobs,
    version: u64,
    event: &Event,
    metadata: &Metadata,
) -> Result<(Bytes, usize), Fault> {
    // The event is written where it will lie, once.
    let mut payload = format!("{{\"version\":{version},\"event\":").into_bytes();
    let start = payload.len();
    to_json(&mut payload, event);
    let bytes = payload.len() - start;
    if bytes > Datum::INLINE_BYTES_MAX {
        let blob = Box::pin(blobs.put(payload.split_off(start).into())).await?;
        payload = format!("{{\"version\":{version},\"blob\":").into_bytes();
        to_json(&mut payload, &blob);
    }
    payload.extend_from_slice(b",\"metadata\":");
    to_json(&mut payload, metadata);
    payload.push(b'}');
    Ok((payload.into(), bytes))
}

/// The event that `raw` holds, fetched from the blob store when it lies there, and its size.
/// [`Fault::Malformed`] and blobs that are missing or corrupt are final; other faults are not.
pub async fn decode(blobs: &Blobs, raw: Raw) -> Result<(Recorded, usize), Fault> {
    let malformed = |reason: String| Malformed {
        subject: raw.subject.clone(),
        stream_seq: raw.stream_seq,
        reason,
    };
    let stored: Stored =
        serde_json::from_slice(&raw.payload).map_err(|error| malformed(error.to_string()))?;
    let (event, bytes) = match (stored.event, stored.blob) {
        (Some(event), None) => (*event, raw.payload.len()),
        (None, Some(blob)) => {
            let json = Box::pin(blobs.get(&blob)).await?;
            let event: Event = serde_json::from_slice(&json)
                .map_err(|error| malformed(format!("its blob {}: {error}", blob.digest)))?;
            (event, json.len())
        }
        (Some(_), Some(_)) => return Err(malformed("it has an event and a blob".into()).into()),
        (None, None) => return Err(malformed("it has neither event nor blob".into()).into()),
    };
    if raw.event_type.as_deref() != Some(event.name()) {
        let header = raw.event_type.as_deref().unwrap_or("nothing");
        let name = event.name();
        return Err(malformed(format!("its header says {header}, its payload {name}")).into());
    }
    let (namespace, id) = owner(&raw.subject, &event).map_err(malformed)?;
    let recorded = Recorded {
        stream_seq: raw.stream_seq,
        subject: raw.subject,
        namespace,
        aggregate: event.kind(),
        id,
        version: stored.version,
        event,
        metadata: stored.metadata,
    };
    Ok((recorded, bytes))
}

/// Whose event it is: the subject says so, except for `TaskReady`, which lies on a queue's.
fn owner(subject: &str, event: &Event) -> Result<(Namespace, Id), String> {
    match (subject::parse(subject).map_err(|error| error.to_string())?, event) {
        (Parsed::Ready(namespace), Event::TaskReady(ready)) => Ok((namespace, ready.task_id)),
        (Parsed::Event(address), event)
            if address.kind == event.kind() && !matches!(event, Event::TaskReady(_)) =>
        {
            Ok((address.namespace, address.id))
        }
        (_, event) => Err(format!("{} does not belong on this subject", event.name())),
    }
}

fn to_json<T: Serialize>(to: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(to, value).expect("events and metadata have string keys only");
}

#[cfg(test)]
mod tests {
    use kantoku_domain::{Kind, Timestamp, task};
    use serde_json::json;

    use super::*;

    fn id() -> Id {
        "0193b0de-0000-7000-8000-00000000002a".parse().unwrap()
    }

    fn metadata() -> Metadata {
        Metadata {
            event_id: id(),
            command_id: id(),
            causation_id: None,
            correlation_id: id(),
            actor: "test".into(),
            service_id: "test".into(),
            schema: Metadata::SCHEMA,
            at: Timestamp::from_micros(1),
            previous_seq: 3,
        }
    }

    fn cancelled(reason: &str) -> Event {
        let event = json!({ "type": "ContextCancelled", "data": { "reason": reason } });
        serde_json::from_value(event).unwrap()
    }

    async fn stored(blobs: &Blobs, event: &Event) -> serde_json::Value {
        serde_json::from_slice(&encode(blobs, 4, event, &metadata()).await.unwrap().0).unwrap()
    }

    #[tokio::test]
    async fn the_stored_form_is_a_contract() {
        let blobs = Blobs::in_memory(Blobs::BYTES_MAX);
        let metadata = serde_json::to_value(metadata()).unwrap();
        assert_eq!(
            stored(&blobs, &cancelled("late")).await,
            json!({
                "version": 4,
                "event": { "type": "ContextCancelled", "data": { "reason": "late" } },
                "metadata": metadata.clone(),
            })
        );
        let large = stored(&blobs, &cancelled(&"x".repeat(70_000))).await;
        let blob: BlobRef = serde_json::from_value(large["blob"].clone()).unwrap();
        assert_eq!(large, json!({ "version": 4, "blob": blob, "metadata": metadata }));
    }

    #[test]
    fn an_event_on_a_subject_of_another_kind_has_no_owner() {
        let namespace = Namespace::default();
        let ready =
            task::Ready { task_id: id(), attempt: 1, guard: 1, round: 0, inputs: [].into() };
        let (ready, cancelled) = (Event::TaskReady(ready), cancelled("late"));
        let queue = subject::ready(&namespace, "gpu", 0);
        let task = subject::event(&namespace, Kind::Task, id());
        assert_eq!(owner(&queue, &ready), Ok((namespace, id())));
        assert!(owner(&task, &ready).is_err());
        assert!(owner(&task, &cancelled).is_err());
        assert!(owner(&queue, &cancelled).is_err());
    }
}
