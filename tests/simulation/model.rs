//! Claim, lease and fence to exhaustion: two executors, a keeper of leases and a user, who decide by
//! the very [`Fence`] on what they have loaded at any time; appends that are lost, late, or come
//! twice. Time is not in it: whatever may happen may happen at any moment, so that a lease may be
//! taken from an executor that is well.

use std::collections::BTreeSet;

use kantoku_domain::task::{Fence, Status};
use stateright::{Checker as _, HasDiscoveries, Model, Property};

/// How many attempts are announced, and how often the task is resumed.
const ATTEMPTS: u32 = 3;
const ROUNDS: u32 = 1;
/// Events of the task, and appends on their way.
const EVENTS: u8 = 7;
const APPENDS: usize = 2;

/// The rules, or what is left of them.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// An append is refused if the task has moved since it was decided.
    guard: bool,
    /// An end is decided by the fence.
    fence: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Who {
    /// One of two executors.
    Executor(usize),
    Keeper,
    User,
}

/// An event of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Event {
    Received(u32),
    Failed(u32),
    Finished(u32),
    Cancelled,
    Paused,
    Resumed,
}

/// An event that was decided on the task at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Append {
    by: Who,
    version: u8,
    event: Event,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    task: Fence,
    version: u8,
    holder: Option<Who>,
    /// Attempts and rounds that were announced: they come to anybody, any number of times.
    announced: BTreeSet<(u32, u32)>,
    appends: BTreeSet<Append>,
    /// The attempts that each executor takes for its own: it may have lost some, or died since.
    believes: [BTreeSet<u32>; 2],
    /// The attempts that the keeper has read of.
    read: BTreeSet<u32>,
    /// How the task has ended, and what was wrong on the way.
    ended_by: Vec<u32>,
    wrong: BTreeSet<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Announce,
    Decide(Append),
    /// It is stored, if its guard holds; it may come once more.
    Store(Append),
    Lose(Append),
    /// An executor hears that an attempt is its own.
    Learn(usize, u32),
    /// The keeper reads of a claim.
    Read(u32),
}

impl Rules {
    fn may_end(self, task: Fence, attempt: u32) -> bool {
        let is_live = task.status == Status::Initialized || task.status == Status::Received;
        if self.fence { task.end(attempt).is_ok() } else { is_live }
    }

    /// What somebody may decide now.
    fn decisions(self, state: &State) -> Vec<(Who, Event)> {
        let task = state.task;
        let mut decisions = Vec::new();
        for (executor, believes) in state.believes.iter().enumerate() {
            let who = Who::Executor(executor);
            let claims = state.announced.iter().filter(|it| task.claim(it.0, it.1).is_ok());
            decisions.extend(claims.map(|(attempt, _)| (who, Event::Received(*attempt))));
            for attempt in believes.iter().filter(|attempt| self.may_end(task, **attempt)) {
                decisions.push((who, Event::Finished(*attempt)));
                decisions.push((who, Event::Failed(*attempt)));
            }
        }
        let lost = state.read.iter().filter(|attempt| self.may_end(task, **attempt));
        decisions.extend(lost.map(|attempt| (Who::Keeper, Event::Failed(*attempt))));
        if !task.status.is_terminal() {
            decisions.push((Who::User, Event::Cancelled));
            let resumed = task.paused.then_some(Event::Resumed);
            let paused = (task.round < ROUNDS).then_some(Event::Paused);
            decisions.extend(resumed.or(paused).map(|event| (Who::User, event)));
        }
        decisions
    }
}

impl State {
    fn new() -> Self {
        let task = Fence { status: Status::Initialized, attempt: 0, round: 0, paused: false };
        Self {
            task,
            version: 1,
            holder: None,
            announced: BTreeSet::new(),
            appends: BTreeSet::new(),
            believes: [BTreeSet::new(), BTreeSet::new()],
            read: BTreeSet::new(),
            ended_by: Vec::new(),
            wrong: BTreeSet::new(),
        }
    }

    /// Takes in an event, by the plain meaning of it.
    fn take(&mut self, Append { by, event, .. }: Append) {
        let is_held =
            |attempt| self.task.status == Status::Received && self.task.attempt == attempt;
        let wrong = match event {
            Event::Received(attempt) if self.task.status != Status::Initialized => {
                Some(if attempt == self.task.attempt {
                    "claimed twice"
                } else {
                    "claimed while held"
                })
            }
            Event::Received(_) if self.task.paused => Some("claimed while paused"),
            Event::Failed(attempt) | Event::Finished(attempt) if !is_held(attempt) => {
                Some("ended by another attempt")
            }
            Event::Finished(_) if self.holder != Some(by) => Some("ended by another executor"),
            _ => None,
        };
        self.wrong.extend(wrong);
        self.version += 1;
        match event {
            Event::Received(attempt) => {
                (self.task.status, self.task.attempt) = (Status::Received, attempt);
                self.holder = Some(by);
            }
            Event::Failed(_) => {
                self.task.status = Status::Initialized;
                self.holder = None;
            }
            Event::Finished(attempt) => {
                self.task.status = Status::Finished;
                self.ended_by.push(attempt);
            }
            Event::Cancelled => self.task.status = Status::Cancelled,
            Event::Paused => self.task.paused = true,
            Event::Resumed => {
                self.task.paused = false;
                self.task.round += 1;
            }
        }
    }
}

impl Model for Rules {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let task = state.task;
        let next = (task.attempt + 1, task.round);
        if task.status == Status::Initialized
            && next.0 <= ATTEMPTS
            && !state.announced.contains(&next)
        {
            actions.push(Action::Announce);
        }
        if state.appends.len() < APPENDS {
            let version = state.version;
            let decided = self.decisions(state).into_iter();
            let decided = decided.map(|(by, event)| Append { by, version, event });
            let is_new = |append: &Append| !state.appends.contains(append);
            actions.extend(decided.filter(is_new).map(Action::Decide));
        }
        for append in &state.appends {
            actions.extend([Action::Store(*append), Action::Lose(*append)]);
        }
        if task.status == Status::Received {
            let attempt = task.attempt;
            if let Some(Who::Executor(holder)) = state.holder
                && !state.believes[holder].contains(&attempt)
            {
                actions.push(Action::Learn(holder, attempt));
            }
            if !state.read.contains(&attempt) {
                actions.push(Action::Read(attempt));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Announce => {
                next.announced.insert((next.task.attempt + 1, next.task.round));
            }
            Action::Decide(append) => {
                next.appends.insert(append);
            }
            Action::Store(append) => {
                if self.guard && append.version != next.version {
                    return None;
                }
                next.take(append);
            }
            Action::Lose(append) => {
                next.appends.remove(&append);
            }
            Action::Learn(executor, attempt) => {
                next.believes[executor].insert(attempt);
            }
            Action::Read(attempt) => {
                next.read.insert(attempt);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one end is accepted", |_, state: &State| state.ended_by.len() <= 1),
            Property::always("nothing goes wrong on the way", |_, state: &State| {
                state.wrong.is_empty()
            }),
            Property::sometimes("a later attempt ends well", |_, state: &State| {
                state.ended_by == [2]
            }),
            Property::sometimes("two take the task for their own", |_, state: &State| {
                state.believes.iter().all(|believes| !believes.is_empty())
                    && state.task.status == Status::Received
            }),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.version <= EVENTS
    }
}

#[test]
fn at_most_one_attempt_ends_a_task_and_a_stale_one_never_does() {
    let checker = Rules { guard: true, fence: true }.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done(), "all states were seen");
    assert!(checker.unique_state_count() > 100_000, "and there are many");
}

#[test]
fn without_the_guard_or_the_fence_the_model_finds_what_goes_wrong() {
    for rules in [Rules { guard: false, fence: true }, Rules { guard: true, fence: false }] {
        let finish = HasDiscoveries::AnyFailures;
        let checker = rules.checker().threads(2).finish_when(finish).spawn_bfs().join();
        let found = checker.discovery("nothing goes wrong on the way");
        assert!(found.is_some(), "{rules:?}");
    }
}
