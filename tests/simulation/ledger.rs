//! A ledger in memory: one append path with a guard per aggregate, as the real one has.

use std::{collections::HashMap, sync::Arc};

use kantoku_domain::{
    Aggregate, Context, Envelope, Event, Id, Metadata, Namespace, NamespaceState, Policy, Recorded,
    Resource, Specification, Task,
};

/// An aggregate, folded.
#[derive(Clone, Debug)]
pub(crate) struct Loaded<A> {
    pub(crate) state: Arc<A>,
    pub(crate) version: u64,
    /// The position of its last event: the guard of the next.
    pub(crate) stream_seq: u64,
}

impl<A: Aggregate> Default for Loaded<A> {
    fn default() -> Self {
        Self { state: Arc::default(), version: 0, stream_seq: 0 }
    }
}

/// All aggregates of a kind.
pub(crate) type Shelf<A> = HashMap<Id, Loaded<A>>;

/// An event that was decided and not stored yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: Id,
    pub(crate) version: u64,
    pub(crate) event: Event,
    pub(crate) metadata: Metadata,
    /// What the position of the aggregate's last event has to be.
    pub(crate) guard: u64,
}

impl Draft {
    pub(crate) fn is_announcement(&self) -> bool {
        matches!(self.event, Event::TaskReady(_))
    }
}

/// Somebody else was faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict;

/// The stream, and all aggregates as of its end.
#[derive(Default)]
pub(crate) struct Ledger {
    namespace: Namespace,
    pub(crate) events: Vec<Arc<Recorded>>,
    pub(crate) tasks: Shelf<Task>,
    pub(crate) contexts: Shelf<Context>,
    pub(crate) resources: Shelf<Resource>,
    pub(crate) specifications: Shelf<Specification>,
    pub(crate) policies: Shelf<Policy>,
    pub(crate) namespaces: Shelf<NamespaceState>,
    /// Which command led to which event of which aggregate.
    commands: HashMap<(Id, Id), u64>,
}

/// An aggregate that the ledger keeps.
pub(crate) trait Kept: Aggregate {
    fn shelf(ledger: &Ledger) -> &Shelf<Self>;
    fn shelf_mut(ledger: &mut Ledger) -> &mut Shelf<Self>;
}

macro_rules! kept {
    ($($aggregate:ty: $shelf:ident,)*) => {$(
        impl Kept for $aggregate {
            fn shelf(ledger: &Ledger) -> &Shelf<Self> {
                &ledger.$shelf
            }
            fn shelf_mut(ledger: &mut Ledger) -> &mut Shelf<Self> {
                &mut ledger.$shelf
            }
        }
    )*};
}

kept! {
    Task: tasks,
    Context: contexts,
    Resource: resources,
    Specification: specifications,
    Policy: policies,
    NamespaceState: namespaces,
}

impl Ledger {
    /// How many events there are: the position of the last.
    pub(crate) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn at(&self, stream_seq: u64) -> Option<&Arc<Recorded>> {
        self.events.get(usize::try_from(stream_seq).ok()?.checked_sub(1)?)
    }

    /// An aggregate as it is now.
    pub(crate) fn load<A: Kept>(&self, id: Id) -> Loaded<A> {
        A::shelf(self).get(&id).cloned().unwrap_or_default()
    }

    pub(crate) fn task(&self, id: Id) -> Option<&Task> {
        self.tasks.get(&id).map(|loaded| &*loaded.state)
    }

    /// The event that a command had led to.
    pub(crate) fn event_of(&self, id: Id, command_id: Id) -> Option<&Arc<Recorded>> {
        self.at(*self.commands.get(&(id, command_id))?)
    }

    /// The draft of the event that follows on `loaded`.
    pub(crate) fn draft<A>(loaded: &Loaded<A>, event: Event, envelope: &Envelope) -> Draft {
        Draft {
            id: envelope.aggregate_id,
            version: loaded.version + 1,
            event,
            metadata: envelope.metadata(loaded.stream_seq),
            guard: loaded.stream_seq,
        }
    }

    /// Stores an event if its guard holds; `is_guarded` is for ledgers that do not look.
    pub(crate) fn append(
        &mut self,
        draft: &Draft,
        is_guarded: bool,
    ) -> Result<Arc<Recorded>, Conflict> {
        let last = self.last(draft);
        if is_guarded && last != draft.guard {
            return Err(Conflict);
        }
        let stream_seq = self.head() + 1;
        let recorded = Arc::new(Recorded {
            stream_seq,
            subject: String::new(),
            namespace: self.namespace.clone(),
            aggregate: draft.event.kind(),
            id: draft.id,
            version: draft.version,
            event: draft.event.clone(),
            metadata: draft.metadata.clone(),
        });
        self.events.push(Arc::clone(&recorded));
        if !draft.is_announcement() {
            self.commands.insert((draft.id, draft.metadata.command_id), stream_seq);
            self.evolve(&recorded);
        }
        Ok(recorded)
    }

    /// The position of the last event of the aggregate that a draft is about.
    pub(crate) fn last(&self, draft: &Draft) -> u64 {
        fn last<A: Kept>(ledger: &Ledger, id: Id) -> u64 {
            A::shelf(ledger).get(&id).map_or(0, |loaded| loaded.stream_seq)
        }
        use kantoku_domain::Kind;
        match draft.event.kind() {
            Kind::Task => last::<Task>(self, draft.id),
            Kind::Context => last::<Context>(self, draft.id),
            Kind::Resource => last::<Resource>(self, draft.id),
            Kind::Specification => last::<Specification>(self, draft.id),
            Kind::Policy => last::<Policy>(self, draft.id),
            Kind::Namespace => last::<NamespaceState>(self, draft.id),
            Kind::Pipeline | Kind::Type => 0,
        }
    }

    fn evolve(&mut self, recorded: &Recorded) {
        fn evolve<A: Kept>(ledger: &mut Ledger, recorded: &Recorded) {
            let loaded = A::shelf_mut(ledger).entry(recorded.id).or_default();
            Arc::make_mut(&mut loaded.state).evolve(&recorded.event);
            loaded.version = recorded.version;
            loaded.stream_seq = recorded.stream_seq;
        }
        use kantoku_domain::Kind;
        match recorded.aggregate {
            Kind::Task => evolve::<Task>(self, recorded),
            Kind::Context => evolve::<Context>(self, recorded),
            Kind::Resource => evolve::<Resource>(self, recorded),
            Kind::Specification => evolve::<Specification>(self, recorded),
            Kind::Policy => evolve::<Policy>(self, recorded),
            Kind::Namespace => evolve::<NamespaceState>(self, recorded),
            Kind::Pipeline | Kind::Type => {}
        }
    }
}
