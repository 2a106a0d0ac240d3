//! Positions and times.

use kantoku_domain::Timestamp;
use sqlx::types::time::OffsetDateTime;

use super::Reader;
use crate::Error;

/// How many positions behind a time what was written before it may lie: who writes at the same time
/// comes in any order.
const DISORDER_MAX: i64 = 1_000;

const DOING: &str = "looking up a position";

impl Reader {
    /// The last position at or before `at`; `None` before the first. Found by halves, as times grow
    /// with positions but for a little disorder.
    pub async fn position_at(&self, at: Timestamp) -> Result<Option<u64>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let (mut low, mut high, mut found) = (0, as_of_seq as i64, None);
        while low < high {
            let middle = high - (high - low) / 2;
            let row: Option<(i64, OffsetDateTime)> = sqlx::query_as(
                "SELECT stream_seq, at FROM events WHERE stream_seq > $1 AND stream_seq <= $2 \
                 ORDER BY stream_seq DESC LIMIT 1",
            )
            .bind(low)
            .bind(middle)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database(DOING))?;
            match row {
                None => low = middle,
                Some((stream_seq, then)) if Timestamp::from(then) <= at => {
                    (low, found) = (middle, Some(stream_seq as u64));
                }
                Some((stream_seq, _)) => high = stream_seq - 1,
            }
        }
        loop {
            let behind: Option<i64> = sqlx::query_scalar(
                "SELECT max(stream_seq) FROM events \
                 WHERE stream_seq > $1 AND stream_seq <= $1 + $2 AND at <= $3",
            )
            .bind(low)
            .bind(DISORDER_MAX)
            .bind(at.to_offset())
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database(DOING))?;
            let Some(stream_seq) = behind else { return Ok(found) };
            (low, found) = (stream_seq, Some(stream_seq as u64));
        }
    }

    /// When the last event up to `stream_seq` was written; `None` if there is none.
    pub async fn time_of(&self, stream_seq: u64) -> Result<Option<Timestamp>, Error> {
        let (mut tx, _) = self.snapshot().await?;
        let at: Option<OffsetDateTime> = sqlx::query_scalar(
            "SELECT at FROM events WHERE stream_seq <= $1 ORDER BY stream_seq DESC LIMIT 1",
        )
        .bind(i64::try_from(stream_seq).unwrap_or(i64::MAX))
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::database(DOING))?;
        Ok(at.map(Timestamp::from))
    }
}
