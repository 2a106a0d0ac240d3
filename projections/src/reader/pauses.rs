//! Whether all work in a namespace is to wait.

use kantoku_domain::{Id, Kind, Namespace};
use sqlx::types::Json;

use super::{Found, Reader};
use crate::{
    Error,
    document::{NamespaceDocument, PauseDocument},
};

impl Reader {
    /// A namespace: each one that can be written exists.
    pub async fn namespace(
        &self,
        namespace: &Namespace,
    ) -> Result<Found<NamespaceDocument>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let id = Id::named(namespace, Kind::Namespace, namespace.as_str());
        let pause: Option<Json<PauseDocument>> =
            sqlx::query_scalar("SELECT document FROM pauses WHERE id = $1")
                .bind(id.uuid())
                .fetch_optional(&mut *tx)
                .await
                .map_err(Error::database("reading a namespace"))?;
        let name = namespace.clone();
        let document = match pause {
            Some(Json(PauseDocument { paused, stream_seq, .. })) => {
                NamespaceDocument { name, paused, stream_seq }
            }
            None => NamespaceDocument { name, paused: None, stream_seq: 0 },
        };
        Ok(Found { document, as_of_seq })
    }
}
