//! Questions about tasks, answered by a scheduler out of the state that decides: no events, no rows,
//! and in no stream.

use std::time::Duration;

use async_nats::{Client, RequestErrorKind, Subject, Subscriber, client::Request};
use futures::StreamExt as _;
use kantoku_domain::{Id, Namespace, Standing};
use serde::{Deserialize, Serialize};

use crate::{
    Cause, Fault,
    leases::{read, to_json},
    subject,
};

/// Where does this task stand, and why?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Whose it is.
    pub namespace: Namespace,
    /// The task.
    pub task_id: Id,
}

/// The questions of all who ask.
pub struct Questions {
    client: Client,
    asked: Subscriber,
}

/// Who waits for the answer to one question.
#[derive(Debug)]
pub struct Asker {
    client: Client,
    reply_to: Subject,
}

impl Questions {
    pub(crate) async fn open(client: &Client) -> Result<Self, Fault> {
        let asked = client
            .subscribe(subject::QUESTIONS)
            .await
            .map_err(|error| Fault::unreachable("listen to questions", error))?;
        Ok(Self { client: client.clone(), asked })
    }

    /// The next question. `None` when the connection was closed for good. May be dropped and called
    /// again.
    pub async fn next(&mut self) -> Option<(Question, Asker)> {
        loop {
            let message = self.asked.next().await?;
            if let Some(reply_to) = message.reply
                && let Some(question) = read(&message.subject, &message.payload)
            {
                return Some((question, Asker { client: self.client.clone(), reply_to }));
            }
        }
    }
}

impl Asker {
    /// Answers. Grounds that one message has no room for are left out, and counted.
    pub async fn answer(self, standing: Option<Standing>) -> Result<(), Fault> {
        let mut answer = to_json(&standing);
        if answer.len() > self.client.server_info().max_payload
            && let Some(mut standing) = standing
        {
            standing.left_out += standing.grounds.drain(..).count();
            answer = to_json(&Some(standing));
        }
        self.client
            .publish(self.reply_to, answer)
            .await
            .map_err(|error| Fault::unreachable("answer a question", error))
    }
}

/// Asks, and waits for the answer up to `timeout`. `None` when nobody answers, or nobody knows.
pub(crate) async fn ask(
    client: &Client,
    question: &Question,
    timeout: Duration,
) -> Result<Option<Standing>, Fault> {
    let fault = |cause: Cause| Fault::unreachable("ask where a task stands", cause);
    let request = Request::new().payload(to_json(question)).timeout(Some(timeout));
    match client.send_request(subject::QUESTIONS, request).await {
        Ok(reply) => serde_json::from_slice(&reply.payload).map_err(|error| fault(error.into())),
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders | RequestErrorKind::TimedOut => Ok(None),
            _ => Err(fault(error.into())),
        },
    }
}

#[cfg(test)]
#[path = "questions_tests.rs"]
mod tests;
