//! The handlers of a node, and how far they are.

use kantoku_domain::{
    Id, Recorded, Standing, Timestamp,
    dependency::{HttpProbe, Probed},
};
use kantoku_service::{Health, Ready};
use kantoku_streams::{
    Delivery, Heard,
    defect::{self, Defect},
    now,
};
use tokio::time::Instant;

use crate::{
    Handler, HandlerName, LeaseKeeper, NodeConfig,
    hands::Job,
    lanes::Lanes,
    metric,
    poison::{self, Poison, Poisoned},
};

/// The part of [`Health`] that a node reports.
const PART: &str = "node";

/// See the module.
pub(crate) struct Logic {
    handlers: Vec<(HandlerName, Box<dyn Handler>)>,
    keeper: Option<LeaseKeeper>,
    health: Health,
    pub(crate) clock: Clock,
    position: u64,
    head: u64,
    /// All that there was when the node began is folded: what is due is due now.
    pub(crate) is_live: bool,
    /// Who is asked first, so that nobody is passed over for long.
    turn: usize,
}

impl Logic {
    pub(crate) fn new(config: &NodeConfig, head: u64) -> Self {
        let names = || config.handlers.iter();
        let mut logic = Self {
            handlers: names()
                .filter_map(|name| Some((*name, name.of_events(config.lease)?)))
                .collect(),
            keeper: names().find_map(|name| name.keeper(config.lease)),
            health: config.health.clone(),
            clock: Clock::start(),
            position: 0,
            head,
            is_live: false,
            turn: 0,
        };
        logic.moved_to(0);
        logic
    }

    /// Takes in what was delivered; what comes again is passed over, and so is what is `poison`. On
    /// an event that a handler panics at, it ends: the handler is not what it should be any more.
    pub(crate) fn fold(&mut self, batch: &[Delivery], poison: &Poison) -> Result<(), Poisoned> {
        let mut folded = 0;
        for delivery in batch {
            let recorded = delivery.recorded();
            if recorded.stream_seq > self.position {
                self.apply(recorded, poison)?;
                self.moved_to(recorded.stream_seq);
                folded += 1;
            }
        }
        metric::folded(folded, batch.last().map_or(0, Delivery::left));
        Ok(())
    }

    fn apply(&mut self, recorded: &Recorded, poison: &Poison) -> Result<(), Poisoned> {
        let keeper = self.keeper.iter_mut();
        let keeper = keeper.map(|keeper| (HandlerName::LeaseKeeper, keeper as &mut dyn Handler));
        let handlers = self.handlers.iter_mut();
        let handlers = handlers.map(|(name, handler)| (*name, &mut **handler as &mut dyn Handler));
        for (name, handler) in handlers.chain(keeper) {
            if !poison.is_for(recorded.stream_seq, name) {
                poison::apply(name, handler, recorded)?;
            }
        }
        Ok(())
    }

    fn moved_to(&mut self, position: u64) {
        self.position = position;
        if self.is_live {
            return;
        }
        self.is_live = position >= self.head;
        if self.is_live && defect::has(Defect::UnfoldOnce) {
            self.handlers.iter_mut().for_each(|(_, handler)| drop(handler.due(now(), 1 << 20)));
        }
        let ready = if self.is_live {
            tracing::info!(position, "the processor node has caught up");
            Ready::Yes
        } else {
            Ready::No(format!("folding the history: at {position} of {}", self.head))
        };
        self.health.report(PART, ready);
    }

    /// Takes in an event of this process ahead of its delivery.
    pub(crate) fn foresee(&mut self, recorded: &Recorded) {
        self.handlers.iter_mut().for_each(|(_, handler)| handler.foresee(recorded));
    }

    pub(crate) fn probed(&mut self, probe: &HttpProbe, probed: Probed) {
        self.handlers.iter_mut().for_each(|(_, handler)| handler.probed(probe, probed));
    }

    pub(crate) async fn hear(&mut self, heard: Heard) {
        let Some(keeper) = &mut self.keeper else { return };
        match heard {
            Heard::Beat(beat, responder) => {
                let reply = keeper.heard(&beat, self.clock.now());
                if let Err(fault) = responder.answer(&reply).await {
                    tracing::debug!(%fault, "a heartbeat was not answered");
                }
            }
            Heard::Echo(at) => keeper.echoed(at),
            Heard::Interrupted => keeper.interrupted(),
        }
        metric::leases(keeper.held());
    }

    /// Where a task stands, for whoever asks.
    pub(crate) fn standing(&self, task_id: Id) -> Option<Standing> {
        let now = now();
        self.handlers.iter().find_map(|(_, handler)| handler.standing(task_id, now))
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let next = self.handlers.iter().filter_map(|(_, handler)| handler.next_due()).min();
        next.filter(|_| self.is_live)
    }

    /// Begins what is due, as far as there is room.
    pub(crate) fn act(&mut self, lanes: &mut Lanes<Job>) {
        if !self.is_live {
            return;
        }
        let now = now();
        self.turn = self.turn.wrapping_add(1);
        let Self { handlers, keeper, turn, .. } = self;
        let mut all: Vec<&mut dyn Handler> = Vec::with_capacity(handlers.len() + 1);
        all.extend(keeper.iter_mut().map(|keeper| keeper as &mut dyn Handler));
        all.extend(handlers.iter_mut().map(|(_, handler)| &mut **handler as &mut dyn Handler));
        let first = *turn % all.len().max(1);
        all.rotate_left(first);
        for handler in all {
            for effect in handler.due(now, lanes.room()) {
                lanes.begin(effect, None);
            }
        }
        metric::open(lanes.open());
    }
}

/// Time that does not jump: what was heard when is compared with nothing but itself.
pub(crate) struct Clock {
    start: Timestamp,
    elapsed: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { start: now(), elapsed: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start.plus(self.elapsed.elapsed())
    }
}
