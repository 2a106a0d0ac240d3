//! Keys, from their making to their end, and what is written down.

use std::time::{Duration, Instant};

use kantoku_api::{
    Client, ClientError, Code,
    contract::{EventSubscribe, EventSubscribeParams, NoParams, SystemInfo},
};
use kantoku_domain::access::Role;
use serde_json::{Value, json};

use super::{DEADLINE, Guarded, request, until};

/// Within this, a key that was revoked opens nothing.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

async fn connect(guarded: &Guarded, key: &str) -> Result<Client, ClientError> {
    let authorization = format!("Bearer {key}");
    Client::connect_as(Some(&authorization), None, &guarded.served.url(), DEADLINE).await
}

#[tokio::test]
async fn without_a_key_nothing_is_told_and_why_is_told_to_nobody() {
    let guarded = Box::pin(Guarded::start()).await;
    let info = request("system.info", &json!({}));
    let mut told = Vec::new();
    let foreign = format!("ktk_{}_{}", "1".repeat(16), "2".repeat(64));
    let last = guarded.root.len() - 1;
    let other = if guarded.root.ends_with('0') { "1" } else { "0" };
    let almost = format!("{}{other}", &guarded.root[..last]);
    for key in [None, Some(""), Some("ktk_1_2"), Some(&*foreign), Some(&*almost)] {
        let answer = guarded.post(key, &info).await;
        assert_eq!((answer.status, answer.code()), (401, 1004), "{key:?}");
        assert!(answer.header("WWW-Authenticate").is_some_and(|how| how.starts_with("Bearer")));
        told.push(answer.json()["error"]["message"].clone());
    }
    assert_eq!(told[3], told[4], "that a key exists is not told");
    let url = guarded.served.url();
    assert!(Client::connect(&url, DEADLINE).await.is_err(), "no WebSocket without a key");
    let rest = format!("Host: {}", guarded.served.address);
    let rest = super::raw::send_to(guarded.served.address, "GET /v1/tasks", &rest, "").await;
    assert_eq!(rest.status, 401, "{}", rest.body);
    assert!(rest.header("WWW-Authenticate").is_some(), "{rest:?}");
    guarded.served.stop().await;
}

#[tokio::test]
async fn a_key_opens_nothing_soon_after_it_was_revoked_and_its_connections_end() {
    let guarded = Box::pin(Guarded::start()).await;
    let (id, key) = guarded.key(Role::Viewer, &json!({})).await;
    guarded.until_it_opens(&key).await;
    let client = connect(&guarded, &key).await.expect("it opens");
    client.call::<SystemInfo>(&NoParams {}).await.expect("it is told");
    let mut events = client
        .subscribe::<EventSubscribe>(&EventSubscribeParams::default())
        .await
        .expect("it may look");

    guarded.result(&guarded.root, "key.revoke", &json!({ "id": id })).await;
    let begin = Instant::now();
    let ended = async { while events.next().await.is_some() {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the subscription ends");
    assert!(begin.elapsed() < REVOKED_WITHIN, "after {:?}", begin.elapsed());
    assert!(client.call::<SystemInfo>(&NoParams {}).await.is_err());
    let answer = guarded.post(Some(&key), &request("system.info", &json!({}))).await;
    assert_eq!((answer.status, answer.code()), (401, 1004));
    let again = guarded.answer(&guarded.root, "key.revoke", &json!({ "id": id })).await;
    assert_eq!(again["error"]["code"], 1002);
    guarded.served.stop().await;
}

#[tokio::test]
async fn a_key_expires_and_has_a_pace() {
    let guarded = Box::pin(Guarded::start()).await;
    let (_, brief) = guarded.key(Role::Viewer, &json!({ "expires_in": "1ms" })).await;
    let info = request("system.info", &json!({}));
    let (_, slow) = guarded.key(Role::Viewer, &json!({ "calls_per_second": 1 })).await;
    let answers = until("the slow key opens", async || {
        let answer = guarded.post(Some(&slow), &json!(vec![info.clone(); 10])).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    // It was made before the other.
    assert_eq!(guarded.post(Some(&brief), &info).await.status, 401);
    let answers = answers.as_array().expect("answers").clone();
    let refused = answers.iter().filter(|it| it.pointer("/error/code") == Some(&json!(1006)));
    assert_eq!(refused.clone().count(), 9, "{answers:?}");
    assert!(refused.into_iter().all(|it| it["error"]["data"]["reason"] == "rate"), "{answers:?}");
    for (field, params) in [
        ("name", json!({ "name": " ", "role": "viewer" })),
        ("namespaces", json!({ "name": "a", "role": "viewer", "namespaces": [] })),
        ("calls_per_second", json!({ "name": "a", "role": "viewer", "calls_per_second": 0 })),
    ] {
        let answer = guarded.answer(&guarded.root, "key.create", &params).await;
        assert_eq!(answer["error"]["data"]["field"], field, "{answer}");
    }
    guarded.served.stop().await;
}

#[tokio::test]
async fn every_command_is_written_down_and_no_secret_is() {
    let guarded = Box::pin(Guarded::start()).await;
    let (id, key) = guarded.key(Role::Operator, &json!({ "namespaces": ["home"] })).await;
    guarded.until_it_opens(&key).await;
    let planted = "a-value-nobody-else-may-see";
    let spawn = json!({ "namespace": "home", "specification": "none", "inputs": { "x": { "value": planted } } });
    let refused = guarded.answer(&key, "task.spawn", &spawn).await;
    assert_eq!(refused["error"]["code"], 1002, "{refused}");
    guarded.answer(&key, "key.list", &json!({})).await;
    guarded.result(&key, "task.count", &json!({ "namespace": "home" })).await;

    let audit = guarded.result(&guarded.root, "audit.list", &json!({})).await;
    let told = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or("–").to_owned();
        assert!(
            entry["from"].as_str().is_some_and(|from| from.starts_with("127.0.0.1:")),
            "{entry}"
        );
        [text("actor"), text("method"), text("namespace"), text("outcome")]
    };
    let entries: Vec<_> = audit["items"].as_array().expect("entries").iter().map(told).collect();
    let entry = |fields: [&str; 4]| fields.map(str::to_owned);
    assert_eq!(
        entries,
        [
            entry(["first", "key.create", "–", "ok"]),
            entry(["a operator", "task.spawn", "home", "not_found"]),
            entry(["a operator", "key.list", "–", "role"]),
        ]
    );
    assert_eq!(audit["items"][1]["key_id"], id.as_str());
    let keys = guarded.result(&guarded.root, "key.list", &json!({})).await;
    let secrets = [&key[21..], &guarded.root[21..], planted];
    for text in [audit.to_string(), keys.to_string()] {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
    assert_eq!(connect(&guarded, "ktk_none").await.map(drop).map_err(is_refusal), Err(true));
    guarded.served.stop().await;
}

/// Whether it was the server that refused, and said how.
fn is_refusal(error: ClientError) -> bool {
    match error {
        ClientError::Api(error) => error.code == Code::Unauthenticated,
        ClientError::Unreachable { .. } | ClientError::Malformed { .. } => false,
    }
}
