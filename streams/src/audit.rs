//! Who asked for what, from where, and what came of it: one entry per command, and per refusal for
//! want of a right.

use std::time::Duration;

use async_nats::{Client, jetstream::Context};
use kantoku_domain::{Namespace, Timestamp, access::Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{Cause, Fault, direct, subject};

/// How long the server may take to keep an entry.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// One entry. It holds no parameters, as these may hold what nobody else may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// When it was asked.
    pub at: Timestamp,
    /// By whom: the name of the key.
    pub actor: String,
    /// By which key; `None` where none was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// What that was good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The method.
    pub method: String,
    /// Whose, of a method that is about one namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `ok`, or the reason of the error.
    pub outcome: String,
    /// The error's code; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Under which the log of the server says more.
    pub trace_id: String,
}

/// An entry, and its position in the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredAudit {
    /// Its position.
    pub position: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// The audit.
#[derive(Clone)]
pub struct Audit {
    client: Client,
    context: Context,
}

impl Audit {
    /// How many entries one page has at most.
    pub const PAGE: usize = 1_000;

    pub(crate) fn new(client: Client, context: Context) -> Self {
        Self { client, context }
    }

    /// Keeps an entry, and returns its position.
    pub async fn append(&self, entry: &AuditEntry) -> Result<u64, Fault> {
        let fault = |cause: Cause| Fault::unreachable("keep an entry of the audit", cause);
        let json = serde_json::to_vec(entry).map_err(|error| fault(error.into()))?;
        let published = self.context.publish(subject::AUDITED, json.into()).await;
        let ack = published.map_err(|error| fault(error.into()))?;
        let stored = timeout(ANSWER_TIMEOUT, ack).await.map_err(|error| fault(error.into()))?;
        Ok(stored.map_err(|error| fault(error.into()))?.sequence)
    }

    /// The entries after position `after`, in order, `max` or [`Self::PAGE`] at most. Those that
    /// cannot be read are left out.
    pub async fn page(&self, after: u64, max: usize) -> Result<Vec<StoredAudit>, Fault> {
        let (from, max) = (after.saturating_add(1), max.min(Self::PAGE));
        let (stream, subject) = (subject::AUDIT, subject::AUDITED);
        let page = direct::page(&self.client, stream, subject, from, max).await?;
        let read = page.messages.iter().filter_map(|message| {
            let entry = serde_json::from_slice(&message.payload).ok()?;
            Some(StoredAudit { position: message.stream_seq, entry })
        });
        Ok(read.collect())
    }
}
