//! A store in memory, for tests and simulation.

use std::sync::{Mutex, PoisonError};

use futures::{FutureExt as _, future::BoxFuture};

use crate::{AppendError, EVENTS_MAX, Fault, Guard, Message, Raw, Store};

/// Keeps messages in memory, under the same guards as [`JetStream`](crate::JetStream).
#[derive(Debug, Default)]
pub struct Memory {
    messages: Mutex<Vec<Raw>>,
}

impl Memory {
    fn append_now(&self, message: Message, guard: Guard) -> Result<u64, AppendError> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let last = messages.iter().rev().find(|raw| raw.subject == guard.subject);
        if last.map_or(0, |raw| raw.stream_seq) != guard.last_seq {
            return Err(AppendError::Conflict { subject: guard.subject });
        }
        let stream_seq = messages.len() as u64 + 1;
        messages.push(Raw {
            stream_seq,
            subject: message.subject,
            event_type: Some(message.event_type.to_owned()),
            payload: message.payload,
        });
        Ok(stream_seq)
    }

    fn read_now(&self, subject: &str, after_seq: u64) -> Result<Vec<Raw>, Fault> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let after = messages.iter().skip(usize::try_from(after_seq).unwrap_or(usize::MAX));
        let found: Vec<Raw> = after.filter(|raw| raw.subject == subject).cloned().collect();
        if found.len() > EVENTS_MAX {
            return Err(Fault::TooLong { subject: subject.to_owned(), events_max: EVENTS_MAX });
        }
        Ok(found)
    }
}

impl Store for Memory {
    fn append(&self, message: Message, guard: Guard) -> BoxFuture<'_, Result<u64, AppendError>> {
        async move { self.append_now(message, guard) }.boxed()
    }

    fn read<'a>(
        &'a self,
        subject: &'a str,
        after_seq: u64,
    ) -> BoxFuture<'a, Result<Vec<Raw>, Fault>> {
        async move { self.read_now(subject, after_seq) }.boxed()
    }
}
