//! What executors and lease keepers can rely on, on a real server.

use super::*;
use crate::testing::Server;

const DEADLINE: Duration = Duration::from_secs(20);

fn id(number: u64) -> Id {
    format!("0193b0de-0000-7000-8000-{number:012x}").parse().unwrap()
}

fn heartbeat(service_id: &str) -> Heartbeat {
    let attempts = vec![HeldAttempt { task_id: id(1), attempt: 2, fence: 3 }];
    let (service_id, boot_id) = (service_id.into(), id(9));
    Heartbeat { service_id, boot_id, born: 2, attempts, lease: Millis(10_000) }
}

async fn hear(heartbeats: &mut Heartbeats) -> Heard {
    tokio::time::timeout(DEADLINE, heartbeats.next()).await.expect("in time").expect("open")
}

#[tokio::test]
async fn a_heartbeat_is_answered_and_its_silence_is_told_apart() {
    let Some(server) = Server::start().await else { return };
    let (client, _) = server.connect().await;
    let alone = beat(&client, &heartbeat("a.b"), DEADLINE).await.unwrap();
    assert_eq!(alone, None, "no keeper listens");

    let mut heartbeats = Heartbeats::open(&client).await.unwrap();
    let order = CancelOrder { task_id: id(1), attempt: 2, reason: "enough".into() };
    let reply = HeartbeatReply { cancelled: vec![order], lost: heartbeat("").attempts };
    let keeper = async {
        let Heard::Beat(beat, responder) = hear(&mut heartbeats).await else { panic!("a beat") };
        responder.answer(&reply).await.unwrap();
        beat
    };
    let sent = heartbeat("a.b");
    let (heard, answer) = tokio::join!(keeper, beat(&client, &sent, DEADLINE));
    assert_eq!(heard, heartbeat("a.b"));
    assert_eq!(answer.unwrap(), Some(reply));

    let mute = beat(&client, &heartbeat("a"), Duration::from_millis(50)).await;
    assert!(mute.is_err(), "a keeper that does not answer is none that is missing");
}

#[tokio::test]
async fn as_many_attempts_as_are_allowed_fit_into_a_heartbeat() {
    let Some(server) = Server::start().await else { return };
    let (client, _) = server.connect().await;
    let mut heartbeats = Heartbeats::open(&client).await.unwrap();
    let mut full = heartbeat("a");
    let held = HeldAttempt { task_id: id(1), attempt: u32::MAX, fence: u64::MAX };
    full.attempts = vec![held; Heartbeat::ATTEMPTS_MAX];
    let reply = HeartbeatReply { cancelled: vec![], lost: full.attempts.clone() };
    let keeper = async {
        let Heard::Beat(_, responder) = hear(&mut heartbeats).await else { panic!("a beat") };
        responder.answer(&reply).await.unwrap();
    };
    let ((), answer) = tokio::join!(keeper, beat(&client, &full, DEADLINE));
    assert_eq!(answer.unwrap(), Some(reply.clone()));
    full.attempts.push(held);
    assert!(beat(&client, &full, DEADLINE).await.is_err());
}

#[tokio::test]
async fn an_echo_comes_back_behind_the_heartbeats_before_it_and_to_its_sender_alone() {
    let Some(server) = Server::start().await else { return };
    let (client, _) = server.connect().await;
    let (other, other_context) = server.connect().await;
    let mut heartbeats = Heartbeats::open(&client).await.unwrap();
    // The server knows of the subscription once an echo is back.
    heartbeats.echo(Timestamp::from_micros(0)).await.unwrap();
    assert!(matches!(hear(&mut heartbeats).await, Heard::Echo(_)));
    let others = Heartbeats::open(&other).await.unwrap();
    others.echo(Timestamp::from_micros(1)).await.unwrap();
    other.publish(subject::beat("a"), to_json(&heartbeat("a"))).await.unwrap();
    other.publish(subject::beat("a"), "garbage".into()).await.unwrap();
    // The server has taken these in once it answers.
    other_context.query_account().await.unwrap();
    heartbeats.echo(Timestamp::from_micros(7)).await.unwrap();
    assert!(matches!(hear(&mut heartbeats).await, Heard::Beat(..)));
    let Heard::Echo(at) = hear(&mut heartbeats).await else { panic!("the echo") };
    assert_eq!(at, Timestamp::from_micros(7));
}

#[tokio::test]
async fn a_lost_connection_is_told() {
    let Some(server) = Server::start().await else { return };
    let (client, _) = server.connect().await;
    let mut heartbeats = Heartbeats::open(&client).await.unwrap();
    let _server = server.kill().await.start_again().await;
    assert!(matches!(hear(&mut heartbeats).await, Heard::Interrupted));
    client.publish(subject::beat("a"), to_json(&heartbeat("a"))).await.unwrap();
    assert!(matches!(hear(&mut heartbeats).await, Heard::Beat(..)), "and it listens on");
}

#[tokio::test]
async fn an_order_reaches_the_service_that_it_names() {
    let Some(server) = Server::start().await else { return };
    let (client, _) = server.connect().await;
    let mut orders = cancel_orders(&client, "gpu *").await.unwrap();
    let order = |attempt| CancelOrder { task_id: id(1), attempt, reason: "enough".into() };
    order_cancel(&client, "other", &order(1)).await.unwrap();
    order_cancel(&client, "gpu *", &order(2)).await.unwrap();
    let heard = tokio::time::timeout(DEADLINE, orders.next()).await.unwrap();
    assert_eq!(heard, Some(order(2)));
}
