//! What is under way: each thing that somebody does, step by step, so that others can come between.

use kantoku_domain::{
    Aggregate as _, Context, Decision, Envelope, Id, NamespaceState, Policy, Rejection, Resource,
    Specification, Task, context, dependency::HttpProbe, namespace, policy, resource,
    restart::Unfolding, specification, task,
};
use kantoku_streams::CancelOrder;

use crate::{
    broken::Broken,
    judge::Decided,
    ledger::{Draft, Kept, Loaded},
};
use kantoku_handlers::Timeout;

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Node(usize),
    Executor(usize),
    User,
    /// Somebody who is gone: what was sent arrives all the same, and nobody hears the answer.
    Gone,
}

/// A command to any aggregate.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Task(task::Command),
    Context(context::Command),
    Resource(resource::Command),
    Specification(specification::Command),
    Policy(policy::Command),
    Namespace(namespace::Command),
}

/// What follows once the outcome is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// The executor runs what it has claimed, by the announcement at this position.
    Run(u64),
    /// The executor is done with its attempt.
    Leave(Id, u32),
    /// The timer is settled.
    Settle(Id),
}

#[derive(Clone, Debug)]
pub(crate) enum Work {
    Command { order: Order, envelope: Envelope, then: Then },
    Announce { draft: Box<Draft>, decided: Decided },
    Unfold(Box<Unfold>),
    Probe(HttpProbe),
    SetTimer(Timeout),
    CancelTimer(Id),
    Stop { service_id: String, order: CancelOrder },
}

/// The restart of a context that is being carried out.
#[derive(Clone, Debug)]
pub(crate) struct Unfold {
    pub(crate) unfolding: Unfolding,
    pub(crate) context_id: Id,
    /// The event that says so.
    pub(crate) cause: Id,
    /// Whether it was seen that it is not settled yet.
    pub(crate) is_open: bool,
    /// The step that was looked at: the task as it was, and what to send to it.
    pub(crate) step: Option<(Loaded<Task>, task::Command, Envelope)>,
}

/// What somebody has loaded.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Task(Loaded<Task>),
    Context(Loaded<Context>),
}

/// How far it is.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Fresh,
    Loaded(Seen),
    /// An append that no answer came to.
    Unknown(Box<Draft>),
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) owner: Owner,
    /// What one owner does in one lane is done in order.
    pub(crate) lane: Id,
    pub(crate) work: Work,
    pub(crate) stage: Stage,
    pub(crate) tries: u32,
}

/// What a step of it came to.
#[derive(Clone, Debug)]
pub(crate) enum Came {
    /// There is more to do.
    Open,
    /// It is done; with an event of its own, or without.
    Done(Option<u64>),
    Rejected(Rejection),
}

impl Op {
    pub(crate) fn new(owner: Owner, lane: Id, work: Work) -> Self {
        Self { owner, lane, work, stage: Stage::Fresh, tries: 0 }
    }

    /// For people: whose it is, what, and how far.
    pub(crate) fn told(&self) -> String {
        let what = match &self.work {
            Work::Command { order: Order::Task(command), .. } => command.name(),
            Work::Command { order: Order::Context(_), .. } => "order to a context",
            Work::Command { .. } => "order",
            Work::Announce { .. } => "announce",
            Work::Unfold(_) => "unfold",
            Work::Probe(_) => "probe",
            Work::SetTimer(_) => "set a timer",
            Work::CancelTimer(_) => "take a timer back",
            Work::Stop { .. } => "stop an attempt",
        };
        let stage = match &self.stage {
            Stage::Fresh => "",
            Stage::Loaded(_) => ", loaded",
            Stage::Unknown(_) => ", of unknown outcome",
        };
        format!("{:?}: {what} {}{stage}", self.owner, self.lane)
    }
}

/// An aggregate that is decided on.
pub(crate) trait Ordered: Kept {
    /// What of `order` is for it.
    fn command(order: &Order) -> Option<&Self::Command>;

    /// What was loaded of it.
    fn seen(_: &Seen) -> Option<&Loaded<Self>> {
        None
    }

    /// What a command comes to, by rules that may be broken.
    fn decided(&self, _: Broken, command: &Self::Command, envelope: &Envelope) -> Decision {
        self.decide(command, envelope)
    }
}

macro_rules! ordered {
    ($($aggregate:ident of $order:ident $({$($more:tt)*})?,)*) => {$(
        impl Ordered for $aggregate {
            fn command(order: &Order) -> Option<&Self::Command> {
                match order {
                    Order::$order(command) => Some(command),
                    _ => None,
                }
            }
            $($($more)*)?
        }
    )*};
}

ordered! {
    Task of Task {
        fn seen(seen: &Seen) -> Option<&Loaded<Self>> {
            match seen {
                Seen::Task(loaded) => Some(loaded),
                Seen::Context(_) => None,
            }
        }

        fn decided(
            &self,
            broken: Broken,
            command: &Self::Command,
            envelope: &Envelope,
        ) -> Decision {
            match broken {
                Broken::Nothing => self.decide(command, envelope),
                broken => broken.decide(self, command, envelope),
            }
        }
    },
    Context of Context {
        fn seen(seen: &Seen) -> Option<&Loaded<Self>> {
            match seen {
                Seen::Context(loaded) => Some(loaded),
                Seen::Task(_) => None,
            }
        }
    },
    Resource of Resource,
    Specification of Specification,
    Policy of Policy,
    NamespaceState of Namespace,
}
