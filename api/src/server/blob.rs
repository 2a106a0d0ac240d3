//! `blob.*`: large values, which lie beside the events.

use std::{collections::HashSet, sync::Arc};

use kantoku_domain::BlobRef;
use kantoku_streams::{BlobError, Fault, blobs_named};

use super::{Api, Module, operation};
use crate::{
    ApiError, Code,
    contract::{Blob, BlobLoad, BlobStore, BlobVerify, Finding, Method as _, NoParams},
};

pub(super) fn register(module: &mut Module) {
    module.register::<BlobLoad>(load);
    module.register::<BlobStore>(store);
    module.register::<BlobVerify>(async |api: Arc<Api>, _: NoParams| {
        operation::start(&api, BlobVerify::NAME)
    });
}

async fn load(api: Arc<Api>, blob: BlobRef) -> Result<Blob, ApiError> {
    if !is_digest(&blob.digest) {
        let message = "a digest is sha256: and 64 hexadecimal digits, in lower case";
        return Err(ApiError::new(Code::Invalid, message).field("digest"));
    }
    let bytes = api.bus.ledger().blobs().get(&blob).await.map_err(|error| match error {
        // It is the caller who names it here, and no event: what is stored may well be as it should.
        BlobError::Missing { .. } => ApiError::new(Code::NotFound, error).field("digest"),
        BlobError::OtherSize { .. } => ApiError::new(Code::Invalid, error).field("size"),
        _ => error.into(),
    })?;
    let content = String::from_utf8(bytes.to_vec()).map_err(|_| {
        ApiError::new(Code::Invalid, format!("{} is no text", blob.digest)).field("digest")
    })?;
    Ok(Blob { content })
}

/// Whether it is what [`digest_of`](kantoku_streams::digest_of) gives.
fn is_digest(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_hex))
}

async fn store(api: Arc<Api>, blob: Blob) -> Result<BlobRef, ApiError> {
    Ok(api.bus.ledger().blobs().put(blob.content.into()).await.map_err(Fault::from)?)
}

/// What is wrong with the large values that events name.
#[derive(Default)]
pub(super) struct Verdict {
    /// Some of it.
    pub(super) findings: Vec<Finding>,
    /// How much it is.
    pub(super) found: u64,
    /// Up to where the events were read.
    pub(super) as_of_seq: u64,
}

impl Verdict {
    /// How many findings are kept.
    const KEPT_MAX: usize = 100;

    fn add(&mut self, aggregate: Option<String>, stream_seq: Option<u64>, error: &dyn ToString) {
        self.found += 1;
        if self.findings.len() < Self::KEPT_MAX {
            self.findings.push(Finding {
                rule: "blob".into(),
                aggregate,
                stream_seq,
                message: error.to_string(),
                advice: "restore the object store ktk_blobs from a backup".into(),
            });
        }
    }
}

/// Fetches every large value that an event names, once. `progress` is told the position reached, and
/// the one to reach.
pub(super) async fn verify(
    api: &Api,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Verdict, Fault> {
    let mut replay = api.bus.replay(1).await?;
    let mut verdict = Verdict { as_of_seq: replay.last_seq(), ..Verdict::default() };
    let mut seen = HashSet::new();
    while let Some(page) = replay.next_page().await? {
        for recorded in page {
            let recorded = match recorded {
                Ok(recorded) => recorded,
                // The event itself lies there.
                Err(Fault::Blob(error)) => {
                    verdict.add(None, None, &error);
                    continue;
                }
                Err(_) => continue,
            };
            let at = recorded.stream_seq;
            for blob in blobs_named(&recorded.event) {
                if !seen.insert(blob.digest.clone()) {
                    continue;
                }
                match api.bus.ledger().blobs().get(blob).await {
                    Ok(_) => {}
                    Err(error @ BlobError::Store { .. }) => return Err(error.into()),
                    Err(error) => {
                        let aggregate = format!("{}/{}", recorded.aggregate, recorded.id);
                        verdict.add(Some(aggregate), Some(at), &error);
                    }
                }
            }
            progress(at, verdict.as_of_seq);
        }
    }
    Ok(verdict)
}
