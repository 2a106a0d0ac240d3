//! As of when things are shown: `--at-seq` and `--at`.

use kantoku_api::contract::{GetParams, GraphParams, ReadParams};
use kantoku_domain::{Millis, Recorded, Timestamp};

use crate::output::now;

/// The flags by which one looks back.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct LookingBack {
    /// Show what is named as it was at this position of the stream
    #[arg(long, global = true, value_name = "SEQ", conflicts_with = "at")]
    at_seq: Option<u64>,
    /// Show what is named as it was then: 2026-01-02T03:04:05Z, or how long ago, e.g. 10m
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
}

/// A time, or how long ago it was.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let advice = || "write 2026-01-02T03:04:05Z, or how long ago, e.g. 90s, 10m, 2h or 1d";
    let Millis(millis) = text.parse().map_err(|_| advice())?;
    let micros = i64::try_from(millis).ok().and_then(|millis| millis.checked_mul(1_000));
    let micros = micros.and_then(|ago| now().micros().checked_sub(ago)).ok_or_else(advice)?;
    Ok(Timestamp::from_micros(micros.max(0)))
}

impl LookingBack {
    /// Whether nothing was said, so that things are shown as they are now.
    pub(crate) fn is_now(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event had happened by then. By time this is as exact as the clocks of those who
    /// wrote.
    pub(crate) fn includes(&self, recorded: &Recorded) -> bool {
        self.at_seq.is_none_or(|at_seq| recorded.stream_seq <= at_seq)
            && self.at.is_none_or(|at| recorded.metadata.at <= at)
    }
}

/// The parameters by which a record is asked for.
pub(crate) trait Asks {
    /// Of `params`, as of when `back` says.
    fn of(params: GetParams, back: &LookingBack) -> Self;
}

/// Of methods that only know of now.
impl Asks for GetParams {
    fn of(params: GetParams, _: &LookingBack) -> Self {
        params
    }
}

impl Asks for ReadParams {
    fn of(params: GetParams, back: &LookingBack) -> Self {
        let at = back.at.map(|at| at.to_string());
        Self { at_seq: back.at_seq, at, ..params.into() }
    }
}

impl Asks for GraphParams {
    fn of(params: GetParams, back: &LookingBack) -> Self {
        ReadParams::of(params, back).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_full_or_as_how_long_ago() {
        let at = "2026-01-02T03:04:05Z";
        assert_eq!(time(at).map(|at| at.to_string()), Ok(at.into()));
        let before = now().micros() - 600_000_000;
        let ago = time("10m").expect("a time").micros();
        assert!((before..=now().micros() - 600_000_000).contains(&ago), "{ago}");
        for wrong in ["", "yesterday", "-5m", "5"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
