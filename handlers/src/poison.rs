//! Events at which a handler panics: they go to the dead letters, and the others go on.
//!
//! A handler that panicked in the middle of an event is not what it was. So it is thrown away with
//! all others of its node, which fold the history anew without that event.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use kantoku_domain::Recorded;
use thiserror::Error;

use crate::{Handler, HandlerName};

/// How many events are passed over. What comes on top is passed over as well, but the history is not
/// folded anew for it: guards keep safe what a handler that is not quite right does.
const POISON_MAX: usize = 64;

/// The events that are passed over, each by the handler that panicked at it.
#[derive(Debug, Default)]
pub(crate) struct Poison(BTreeSet<(u64, HandlerName)>);

/// A handler panicked.
#[derive(Debug, Error)]
#[error("the {handler} panicked at event {stream_seq}: {what}")]
pub(crate) struct Poisoned {
    pub(crate) stream_seq: u64,
    handler: HandlerName,
    what: String,
}

impl Poison {
    pub(crate) fn is_for(&self, stream_seq: u64, handler: HandlerName) -> bool {
        !self.0.is_empty() && self.0.contains(&(stream_seq, handler))
    }

    /// From now on the event is passed over.
    pub(crate) fn add(&mut self, poisoned: &Poisoned) {
        self.0.insert((poisoned.stream_seq, poisoned.handler));
    }

    /// Whether it is worth while to fold the history anew.
    pub(crate) fn is_bounded(&self) -> bool {
        self.0.len() <= POISON_MAX
    }

    /// From now on the event is tried again.
    pub(crate) fn forget(&mut self, stream_seq: u64) {
        self.0.retain(|(seq, _)| *seq != stream_seq);
    }
}

/// Lets a handler take in an event.
pub(crate) fn apply(
    name: HandlerName,
    handler: &mut dyn Handler,
    recorded: &Recorded,
) -> Result<(), Poisoned> {
    let take_in = || {
        #[cfg(test)]
        crate::testing::stumble(name, recorded);
        handler.apply(recorded);
    };
    catch_unwind(AssertUnwindSafe(take_in)).map_err(|panic| Poisoned {
        stream_seq: recorded.stream_seq,
        handler: name,
        what: said(&*panic).to_owned(),
    })
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}
