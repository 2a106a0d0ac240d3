//! `event.import`

use std::sync::Arc;

use kantoku_streams::{Fault, Line, RestoreError};

use super::{Api, Module};
use crate::{
    ApiError, Code,
    contract::{EventImport, ImportParams, Imported},
};

/// Services that append events by themselves: while one is there, positions cannot be kept.
const KINDS: [&str; 2] = ["node", "executor"];

pub(super) fn register(module: &mut Module) {
    module.register::<EventImport>(import);
}

async fn import(api: Arc<Api>, params: ImportParams) -> Result<Imported, ApiError> {
    if params.after_seq == 0 {
        nobody_appends(&api).await?;
    }
    let mut lines = Vec::with_capacity(params.lines.len());
    let mut stream_seq = params.after_seq;
    for (place, line) in params.lines.into_iter().enumerate() {
        let wrong = |what, error: serde_json::Error| {
            ApiError::new(Code::Invalid, format!("it is no {what}: {error}"))
                .field(format!("lines.{place}"))
        };
        let line = Line::parse(line).map_err(|error| wrong("JSON", error))?;
        stream_seq = line.stream_seq().map_err(|error| wrong("event", error))?;
        lines.push(line);
    }
    match api.bus.restore(&lines, params.after_seq).await {
        Ok(appended) => Ok(Imported { appended, stream_seq }),
        // What the stream holds is compared only: it is a line that cannot be read.
        Err(RestoreError::Fault(Fault::Malformed(malformed))) => {
            Err(ApiError::new(Code::Invalid, malformed).field("lines"))
        }
        Err(RestoreError::Fault(fault)) => Err(fault.into()),
        Err(error @ RestoreError::Order { .. }) => {
            Err(ApiError::new(Code::Invalid, error).field("lines"))
        }
        Err(error @ RestoreError::Taken { .. }) => {
            Err(ApiError::new(Code::Rejected, error).reason("not_empty"))
        }
        Err(error @ RestoreError::Overtaken) => {
            Err(ApiError::new(Code::Conflict, error).reason("overtaken"))
        }
    }
}

async fn nobody_appends(api: &Api) -> Result<(), ApiError> {
    let services = api.bus.presence().list().await?;
    let Some(there) = services.iter().find(|service| KINDS.contains(&service.kind.as_str())) else {
        return Ok(());
    };
    let message = format!(
        "{} {} is present and would append events in between: stop all but api, projector and \
         sealer until the import is over (one that was killed is forgotten within seconds)",
        there.kind, there.service_id
    );
    Err(ApiError::new(Code::Rejected, message).reason("busy"))
}
