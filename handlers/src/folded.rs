//! The handlers of a node, and up to where they have folded the stream.

use kantoku_domain::Recorded;

use crate::{
    Handler, HandlerName, LeaseKeeper, NodeConfig, SavedError,
    poison::{self, Poison, Poisoned},
};

/// See the module.
pub(crate) struct Folded {
    pub(crate) position: u64,
    pub(crate) handlers: Vec<(HandlerName, Box<dyn Handler>)>,
    pub(crate) keeper: Option<LeaseKeeper>,
}

impl Folded {
    /// Handlers as they begin.
    pub(crate) fn new(config: &NodeConfig) -> Self {
        let names = || config.handlers.iter();
        Self {
            position: 0,
            handlers: names()
                .filter_map(|name| Some((*name, name.of_events(config.lease)?)))
                .collect(),
            keeper: names().find_map(|name| name.keeper(config.lease)),
        }
    }

    fn each(&mut self) -> impl Iterator<Item = (HandlerName, &mut dyn Handler)> {
        let keeper = self.keeper.iter_mut();
        let keeper = keeper.map(|keeper| (HandlerName::LeaseKeeper, keeper as &mut dyn Handler));
        let handlers = self.handlers.iter_mut();
        let handlers = handlers.map(|(name, handler)| (*name, &mut **handler as &mut dyn Handler));
        handlers.chain(keeper)
    }

    /// Takes in the next event, where it is not `poison`.
    pub(crate) fn apply(&mut self, recorded: &Recorded, poison: &Poison) -> Result<(), Poisoned> {
        for (name, handler) in self.each() {
            if !poison.is_for(recorded.stream_seq, name) {
                poison::apply(name, handler, recorded)?;
            }
        }
        self.position = recorded.stream_seq;
        Ok(())
    }

    /// What each of them writes down.
    pub(crate) fn save(&mut self) -> Result<Vec<(HandlerName, Vec<u8>)>, SavedError> {
        self.each().map(|(name, handler)| Ok((name, handler.save()?))).collect()
    }

    /// Lets each go on from what it wrote at `position`. `None`: something is missing.
    pub(crate) fn restore(
        &mut self,
        position: u64,
        saved: &[(HandlerName, &[u8])],
    ) -> Result<Option<()>, SavedError> {
        for (name, handler) in self.each() {
            let Some((_, saved)) = saved.iter().find(|(of, _)| *of == name) else {
                return Ok(None);
            };
            handler.restore(saved)?;
        }
        self.position = position;
        Ok(Some(()))
    }
}
