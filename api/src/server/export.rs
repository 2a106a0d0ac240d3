//! `event.export`

use std::sync::Arc;

use kantoku_streams::{Bus, Chain, Document, Fault};

use super::{Api, Module};
use crate::{
    ApiError,
    contract::{EventExport, ExportHeader, ExportParams, Exported, LeftOut},
};

/// How much of the stream one part of an export looks at, in pages of some hundred events.
const PAGES_MAX: usize = 32;
/// How many events one part of an export holds.
const EVENTS_MAX: usize = 1_000;
/// What one part of an export holds, but for its last event.
const BYTES_MAX: usize = 8 * 1024 * 1024;

pub(super) fn register(module: &mut Module) {
    module.register::<EventExport>(export);
}

async fn export(api: Arc<Api>, params: ExportParams) -> Result<Exported, ApiError> {
    let namespace = params.namespace.unwrap_or_default();
    let (stream_created, head) = api.bus.extent().await?;
    let header = ExportHeader {
        kantoku: ExportHeader::FORMAT.to_owned(),
        stream_created,
        from_seq: params.from_seq.max(1),
        to_seq: params.to_seq.unwrap_or(head),
        chain_start: Chain::START,
        namespace: (!params.all_namespaces).then_some(namespace),
        context_id: params.context_id,
    };
    Ok(part(&api.bus, header).await?)
}

/// Events from where the header says, and where to go on.
async fn part(bus: &Bus, header: ExportHeader) -> Result<Exported, Fault> {
    let mut replay = bus.replay(header.from_seq).await?;
    let end = header.to_seq.min(replay.last_seq());
    let (mut bytes, mut next) = (0, header.from_seq);
    let (events, left_out) = (Vec::new(), Vec::new());
    let mut part = Exported { header, events, left_out, next_seq: None };
    for _ in 0..PAGES_MAX {
        let Some(page) = replay.next_documents().await? else { return Ok(part) };
        for document in page {
            let document = match document {
                Ok(document) => document,
                Err(Fault::Malformed(malformed)) => {
                    if malformed.stream_seq <= end {
                        let (stream_seq, reason) = (malformed.stream_seq, malformed.reason);
                        part.left_out.push(LeftOut { stream_seq, reason });
                    }
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if document.stream_seq > end {
                return Ok(part);
            }
            if part.events.len() >= EVENTS_MAX || bytes >= BYTES_MAX {
                part.next_seq = Some(document.stream_seq);
                return Ok(part);
            }
            next = document.stream_seq + 1;
            if is_wanted(&document, &part.header) {
                bytes += document.line.as_str().len();
                part.events.push(document.line);
            }
        }
    }
    part.next_seq = (next <= end).then_some(next);
    Ok(part)
}

fn is_wanted(document: &Document, header: &ExportHeader) -> bool {
    header.namespace.as_ref().is_none_or(|namespace| document.namespace == *namespace)
        && header.context_id.is_none_or(|id| document.context_id == id)
}
