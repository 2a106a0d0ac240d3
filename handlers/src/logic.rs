//! The handlers of a node, and how far they are.

use kantoku_domain::{
    Id, Recorded, Standing, Timestamp,
    dependency::{HttpProbe, Probed},
};
use kantoku_service::{Health, Ready};
use kantoku_streams::{
    Delivery, Heard, Term,
    defect::{self, Defect},
    now,
};
use tokio::time::Instant;

use crate::{
    Handler, NodeConfig,
    folded::Folded,
    hands::Job,
    lanes::Lanes,
    metric,
    poison::{Poison, Poisoned},
};

/// The part of [`Health`] that a node reports.
const PART: &str = "node";

/// See the module.
pub(crate) struct Logic {
    folded: Folded,
    health: Health,
    pub(crate) clock: Clock,
    head: u64,
    /// All that there was when the node began is folded: what is due is due now.
    pub(crate) is_live: bool,
    /// The term that the scheduler has acted in last.
    term: Option<u64>,
    /// Who is asked first, so that nobody is passed over for long.
    turn: usize,
}

impl Logic {
    pub(crate) fn new(config: &NodeConfig, head: u64, folded: Folded) -> Self {
        let mut logic = Self {
            folded,
            health: config.health.clone(),
            clock: Clock::start(),
            head,
            is_live: false,
            term: None,
            turn: 0,
        };
        logic.moved();
        logic
    }

    /// Takes in what was delivered; what comes again is passed over, and so is what is `poison`. On
    /// an event that a handler panics at, it ends: the handler is not what it should be any more.
    pub(crate) fn fold(&mut self, batch: &[Delivery], poison: &Poison) -> Result<(), Poisoned> {
        let mut folded = 0;
        for delivery in batch {
            let recorded = delivery.recorded();
            if recorded.stream_seq > self.folded.position {
                self.folded.apply(recorded, poison)?;
                self.moved();
                folded += 1;
            }
        }
        metric::folded(folded, batch.last().map_or(0, Delivery::left));
        Ok(())
    }

    fn moved(&mut self) {
        if self.is_live {
            return;
        }
        let position = self.folded.position;
        self.is_live = position >= self.head;
        if self.is_live && defect::has(Defect::UnfoldOnce) {
            self.folded
                .handlers
                .iter_mut()
                .for_each(|(_, handler)| drop(handler.due(now(), 1 << 20)));
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
        self.folded.handlers.iter_mut().for_each(|(_, handler)| handler.foresee(recorded));
    }

    pub(crate) fn probed(&mut self, probe: &HttpProbe, probed: Probed) {
        self.folded.handlers.iter_mut().for_each(|(_, handler)| handler.probed(probe, probed));
    }

    pub(crate) async fn hear(&mut self, heard: Heard) {
        let Some(keeper) = &mut self.folded.keeper else { return };
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
        self.folded.handlers.iter().find_map(|(_, handler)| handler.standing(task_id, now))
    }

    /// The term that the scheduler acts in: it knows all that came before.
    fn acting(&self, term: Option<Term>) -> Option<u64> {
        term.filter(|term| self.folded.position >= term.head).map(|term| term.id)
    }

    /// When the clock next makes something due, in this term of the scheduler.
    pub(crate) fn next_due(&self, term: Option<Term>) -> Option<Timestamp> {
        let leads = self.acting(term).is_some();
        let acting = self.folded.handlers.iter().filter(|(name, _)| leads || !name.is_led());
        let next = acting.filter_map(|(_, handler)| handler.next_due()).min();
        next.filter(|_| self.is_live)
    }

    /// Begins what is due, as far as there is room. Without a term the scheduler stands by, and in
    /// another one than the last what it had handed out is taken back.
    pub(crate) fn act(&mut self, term: Option<Term>, lanes: &mut Lanes<Job>) {
        if !self.is_live {
            return;
        }
        let term = self.acting(term);
        let is_same = term.is_some() && term == self.term;
        self.term = term;
        let now = now();
        self.turn = self.turn.wrapping_add(1);
        let Self { folded: Folded { handlers, keeper, .. }, turn, .. } = self;
        let mut all: Vec<&mut dyn Handler> = Vec::with_capacity(handlers.len() + 1);
        all.extend(keeper.iter_mut().map(|keeper| keeper as &mut dyn Handler));
        for (name, handler) in handlers {
            if name.is_led() && !is_same {
                handler.stand_by();
            }
            if term.is_some() || !name.is_led() {
                all.push(&mut **handler);
            }
        }
        let first = *turn % all.len().max(1);
        all.rotate_left(first);
        for handler in all {
            for effect in handler.due(now, lanes.room()) {
                lanes.begin(effect, None, term);
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
