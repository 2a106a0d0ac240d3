//! The history of the server, part by part.

use std::collections::VecDeque;

use kantoku_api::contract::{
    EventExport, ExportHeader, ExportParams, Exported, SealList, SealsParams,
};
use kantoku_domain::{Id, Namespace};
use kantoku_streams::{Line, StoredSeal};

use crate::{error::CommandError, session::Session};

/// Which part of the history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The first position.
    pub(crate) from_seq: u64,
    /// The last position; what is the last one now unless given.
    pub(crate) to_seq: Option<u64>,
    /// Only this namespace.
    pub(crate) namespace: Option<Namespace>,
    /// Only this context.
    pub(crate) context_id: Option<Id>,
}

/// Reads it.
pub(crate) struct Live<'a> {
    session: &'a Session,
    params: ExportParams,
    /// What an export of it begins with.
    pub(crate) header: ExportHeader,
    lines: VecDeque<Line>,
    left_out: Vec<u64>,
    next_seq: Option<u64>,
}

impl<'a> Live<'a> {
    /// Asks for the first part.
    pub(crate) async fn open(scope: Scope, session: &'a Session) -> Result<Self, CommandError> {
        let mut params = ExportParams {
            from_seq: scope.from_seq.max(1),
            to_seq: scope.to_seq,
            context_id: scope.context_id,
            all_namespaces: scope.namespace.is_none() && scope.context_id.is_none(),
            namespace: scope.namespace,
        };
        let Exported { header, events, left_out, next_seq } =
            session.call::<EventExport>(&params).await?;
        // All parts together are the stretch up to what was the last position at the start.
        params.to_seq = Some(header.to_seq);
        let left_out = left_out.into_iter().map(|it| it.stream_seq).collect();
        Ok(Self { session, params, header, lines: events.into(), left_out, next_seq })
    }

    /// The next line; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, CommandError> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            let Some(next_seq) = self.next_seq else { return Ok(None) };
            self.params.from_seq = next_seq;
            let part = self.session.call::<EventExport>(&self.params).await?;
            self.lines = part.events.into();
            self.left_out.extend(part.left_out.into_iter().map(|it| it.stream_seq));
            self.next_seq = part.next_seq;
        }
    }

    /// The positions up to here that hold no events, since they were asked for last.
    pub(crate) fn take_left_out(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.left_out)
    }
}

/// The seals of the stream as it is now: those since its chain began anew last.
pub(crate) struct Sealed<'a> {
    source: Option<&'a Session>,
    after: u64,
    seals: VecDeque<StoredSeal>,
}

impl<'a> Sealed<'a> {
    /// None at all.
    pub(crate) fn none() -> Self {
        Self { source: None, after: 0, seals: VecDeque::new() }
    }

    /// Seals that were kept.
    pub(crate) fn kept(seals: impl IntoIterator<Item = StoredSeal>) -> Self {
        let mut current = VecDeque::new();
        for seal in seals {
            if seal.seal.begun.is_some() {
                current.clear();
            } else {
                current.push_back(seal);
            }
        }
        Self { source: None, after: 0, seals: current }
    }

    /// Those of the server.
    pub(crate) async fn live(session: &'a Session) -> Result<Self, CommandError> {
        // Where the chain began anew last has to be known first.
        let (mut after, mut begun) = (0, 0);
        loop {
            let page = session.call::<SealList>(&SealsParams { after }).await?.items;
            let Some(last) = page.last() else { break };
            after = last.position;
            let anew = page.iter().rev().find(|seal| seal.seal.begun.is_some());
            begun = anew.map_or(begun, |seal| seal.position);
        }
        Ok(Self { source: Some(session), after: begun, seals: VecDeque::new() })
    }

    /// The next one, which stays until it is taken.
    pub(crate) async fn peek(&mut self) -> Result<Option<&StoredSeal>, CommandError> {
        if self.seals.is_empty()
            && let Some(session) = self.source
        {
            let params = SealsParams { after: self.after };
            let page = session.call::<SealList>(&params).await?.items;
            match page.last() {
                Some(last) => self.after = last.position,
                None => self.source = None,
            }
            self.seals.extend(page);
        }
        Ok(self.seals.front())
    }

    /// Takes the one that was seen.
    pub(crate) fn pop(&mut self) {
        self.seals.pop_front();
    }
}
