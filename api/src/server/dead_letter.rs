//! `dead_letter.*`

use std::sync::Arc;

use kantoku_streams::{DeadLetter as Letter, Redelivered};

use super::{Api, Module};
use crate::{
    ApiError, Code,
    contract::{
        DeadLetter, DeadLetterGet, DeadLetterList, DeadLetterParams, DeadLetterRedeliver,
        DeadLetters, DeadLettersParams, Redelivery,
    },
};

/// How many letters a page has unless it says otherwise.
const LIMIT: u32 = 100;

/// How many it may have.
const LIMIT_MAX: u32 = 1_000;

/// How much of a message is shown, in bytes.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

pub(super) fn register(module: &mut Module) {
    module.register::<DeadLetterList>(list);
    module.register::<DeadLetterGet>(get);
    module.register::<DeadLetterRedeliver>(redeliver);
}

async fn list(api: Arc<Api>, params: DeadLettersParams) -> Result<DeadLetters, ApiError> {
    let limit = params.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("{limit} is not between 1 and {LIMIT_MAX}");
        return Err(ApiError::new(Code::Invalid, message).field("limit"));
    }
    let page = api.bus.dead_letters(params.after, limit as usize).await?;
    Ok(DeadLetters { items: page.letters.into_iter().map(document).collect(), left: page.left })
}

async fn get(api: Arc<Api>, params: DeadLetterParams) -> Result<DeadLetter, ApiError> {
    let letter = api.bus.dead_letter(params.letter).await?.ok_or_else(|| none(params.letter))?;
    let shown = &letter.payload[..letter.payload.len().min(PAYLOAD_BYTES_MAX)];
    let payload = Some(String::from_utf8_lossy(shown).into_owned());
    Ok(DeadLetter { payload, ..document(letter) })
}

async fn redeliver(api: Arc<Api>, params: DeadLetterParams) -> Result<Redelivery, ApiError> {
    match api.bus.redeliver(params.letter).await? {
        Redelivered::Taken => Ok(Redelivery::Taken),
        Redelivered::NobodyReads => Ok(Redelivery::NobodyReads),
        Redelivered::NoLetter => Err(none(params.letter)),
    }
}

fn none(letter: u64) -> ApiError {
    let message = format!("there is no dead letter {letter}, or not any more");
    ApiError::new(Code::NotFound, message).field("letter")
}

fn document(letter: Letter) -> DeadLetter {
    DeadLetter {
        letter: letter.letter,
        consumer: letter.consumer,
        reason: letter.reason,
        stream_seq: letter.stream_seq,
        subject: letter.subject,
        event_type: letter.event_type,
        at: letter.at,
        payload: None,
    }
}
