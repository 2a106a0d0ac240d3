//! Which position is asked about.

use kantoku_domain::{Millis, Timestamp};
use kantoku_streams::now;

use super::super::{Api, shared::patience};
use crate::{ApiError, Code, contract::ReadParams};

/// How errors begin to say as of when they are so.
const AS_OF: &str = " (as of position ";

/// A position of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Moment {
    /// The position.
    pub(in crate::server) stream_seq: u64,
    /// When the last event up to it was written.
    pub(super) at: Timestamp,
}

impl Moment {
    /// That there is no such thing, told as of then; any other error as it is.
    pub(in crate::server) fn not_found(&self, error: ApiError) -> ApiError {
        if error.code != Code::NotFound {
            return error;
        }
        let told = error.message.split(AS_OF).next().unwrap_or_default();
        let message = format!("{told}{AS_OF}{})", self.stream_seq);
        ApiError { message, ..error }
    }
}

impl Api {
    /// The position that `params` ask about, once the read model is as of their `min_seq`; `None`:
    /// they ask about now.
    pub(in crate::server) async fn moment(
        &self,
        params: &ReadParams,
    ) -> Result<Option<Moment>, ApiError> {
        self.catch_up(params.min_seq, params.timeout).await?;
        let stream_seq = match (params.at_seq, &params.at) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message = "at_seq and at both say as of when: leave one of them out";
                return Err(ApiError::new(Code::Invalid, message).field("at"));
            }
            (Some(stream_seq), None) => self.position(stream_seq, params).await?,
            (None, Some(text)) => self.position_by_time(text, params).await?,
        };
        let first = self.bus.first_position().await?;
        if stream_seq < first {
            return Err(archived(stream_seq, first));
        }
        let at = self.reader.time_of(stream_seq).await?.unwrap_or_default();
        Ok(Some(Moment { stream_seq, at }))
    }

    /// The position itself, once the read model has it.
    async fn position(&self, stream_seq: u64, params: &ReadParams) -> Result<u64, ApiError> {
        let refused = |message: String| ApiError::new(Code::Invalid, message).field("at_seq");
        if stream_seq == 0 {
            return Err(refused("positions begin with 1".into()));
        }
        let head = self.bus.head().await?;
        if stream_seq > head {
            return Err(refused(format!(
                "the stream ends at position {head}, and {stream_seq} is yet to come: ask for one \
                 up to {head}, or wait for it with min_seq"
            )));
        }
        self.reader.wait_for(stream_seq, patience(params.timeout)?).await?;
        Ok(stream_seq)
    }

    /// The last position at or before a time, once the read model has all that there is by now.
    async fn position_by_time(&self, text: &str, params: &ReadParams) -> Result<u64, ApiError> {
        let refused = |message: String| ApiError::new(Code::Invalid, message).field("at");
        let now = now();
        let at = time(text, now).map_err(refused)?;
        if at > now {
            return Err(refused(format!("{at} is yet to come: it is {now}")));
        }
        self.reader.wait_for(self.bus.head().await?, patience(params.timeout)?).await?;
        let found = self.reader.position_at(at).await?;
        found.ok_or_else(|| {
            let message = format!("nothing had happened by {at}: the first event is later");
            ApiError::new(Code::NotFound, message).field("at")
        })
    }
}

/// `text` as a time: of its own, or so long before `now`.
fn time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let advice = || {
        format!(
            "{text:?} is no time: write 2026-01-02T03:04:05Z, or how long ago in ms, s, m, h or d: \
             10m"
        )
    };
    let ago: Millis = text.parse().map_err(|_| advice())?;
    let micros = i64::try_from(ago.0).ok().and_then(|millis| millis.checked_mul(1_000));
    let micros = micros.and_then(|ago| now.micros().checked_sub(ago)).ok_or_else(advice)?;
    Ok(Timestamp::from_micros(micros.max(0)))
}

/// What lies before the first position that the stream still has cannot be folded.
pub(super) fn archived(stream_seq: u64, first: u64) -> ApiError {
    let message = format!(
        "position {stream_seq} lies in the archive: the stream begins with {first}, and what was \
         archived cannot be read from here yet; ask for a position from {first} on, or look into an \
         export that reaches back: ktk events replay FILE --to {stream_seq}"
    );
    ApiError::new(Code::Archived, message).field("at_seq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_full_or_as_how_long_ago() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let told = |text| time(text, now).map(|at| at.to_string());
        assert_eq!(told("2026-01-01T00:00:00Z"), Ok("2026-01-01T00:00:00Z".into()));
        assert_eq!(told("2026-01-01T02:00:00+02:00"), Ok("2026-01-01T00:00:00Z".into()));
        assert_eq!(told("4m"), Ok("2026-01-02T03:00:05Z".into()));
        assert_eq!(told("1.5s"), Ok("2026-01-02T03:04:03.5Z".into()));
        for wrong in ["", "yesterday", "-5m", "2026-01-01", "5"] {
            let error = told(wrong).expect_err("no time");
            assert!(error.contains("10m") && error.contains(&format!("{wrong:?}")), "{error}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_there_as_of_then() {
        let moment = Moment { stream_seq: 7, at: Timestamp::default() };
        let now =
            ApiError::new(Code::NotFound, "there is no context or task ab (as of position 9)");
        let then = moment.not_found(now);
        assert_eq!(then.message, "there is no context or task ab (as of position 7)");
        let other = ApiError::new(Code::Unavailable, "away");
        assert_eq!(moment.not_found(other.clone()), other);
    }
}
