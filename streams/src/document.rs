//! The document of an event as one line, made of the very bytes that are stored.
//!
//! Nothing of what an event says is read and written anew on the way, so the line stays the same
//! whatever a later version makes of the event: seals and exports are chained over such lines.

use std::borrow::Cow;

use kantoku_domain::{BlobRef, Id, Kind, Namespace, Recorded};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    Blobs, Fault, Malformed, Raw, codec,
    subject::{self, Address, Parsed},
};

/// The document of an event, without a newline at its end.
#[derive(Clone, Debug)]
pub struct Line(Box<RawValue>);

impl Line {
    /// Takes a line of an export. It need not be an event, but one JSON value.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The event, as this version understands it.
    pub fn read(&self) -> Result<Recorded, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// Its position in the stream.
    pub fn stream_seq(&self) -> Result<u64, serde_json::Error> {
        #[derive(Deserialize)]
        struct Place {
            stream_seq: u64,
        }
        serde_json::from_str::<Place>(self.as_str()).map(|place| place.stream_seq)
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl JsonSchema for Line {
    fn schema_name() -> Cow<'static, str> {
        "Line".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The document of an event, to the letter as it is stored, whichever \
                            version wrote it.",
            "type": "object",
        })
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// A stored event by its line, and what one has to know to pick lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Position in the stream.
    pub stream_seq: u64,
    /// The event.
    pub event_id: Id,
    /// Whose it is.
    pub namespace: Namespace,
    /// The context that it belongs to.
    pub context_id: Id,
    /// All of it.
    pub line: Line,
}

/// The payload, with what is not looked at left as it is.
#[derive(Deserialize)]
struct Stored<'a> {
    version: u64,
    #[serde(borrow, default)]
    event: Option<Typed<'a>>,
    #[serde(default)]
    blob: Option<BlobRef>,
    #[serde(borrow)]
    metadata: &'a RawValue,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    type_: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// In the order of the fields of [`Recorded`].
#[derive(Serialize)]
struct Written<'a> {
    stream_seq: u64,
    subject: &'a str,
    namespace: &'a Namespace,
    aggregate: Kind,
    id: Id,
    version: u64,
    #[serde(rename = "type")]
    type_: &'a str,
    data: &'a RawValue,
    metadata: &'a RawValue,
}

#[derive(Deserialize)]
struct Stamp {
    event_id: Id,
    correlation_id: Id,
}

/// What a task's announcement says about whose it is.
#[derive(Deserialize)]
struct Announced {
    task_id: Id,
}

/// The document of a stored message. A large event is fetched from the blob store.
/// [`Fault::Malformed`] when it is no event.
pub(crate) async fn document(blobs: &Blobs, raw: Raw) -> Result<Document, Fault> {
    let plain = match stored(&raw) {
        Ok(Stored { event: Some(typed), blob: None, version, metadata }) => {
            written(&raw, version, &typed, metadata)
        }
        Ok(Stored { event: None, blob: Some(blob), version, metadata }) => {
            let json = blobs.get(&blob).await?;
            let typed: Result<Typed<'_>, _> = serde_json::from_slice(&json);
            match typed {
                Ok(typed) => written(&raw, version, &typed, metadata),
                Err(error) => Err(malformed(&raw, format!("its blob {}: {error}", blob.digest))),
            }
        }
        Ok(_) => Err(malformed(&raw, "it holds not one event".into())),
        Err(error) => Err(malformed(&raw, error.to_string())),
    };
    match plain {
        Ok(document) => Ok(document),
        // Whatever handlers take for an event is part of the history, however it is written.
        Err(malformed) => match codec::decode(blobs, raw).await {
            Ok((recorded, _)) => rewritten(&recorded),
            Err(_) => Err(malformed.into()),
        },
    }
}

fn stored(raw: &Raw) -> Result<Stored<'_>, serde_json::Error> {
    serde_json::from_slice(&raw.payload)
}

fn malformed(raw: &Raw, reason: String) -> Malformed {
    Malformed { subject: raw.subject.clone(), stream_seq: raw.stream_seq, reason }
}

fn written(
    raw: &Raw,
    version: u64,
    typed: &Typed<'_>,
    metadata: &RawValue,
) -> Result<Document, Malformed> {
    let wrong = |reason: String| malformed(raw, reason);
    if raw.event_type.as_deref() != Some(&*typed.type_) {
        return Err(wrong("its header names another type than its payload".into()));
    }
    let parsed = subject::parse(&raw.subject).map_err(|error| wrong(error.to_string()))?;
    let Address { namespace, kind, id } = match parsed {
        Parsed::Event(address) => address,
        Parsed::Ready(namespace) => {
            let announced: Announced =
                serde_json::from_str(typed.data.get()).map_err(|error| wrong(error.to_string()))?;
            Address { namespace, kind: Kind::Task, id: announced.task_id }
        }
    };
    let stamp: Stamp =
        serde_json::from_str(metadata.get()).map_err(|error| wrong(error.to_string()))?;
    let written = Written {
        stream_seq: raw.stream_seq,
        subject: &raw.subject,
        namespace: &namespace,
        aggregate: kind,
        id,
        version,
        type_: &typed.type_,
        data: typed.data,
        metadata,
    };
    let line = line(&written).map_err(|error| wrong(error.to_string()))?;
    let (stream_seq, event_id, context_id) = (raw.stream_seq, stamp.event_id, stamp.correlation_id);
    Ok(Document { stream_seq, event_id, namespace, context_id, line })
}

fn rewritten(recorded: &Recorded) -> Result<Document, Fault> {
    let line = line(recorded).map_err(|error| Malformed {
        subject: recorded.subject.clone(),
        stream_seq: recorded.stream_seq,
        reason: error.to_string(),
    })?;
    Ok(Document {
        stream_seq: recorded.stream_seq,
        event_id: recorded.metadata.event_id,
        namespace: recorded.namespace.clone(),
        context_id: recorded.metadata.correlation_id,
        line,
    })
}

fn line(document: &impl Serialize) -> Result<Line, serde_json::Error> {
    let mut text = serde_json::to_string(document)?;
    // What others have published may be laid out over several lines. In texts newlines are escaped.
    if text.contains(['\n', '\r']) {
        text = text.replace(['\n', '\r'], " ");
    }
    Line::parse(text)
}

/// What is to be stored so that its document is `line` again: the subject, the type, the payload. A
/// large event goes to the blob store first.
pub(crate) async fn store(blobs: &Blobs, line: &Line) -> Result<(String, String, Vec<u8>), Fault> {
    #[derive(Deserialize)]
    struct Read<'a> {
        stream_seq: u64,
        subject: String,
        version: u64,
        #[serde(rename = "type")]
        type_: String,
        #[serde(borrow)]
        data: &'a RawValue,
        #[serde(borrow)]
        metadata: &'a RawValue,
    }
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(rename = "type")]
        type_: &'a str,
        data: &'a RawValue,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Payload<'a> {
        Event { version: u64, event: Whole<'a>, metadata: &'a RawValue },
        Blob { version: u64, blob: BlobRef, metadata: &'a RawValue },
    }
    let none = |error: serde_json::Error| Malformed {
        subject: String::new(),
        stream_seq: line.stream_seq().unwrap_or_default(),
        reason: error.to_string(),
    };
    let read: Read<'_> = serde_json::from_str(line.as_str()).map_err(none)?;
    let Read { version, metadata, stream_seq, .. } = read;
    let event = Whole { type_: &read.type_, data: read.data };
    let json = serde_json::to_vec(&event).map_err(none)?;
    let payload = if json.len() > kantoku_domain::Datum::INLINE_BYTES_MAX {
        Payload::Blob { version, blob: blobs.put(json.into()).await?, metadata }
    } else {
        Payload::Event { version, event, metadata }
    };
    let payload = serde_json::to_vec(&payload).map_err(none)?;
    let raw = Raw {
        stream_seq,
        subject: read.subject.clone(),
        event_type: Some(read.type_.clone()),
        payload: payload.clone().into(),
    };
    // What would not come out as it goes in is not taken in.
    if document(blobs, raw).await?.line != *line {
        return Err(Malformed {
            subject: read.subject,
            stream_seq,
            reason: "it is not written as Kantoku writes events".into(),
        }
        .into());
    }
    Ok((read.subject, read.type_, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: &str = "evt.team-7.2a.context.0193b0de-0000-7000-8000-00000000002a";
    const METADATA: &str = r#"{"event_id":"0193b0de-0000-7000-8000-00000000002b","command_id":"0193b0de-0000-7000-8000-00000000002c","correlation_id":"0193b0de-0000-7000-8000-00000000002a","actor":"anna","service_id":"api","schema":1,"at":"2026-01-02T03:04:05Z","previous_seq":3}"#;

    fn raw(event: &str) -> Raw {
        Raw {
            stream_seq: 7,
            subject: SUBJECT.into(),
            event_type: Some("ContextCancelled".into()),
            payload: format!("{{\"version\":2,{event},\"metadata\":{METADATA}}}").into(),
        }
    }

    fn event(data: &str) -> String {
        format!("\"event\":{{\"type\":\"ContextCancelled\",\"data\":{data}}}")
    }

    async fn line_of(raw: Raw) -> Result<Line, Fault> {
        let blobs = Blobs::in_memory(Blobs::BYTES_MAX);
        document(&blobs, raw).await.map(|document| document.line)
    }

    #[tokio::test]
    async fn a_line_is_made_of_the_bytes_that_are_stored() {
        let data = r#"{"reason":"a\nb","score":0.30000000000000004,"a":1}"#;
        let line = line_of(raw(&event(data))).await.unwrap();
        assert_eq!(
            line.as_str(),
            format!(
                "{{\"stream_seq\":7,\"subject\":\"{SUBJECT}\",\"namespace\":\"team-7\",\
                 \"aggregate\":\"context\",\"id\":\"0193b0de-0000-7000-8000-00000000002a\",\
                 \"version\":2,\"type\":\"ContextCancelled\",\"data\":{data},\"metadata\":{METADATA}}}"
            )
        );
        let read = line.read().unwrap();
        let blobs = Blobs::in_memory(Blobs::BYTES_MAX);
        assert_eq!(read, codec::decode(&blobs, raw(&event(data))).await.unwrap().0);
        // What this version writes itself is the same document.
        let event = event(r#"{"reason":"late"}"#);
        let line = line_of(raw(&event)).await.unwrap();
        assert_eq!(line.as_str(), serde_json::to_string(&line.read().unwrap()).unwrap());
    }

    #[tokio::test]
    async fn the_type_of_an_event_need_not_be_known_and_its_layout_does_not_matter() {
        let unknown = "\"event\":{\"type\":\"ContextBlessed\",\n \"data\":{\"by\" : 1}\n}";
        let raw = Raw { event_type: Some("ContextBlessed".into()), ..raw(unknown) };
        let line = line_of(raw).await.unwrap();
        assert!(line.as_str().contains("\"data\":{\"by\" : 1}"), "{line:?}");
        assert!(!line.as_str().contains('\n') && line.read().is_err());
        assert_eq!(line.stream_seq().unwrap(), 7);
    }

    #[tokio::test]
    async fn what_handlers_take_for_an_event_has_a_line() {
        let doubled = format!("{},\"blob\":null", event(r#"{"reason":"late"}"#));
        let blobs = Blobs::in_memory(Blobs::BYTES_MAX);
        let is_event = codec::decode(&blobs, raw(&doubled)).await.is_ok();
        assert_eq!(line_of(raw(&doubled)).await.is_ok(), is_event);
        for (what, raw) in [
            ("header", Raw { event_type: None, ..raw(&event("{\"reason\":\"\"}")) }),
            ("subject", Raw { subject: "evt.a".into(), ..raw(&event("{\"reason\":\"\"}")) }),
            ("payload", Raw { payload: "garbage".into(), ..raw("") }),
            ("event", raw("\"other\":1")),
        ] {
            let fault = line_of(raw).await.unwrap_err();
            assert!(matches!(fault, Fault::Malformed(_)), "{what}: {fault}");
        }
    }

    #[tokio::test]
    async fn what_a_line_says_comes_out_as_it_went_in_however_large_it_is() {
        let blobs = Blobs::in_memory(Blobs::BYTES_MAX);
        for reason in ["late", &"x".repeat(70_000)] {
            let json =
                format!("{{\"type\":\"ContextCancelled\",\"data\":{{\"reason\":\"{reason}\"}}}}");
            let blob = blobs.put(json.into()).await.unwrap();
            let blob = serde_json::to_string(&blob).unwrap();
            let line = document(&blobs, raw(&format!("\"blob\":{blob}"))).await.unwrap().line;
            assert!(line.as_str().contains(reason));
            let (subject, event_type, payload) = store(&blobs, &line).await.unwrap();
            assert!(payload.len() < 2_000, "{} bytes", payload.len());
            let raw = Raw {
                stream_seq: 7,
                subject,
                event_type: Some(event_type),
                payload: payload.into(),
            };
            assert_eq!(document(&blobs, raw).await.unwrap().line, line);
        }
        let spaced = Line::parse("{ \"stream_seq\": 7 }".into()).unwrap();
        assert!(store(&blobs, &spaced).await.is_err());
    }
}
