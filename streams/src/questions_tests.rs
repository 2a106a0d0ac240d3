//! Questions and answers over a real nats-server.

use kantoku_domain::{
    Dependency, Partition, Timestamp,
    dependency::{Ground, Status},
    standing::Stage,
};

use tokio::time::timeout;

use super::*;
use crate::testing::Server;

const SOON: Duration = Duration::from_secs(10);

fn question(key: &str) -> Question {
    let task_id = Id::default().derive(key, Partition::of(1));
    Question { namespace: "team-7".parse().unwrap(), task_id }
}

fn standing(task_id: Id) -> Standing {
    Standing {
        task_id,
        position: 7,
        stage: Stage::Waiting,
        attempt: 1,
        round: 0,
        grounds: vec![],
        left_out: 0,
        paused: None,
        blocked: vec![],
        next_at: Some(Timestamp::from_micros(1)),
    }
}

fn ground(message: String) -> Ground {
    let (leaf, status) = (Dependency::Resource(Id::default()), Status::Pending { next: None });
    Ground { name: "input a".into(), leaf, negated: false, status, one_of: None, message }
}

/// Listens, and has been heard to: the server answers in order.
async fn open(node: &Client) -> Questions {
    let questions = Questions::open(node).await.unwrap();
    node.request("nobody.is.here", "".into()).await.unwrap_err();
    questions
}

/// Answers questions until it knows nothing.
async fn answer(mut questions: Questions, known: Standing) {
    while let Some((asked, asker)) = questions.next().await {
        assert_eq!(asked.namespace.as_str(), "team-7");
        let found = (asked.task_id == known.task_id).then(|| known.clone());
        let is_last = found.is_none();
        asker.answer(found).await.unwrap();
        if is_last {
            return;
        }
    }
}

#[tokio::test]
async fn whoever_asks_gets_the_answer_or_none() {
    let Some(server) = Server::start().await else { return };
    let (node, _) = server.connect().await;
    let (asker, _) = server.connect().await;
    let (known, unknown) = (question("a"), question("b"));
    assert_eq!(ask(&asker, &known, SOON).await.unwrap(), None, "nobody is there");

    let questions = open(&node).await;
    let answering = tokio::spawn(answer(questions, standing(known.task_id)));
    let told = ask(&asker, &known, SOON).await.unwrap();
    assert_eq!(told, Some(standing(known.task_id)));
    assert_eq!(ask(&asker, &unknown, SOON).await.unwrap(), None, "it does not know");
    answering.await.unwrap();
}

#[tokio::test]
async fn a_question_that_stays_open_is_none_and_what_is_no_question_is_passed_over() {
    let Some(server) = Server::start().await else { return };
    let (node, _) = server.connect().await;
    let (asker, _) = server.connect().await;
    let mut questions = open(&node).await;
    let waited = ask(&asker, &question("a"), Duration::from_millis(50)).await;
    assert_eq!(waited.unwrap(), None);

    assert_eq!(timeout(SOON, questions.next()).await.unwrap().unwrap().0, question("a"));
    asker.publish(subject::QUESTIONS, "?".into()).await.unwrap();
    asker.publish_with_reply(subject::QUESTIONS, "b", "?".into()).await.unwrap();
    let late = tokio::spawn(async move { ask(&asker, &question("b"), SOON).await });
    let (asked, reply) = timeout(SOON, questions.next()).await.unwrap().unwrap();
    assert_eq!(asked, question("b"));
    reply.answer(None).await.unwrap();
    assert_eq!(late.await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn grounds_that_a_message_has_no_room_for_are_counted() {
    let Some(server) = Server::start().await else { return };
    let (node, _) = server.connect().await;
    let (asker, _) = server.connect().await;
    let questions = open(&node).await;
    let asked = question("a");
    let mut known = standing(asked.task_id);
    let message = "x".repeat(node.server_info().max_payload / 2);
    known.grounds = vec![ground(message.clone()), ground(message)];
    known.left_out = 3;
    let answering = tokio::spawn(answer(questions, known));
    let told = ask(&asker, &asked, SOON).await.unwrap().unwrap();
    assert_eq!((told.grounds.len(), told.left_out), (0, 5));
    answering.abort();
}
