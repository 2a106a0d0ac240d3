//! How far a projection has got, and who may move it.

use kantoku_domain::{Id, Recorded, Timestamp};
use kantoku_streams::defect::{self, Defect};
use serde::Deserialize;
use sqlx::{PgConnection, Row as _, types::Json};

use crate::{Database, Error, cache::Mark, transaction::Transaction};

/// The channel on which commits are announced, as `<schema> <position>`, with ` anew` behind when
/// other tables have taken the place of those before.
pub(crate) const CHANNEL: &str = "ktk_checkpoint";

/// Begins the transaction of a batch, in one round trip. The lock on the checkpoint comes before
/// all else and is held to the end, which is what makes these safe:
/// - projectors of one schema take turns;
/// - whoever swaps schemas waits for the batch that is under way, and the next batch looks the
///   tables up after the swap, so that it never writes one half here and one half there.
///
/// Every row is looked up by its key, so statements are planned once for all lengths of lists and
/// all sizes of tables; a scan that is good on a table that is small now would be kept. The rows of a
/// batch find room in memory while they are written.
const BEGIN_BATCH: &str = "BEGIN; \
     SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan; \
     SET LOCAL work_mem = '32MB'; \
     LOCK TABLE checkpoint IN SHARE ROW EXCLUSIVE MODE; \
     SELECT to_jsonb(checkpoint) AS checkpoint, \
            concat_ws(' ', tableoid, xmin, stream_seq, event_id) AS mark FROM checkpoint";

/// What the checkpoint's mark will be once a transaction is committed that writes it.
pub(crate) const OWN_MARK: &str =
    "concat_ws(' ', tableoid, pg_current_xact_id()::xid, stream_seq, event_id)";

/// How far a projection has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Checkpoint {
    /// Position of the last event that was projected, 0 for none.
    pub stream_seq: u64,
    /// That event.
    pub event_id: Option<Id>,
    /// When the stream was created that it comes from.
    pub stream_created: Option<Timestamp>,
}

impl Checkpoint {
    /// Refuses events of another stream than that which the rows were made from.
    pub(crate) fn check_stream(&self, stream_created: Timestamp) -> Result<(), Error> {
        match self.stream_created {
            Some(expected) if expected != stream_created => {
                Err(Error::OtherStream { expected, found: stream_created })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a stream that holds `found` at the checkpoint's position, `None` for nothing.
    pub(crate) fn check_event(&self, found: Option<Id>) -> Result<(), Error> {
        match self.event_id {
            _ if defect::has(Defect::EventIdUnchecked) => Ok(()),
            Some(expected) if found != Some(expected) => Err(Error::Diverged {
                stream_seq: self.stream_seq,
                expected,
                found: found.unwrap_or_default(),
            }),
            _ => Ok(()),
        }
    }
}

impl Database {
    /// Begins the transaction of a batch. Returns the checkpoint, which nobody else can move until the
    /// transaction ends, and its mark.
    pub(crate) async fn begin_batch(&self) -> Result<(Transaction, Checkpoint, Mark), Error> {
        let doing = "beginning a batch";
        let mut tx = self.begin(BEGIN_BATCH, doing).await?;
        let row = tx.take_first().ok_or(sqlx::Error::RowNotFound);
        let row = row.map_err(Error::database(doing))?;
        let Json(checkpoint) = row.try_get("checkpoint").map_err(Error::database(doing))?;
        let mark = row.try_get("mark").map_err(Error::database(doing))?;
        Ok((tx, checkpoint, Mark(mark)))
    }

    /// How far the tables of this schema have got.
    pub async fn checkpoint(&self) -> Result<Checkpoint, Error> {
        let doing = "reading the checkpoint";
        // No transaction: whoever loses patience in the middle of its beginning would leave it to the
        // next who gets the connection.
        let mut connection = self.acquire(doing).await?;
        read(&mut connection).await
    }
}

pub(crate) async fn read(connection: &mut PgConnection) -> Result<Checkpoint, Error> {
    let Json(checkpoint) = sqlx::query_scalar("SELECT to_jsonb(checkpoint) FROM checkpoint")
        .fetch_one(connection)
        .await
        .map_err(Error::database("reading the checkpoint"))?;
    Ok(checkpoint)
}

/// Moves the checkpoint alone, as nobody should who has rows to write.
pub(crate) async fn advance(connection: &mut PgConnection, to: &Recorded) -> Result<(), Error> {
    sqlx::query("UPDATE checkpoint SET stream_seq = $1, event_id = $2")
        .bind(to.stream_seq as i64)
        .bind(to.metadata.event_id.uuid())
        .execute(connection)
        .await
        .map_err(Error::database("moving the checkpoint"))?;
    Ok(())
}
