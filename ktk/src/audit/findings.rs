//! What was found.

use kantoku_api::contract::Finding;
use kantoku_domain::Recorded;

/// What was found, as far as there is room for it.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    found: u64,
}

impl Findings {
    /// How many are kept; the others are counted.
    pub const KEPT_MAX: usize = 100;

    /// Those that were kept.
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Adds one about an event.
    pub fn add(&mut self, rule: &'static str, recorded: &Recorded, message: impl Into<String>) {
        let aggregate = Some(format!("{}/{}", recorded.aggregate, recorded.id));
        let message = format!("{}: {}", recorded.event.name(), message.into());
        self.push(rule, aggregate, Some(recorded.stream_seq), message);
    }

    /// Adds one about a position, or the whole.
    pub fn add_at(
        &mut self,
        rule: &'static str,
        stream_seq: Option<u64>,
        message: impl Into<String>,
    ) {
        self.push(rule, None, stream_seq, message.into());
    }

    /// Adds what somebody else has found, `found` in all.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>, found: u64) {
        let room = Self::KEPT_MAX.saturating_sub(self.kept.len());
        self.kept.extend(findings.into_iter().take(room));
        self.found += found;
    }

    fn push(
        &mut self,
        rule: &'static str,
        aggregate: Option<String>,
        stream_seq: Option<u64>,
        message: String,
    ) {
        self.found += 1;
        if self.kept.len() < Self::KEPT_MAX {
            let advice = advice(rule, aggregate.as_deref(), stream_seq);
            let rule = rule.to_owned();
            self.kept.push(Finding { rule, aggregate, stream_seq, message, advice });
        }
    }
}

/// What to do about what breaks a rule.
fn advice(rule: &str, aggregate: Option<&str>, stream_seq: Option<u64>) -> String {
    let seq = stream_seq.unwrap_or_default();
    match (rule, aggregate) {
        ("chain" | "seal", _) => "compare with an export or seals that were kept elsewhere; an \
                                  event was altered, left out, added or moved"
            .into(),
        ("blob", _) => "fetch it anew: ktk events export FILE --blobs DIR".into(),
        ("gap", _) => "find out who purged the stream, or restore it from an export".into(),
        ("order" | "file", _) => "take another copy of the export, or export anew".into(),
        ("unreadable", _) => "read it with a newer ktk; if there is none, it was altered".into(),
        (_, Some(aggregate)) => format!(
            "see what led to it: ktk events log {aggregate}; whoever appended position {seq} went \
             past the guards: look at who may publish to the stream"
        ),
        _ => "find out who may publish to the stream".into(),
    }
}
