//! A history as lines: their chain, compared with seals, and the events that they hold.

use std::collections::BTreeSet;

use kantoku_api::contract::Finding;
use kantoku_streams::{Chain, Line, Seal};
use serde::Serialize;

use super::{Audit, Extent, Findings};

/// How many gaps, and how many positions without an event, are remembered.
const KEPT_MAX: usize = 100_000;

/// What came of judging a history.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// How many events there are.
    pub events: u64,
    /// The position of the last.
    pub last_seq: u64,
    /// The last link of the chain over them.
    pub chain: Chain,
    /// Up to where seals say the same; `None` where there are none.
    pub sealed_seq: Option<u64>,
    /// How many seals were compared.
    pub seals: u64,
    /// What need not be wrong.
    pub notes: Vec<String>,
    /// What is wrong, as far as there is room for it.
    pub findings: Vec<Finding>,
    /// How much that is.
    pub found: u64,
}

/// Takes lines in one by one.
pub struct Chained {
    audit: Audit,
    extent: Extent,
    /// What was found by now; more may be added from elsewhere.
    pub findings: Findings,
    events: u64,
    /// The position of the last event, or the one before the first.
    last_seq: u64,
    chain: Chain,
    /// The same, but for what the seals were found to differ in: so every wrong stretch is found.
    sealed: (u64, Chain),
    sealed_seq: Option<u64>,
    /// Up to where seals were found right, from the first on.
    right_seq: u64,
    seals: u64,
    gaps: Vec<(u64, u64)>,
    left_out: BTreeSet<u64>,
}

impl Chained {
    /// A history of this extent that begins at `from_seq`, its chain with `start`.
    pub fn new(extent: Extent, from_seq: u64, start: Chain) -> Self {
        Self {
            audit: Audit::new(extent),
            extent,
            findings: Findings::default(),
            events: 0,
            last_seq: from_seq.max(1) - 1,
            chain: start,
            sealed: (0, start),
            sealed_seq: None,
            right_seq: 0,
            seals: 0,
            gaps: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// The position of the last line that was taken in.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// How many events were taken in.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Takes in the next line; `place` says where it stands, for people.
    pub fn take(&mut self, line: &Line, place: &str) {
        self.events += 1;
        self.chain = self.chain.next(line.as_str());
        self.sealed = (self.sealed.0 + 1, self.sealed.1.next(line.as_str()));
        match line.read() {
            Ok(recorded) => {
                self.moved_to(recorded.stream_seq);
                self.audit.take(&recorded, &mut self.findings);
            }
            Err(error) => {
                let stream_seq = line.stream_seq().ok();
                let message = format!("{place} cannot be read as an event: {error}");
                self.findings.add_at("unreadable", stream_seq, message);
                if let Some(stream_seq) = stream_seq {
                    self.moved_to(stream_seq);
                }
            }
        }
    }

    fn moved_to(&mut self, stream_seq: u64) {
        if stream_seq > self.last_seq + 1
            && self.extent != Extent::Filtered
            && self.gaps.len() < KEPT_MAX
        {
            self.gaps.push((self.last_seq + 1, stream_seq - 1));
        }
        self.last_seq = self.last_seq.max(stream_seq);
    }

    /// Notes that what lies at a position is no event.
    pub fn left_out(&mut self, stream_seq: u64) {
        if self.left_out.len() < KEPT_MAX {
            self.left_out.insert(stream_seq);
        }
    }

    /// Compares with a seal. To be called when all lines up to its position are taken in, and no
    /// others.
    pub fn seal(&mut self, seal: &Seal) {
        self.seals += 1;
        let since = self.sealed_seq.map_or(1, |seq| seq + 1);
        let is_right = seal.stream_seq == self.last_seq && (seal.events, seal.chain) == self.sealed;
        if is_right {
            if self.findings_of_seals() == 0 {
                self.right_seq = seal.stream_seq;
            }
        } else {
            let message = format!(
                "the events at positions {since} to {} are not those that were sealed at {}",
                seal.stream_seq, seal.at
            );
            self.findings.add_at("seal", Some(seal.stream_seq), message);
        }
        self.sealed = (seal.events, seal.chain);
        self.sealed_seq = Some(seal.stream_seq);
    }

    fn findings_of_seals(&self) -> usize {
        self.findings.kept().iter().filter(|finding| finding.rule == "seal").count()
    }

    /// Compares with what an export says at its end.
    pub fn trailer(&mut self, events: u64, last_seq: u64, chain: Chain) {
        if (events, chain) == (self.events, self.chain) {
            return;
        }
        let message = format!(
            "the {} events give {}, but the export ends with {events} events and {chain}",
            self.events, self.chain
        );
        self.findings.add_at("chain", Some(last_seq), message);
    }

    /// The verdict. `proved`: whether what is there is known to be all that there was, so that
    /// positions without an event mean nothing.
    pub fn end(mut self, proved: bool) -> Verdict {
        let mut notes = Vec::new();
        let gaps = std::mem::take(&mut self.gaps);
        let mut explained = 0;
        for (from, to) in gaps {
            let here = self.left_out.range(from..=to).count() as u64;
            explained += here;
            if here == to - from + 1 {
                continue;
            }
            let message = format!("positions {from} to {to} hold no event");
            if proved || to <= self.right_seq {
                notes.push(message);
            } else {
                let message = format!("{message}, and no seal says that they never did");
                self.findings.add_at("gap", Some(from), message);
            }
        }
        let no_events = self.left_out.len() as u64;
        if no_events > 0 || explained > 0 {
            notes.push(format!("{no_events} messages are no events and were left out"));
        }
        Verdict {
            events: self.events,
            last_seq: self.last_seq,
            chain: self.chain,
            sealed_seq: self.sealed_seq,
            seals: self.seals,
            notes,
            found: self.findings.found(),
            findings: self.findings.kept().to_vec(),
        }
    }
}
