//! What calls take: how much memory, from which room, and for how long.

use std::{sync::Arc, time::Duration};

use kantoku_domain::{Millis, by_name};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::{
    config::Limits,
    room::{Held, Room, take},
};
use crate::contract::{TIMEOUT_DEFAULT, TIMEOUT_MAX};

/// What a call takes besides its parameters and its answer: futures, buffers, spans.
pub(super) const CALL_BYTES: usize = 10 * 1024;
/// An answer up to this length is part of that.
pub(super) const ANSWER_BYTES: usize = 4 * 1024;

/// How often what a command says is there while it is carried out, besides what reading it takes: made
/// a task of, written as a value of its own, and in the buffers of the connection to NATS.
pub(super) const CARRIED_OUT_TIMES: usize = 6;

/// A message on its way may have this much without asking. Then it asks for as much at once.
pub(super) const ARRIVING_BYTES: usize = 16 * 1024;

/// What a value of JSON takes when it is read, besides its text.
const VALUE_BYTES: usize = 40;
/// The same for an object, however small.
const OBJECT_BYTES: usize = 640;

/// How a call is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It reads and answers little.
    Small,
    /// Its answer is made of much: a few such calls are carried out at once.
    Large,
    /// It waits for something to happen.
    Lasting,
}

impl Weight {
    /// Of the method of this name.
    pub(super) fn of(method: &str) -> Self {
        match method {
            "task.wait" | "context.wait" => Self::Lasting,
            "resource.load" | "blob.load" | "event.export" | "task.tree" | "task.logs"
            | "task.attempts" | "context.graph" | "manifest.diff" | "script.run" => Self::Large,
            _ if is_list(method) => Self::Large,
            _ => Self::Small,
        }
    }
}

fn is_list(method: &str) -> bool {
    method.rsplit_once('.').is_some_and(|(_, verb)| verb == "list")
}

/// Which room calls of a kind take their memory from. Whatever happens to reads and waits, there
/// is some left for commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// What may change something.
    Commands,
    /// What only looks.
    Reads,
    /// What waits.
    Lasting,
}

/// Where calls get their memory.
pub(crate) struct Rooms {
    pub(super) calls: Room,
    /// The part of it that reads may have.
    reads: Room,
    pub(super) lasting: Room,
    /// What subscriptions have to say, until it is sent.
    pub(super) notices: Room,
    /// Commands that are carried out at once: more would only make each of them late.
    pub(super) commands: Semaphore,
    /// Reads that are carried out at once.
    pub(super) small: Semaphore,
    /// Those with large answers.
    pub(super) large: Semaphore,
    /// Pages that subscriptions have read and not sent yet.
    pub(super) pages: Arc<Semaphore>,
}

/// Of how many pages subscriptions hold what is not sent yet.
const PAGES_MAX: usize = 32;

impl Rooms {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            calls: Room::new(limits.calls_bytes_max),
            reads: Room::new(limits.calls_bytes_max / 4 * 3),
            lasting: Room::new(limits.lasting_bytes_max),
            notices: Room::new(limits.lasting_bytes_max / 2),
            commands: Semaphore::new(limits.commands_max),
            small: Semaphore::new(limits.reads_max),
            large: Semaphore::new(limits.large_max),
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
        }
    }

    /// `bytes` for a call of `lane` that has a `share`, after waiting for `patience` at most.
    pub(super) async fn take(
        &self,
        lane: Lane,
        share: &Room,
        bytes: usize,
        patience: Duration,
    ) -> Option<Held> {
        match lane {
            Lane::Commands => take(&[share, &self.calls], bytes, patience).await,
            Lane::Reads => take(&[share, &self.reads, &self.calls], bytes, patience).await,
            Lane::Lasting => take(&[&self.lasting], bytes, patience).await,
        }
    }

    /// Where messages get memory from that are on their way: what they are is not known yet.
    pub(super) fn arrivals(&self) -> [&Room; 2] {
        [&self.reads, &self.calls]
    }
}

/// What reading the JSON `text` takes, at most by half more or less. It need not be well-formed.
pub(super) fn bytes_of_json(text: &[u8]) -> usize {
    let (mut values, mut objects) = (0, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' => objects += 1,
            b',' | b':' | b'[' => values += 1,
            _ => {}
        }
    }
    2 * text.len() + VALUE_BYTES * values + OBJECT_BYTES * objects
}

/// How long a call may be made to wait by its own parameters.
#[derive(Deserialize)]
pub(super) struct Patience {
    #[serde(default)]
    pub(super) min_seq: Option<u64>,
    #[serde(default)]
    timeout: Option<Millis>,
}

impl Patience {
    /// What parameters say that are not what they should be is refused later.
    pub(super) fn of(params: Option<&RawValue>) -> Self {
        let read = params
            .and_then(|params| by_name(&mut serde_json::Deserializer::from_str(params.get())).ok());
        read.unwrap_or(Self { min_seq: None, timeout: None })
    }

    /// The longest time that is asked for.
    pub(super) fn asked(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT_DEFAULT).min(TIMEOUT_MAX).duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_takes_more_memory_than_its_text() {
        assert_eq!(bytes_of_json(b"\"[{,:\\\"[\""), 18);
        let zeros = format!("[{}0]", "0,".repeat(1_000_000));
        assert!(bytes_of_json(zeros.as_bytes()) > 32_000_000, "a value has 32 bytes");
        let objects = format!("[{}{{}}]", "{\"a\":1},".repeat(100_000));
        assert!(bytes_of_json(objects.as_bytes()) > 60_000_000, "so has a leaf of a map, and more");
    }

    #[test]
    fn the_methods_that_are_named_exist() {
        let names = crate::contract::names();
        let of = |weight| names.iter().filter(|name| Weight::of(name) == weight).count();
        assert!(of(Weight::Lasting) == 2 && of(Weight::Large) >= 10, "{names:?}");
    }

    #[tokio::test]
    async fn reads_leave_room_for_commands() {
        let limits = Limits { calls_bytes_max: 64 * 1024, ..Limits::default() };
        let rooms = Rooms::new(&limits);
        let share = Room::new(1024 * 1024);
        let now = Duration::ZERO;
        let reads = rooms.take(Lane::Reads, &share, 48 * 1024, now).await;
        assert!(rooms.take(Lane::Reads, &share, 1024, now).await.is_none());
        assert!(rooms.take(Lane::Commands, &share, 16 * 1024, now).await.is_some());
        drop(reads);
        assert!(rooms.take(Lane::Reads, &share, 1024, now).await.is_some());
    }
}
