//! The answers to the requests of one batch, in one array.

use futures::{StreamExt as _, stream::Stream};
use serde_json::value::RawValue;

use super::{
    dispatch::{Answer, refusal},
    message::{Parsed, response},
};
use crate::{ApiError, Code};

/// One array of all answers. What does not fit is answered by an error.
pub(super) async fn together(answers: impl Stream<Item = Answer>, bytes_max: usize) -> Answer {
    let mut answers = std::pin::pin!(answers);
    let mut whole = Answer::default();
    let mut texts = Vec::new();
    let mut bytes = 0;
    while let Some(answer) = answers.next().await {
        whole.started.extend(answer.started);
        let Some(text) = answer.text else { continue };
        bytes += text.len();
        if bytes > bytes_max {
            texts.push(without_result(&text, bytes_max));
        } else {
            whole.held.add(answer.held);
            texts.push(text);
        }
    }
    whole.text = array(&texts);
    whole
}

/// What is sent for these answers: nothing for none.
fn array(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| format!("[{}]", texts.join(",")))
}

/// The same answer, but for its content.
fn without_result(text: &str, bytes_max: usize) -> String {
    #[derive(serde::Deserialize)]
    struct Answered<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let id = serde_json::from_str::<Answered<'_>>(text).ok().map(|answered| answered.id);
    let message =
        format!("the answers have more than {bytes_max} bytes together; send less at once");
    response(id, &Err(ApiError::new(Code::Limit, message)))
}

/// `error` for every request of a batch, and for what is no request what that is.
pub(super) fn refused_together(entries: Vec<Parsed<'_>>, error: &ApiError) -> Option<String> {
    let answers = entries.into_iter().filter_map(|parsed| match parsed {
        Ok(request) => request.id.map(|id| response(Some(id), &Err(error.clone()))),
        Err(error) => Some(refusal(error)),
    });
    array(&answers.collect::<Vec<_>>())
}

/// Every request of a batch of `count` is answered, as a client that finds no answer to any of its
/// requests may give up the connection.
pub(super) fn too_many(count: usize, entries: &[Parsed<'_>], batch_max: usize) -> Answer {
    let message = format!(
        "the batch has {count} requests and may have {batch_max}; nothing was done, send less at \
         once"
    );
    let error = ApiError::new(Code::Limit, message);
    let ids = entries.iter().filter_map(|parsed| parsed.as_ref().ok()?.id);
    let answers: Vec<String> = ids.map(|id| response(Some(id), &Err(error.clone()))).collect();
    let text = array(&answers).unwrap_or_else(|| refusal(error));
    Answer { text: Some(text), ..Answer::default() }
}
