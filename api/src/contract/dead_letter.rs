//! `dead_letter.*`: what consumers could not digest.

use kantoku_domain::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::methods;

methods! {
    /// Dead letters, oldest first, page by page.
    DeadLetterList = "dead_letter.list": DeadLettersParams => DeadLetters;
    /// One of them, with the message that nobody could read.
    DeadLetterGet = "dead_letter.get": DeadLetterParams => DeadLetter;
    /// Asks the consumer that could not digest one to take its event in again.
    DeadLetterRedeliver = "dead_letter.redeliver": DeadLetterParams => Redelivery;
}

/// Which dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersParams {
    /// Only those of higher numbers.
    #[serde(default)]
    pub after: u64,
    /// How many, 1 to 1,000; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
}

/// Some dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetters {
    /// Oldest first, without their messages.
    pub items: Vec<DeadLetter>,
    /// How many come after them.
    pub left: u64,
}

/// Names a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterParams {
    /// Its number.
    pub letter: u64,
}

/// What a consumer could not digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Its number.
    pub letter: u64,
    /// Who could not digest it: the name of a durable.
    pub consumer: String,
    /// Why.
    pub reason: String,
    /// The position of the original in the stream of events.
    pub stream_seq: u64,
    /// The subject of the original.
    pub subject: String,
    /// The type of the original, if it said one.
    pub event_type: Option<String>,
    /// When it was given up.
    pub at: Timestamp,
    /// The original, as far as it is text; where one letter was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// What became of a dead letter that was to be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redelivery {
    /// A service has it in hand, and the letter is gone; if it fails again, there is a new one.
    Taken,
    /// No service that reads through that durable runs, or none answered. The letter is kept.
    NobodyReads,
}
