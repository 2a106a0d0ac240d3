//! Documents under conditions, and requests that are sent again.

use serde_json::{Value, json};

use super::{Rest, passing, waiting};

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_sent_once_and_changed_as_it_was_seen() {
    let rest = Rest::start().await;
    let id = rest.spawn(&waiting()).await;
    let get = format!("GET /v1/tasks/{id}");
    let first = rest.ask(&get, &[], &Value::Null).await;
    let tag = first.header("ETag").expect("a tag").to_owned();
    assert!(tag.starts_with(&format!("\"{}-", first.json()["stream_seq"])), "{tag}");
    let again = rest.ask(&get, &[("If-None-Match", &tag)], &Value::Null).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("ETag"), Some(tag.as_str()));
    let other = rest.ask(&get, &[("If-None-Match", "\"x\"")], &Value::Null).await;
    assert_eq!(other.status, 200);

    let pause = format!("PUT /v1/tasks/{id}/pause");
    let paused = rest.ask(&pause, &[("If-Match", &tag)], &json!({ "reason": "a look" })).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    rest.catch_up(&paused).await;
    let cancel = format!("POST /v1/tasks/{id}/cancellation");
    let late = rest.ask(&cancel, &[("If-Match", &tag)], &Value::Null).await;
    assert_eq!(late.status, 412, "{}", late.body);
    let problem = late.json();
    assert_eq!(
        (&problem["reason"], &problem["field"]),
        (&json!("precondition_failed"), &json!("If-Match"))
    );
    let now = rest.ask(&get, &[("If-None-Match", &tag)], &Value::Null).await;
    assert_eq!((now.status, &now.json()["status"]), (200, &json!("initialized")));
    assert_eq!(problem["current"], now.header("ETag").expect("a tag"));
    assert_eq!(rest.ask(&get, &[("If-Match", &tag)], &Value::Null).await.status, 412);
    let nowhere = rest.ask("POST /v1/tasks", &[("If-Match", &tag)], &passing(&json!(1))).await;
    assert_eq!((nowhere.status, &nowhere.json()["field"]), (400, &json!("if-match")));
    rest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_with_a_key_takes_effect_once() {
    let rest = Rest::start().await;
    let key = [("Idempotency-Key", "once")];
    let task = passing(&json!(1));
    let first = rest.ask("POST /v1/tasks", &key, &task).await;
    let again = rest.ask("POST /v1/tasks", &key, &task).await;
    assert_eq!((again.status, &again.json()["task_id"]), (201, &first.json()["task_id"]));
    let without = rest.ask("POST /v1/tasks", &[], &task).await;
    assert_ne!(without.json()["task_id"], first.json()["task_id"]);
    let mut inside = task;
    inside["idempotency_key"] = "once".into();
    let misplaced = rest.ask("POST /v1/tasks", &[], &inside).await;
    let problem = misplaced.json();
    assert_eq!((misplaced.status, &problem["field"]), (400, &json!("idempotency_key")));
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("header Idempotency-Key")));
    let useless = rest.ask("GET /v1/tasks", &key, &Value::Null).await;
    assert_eq!((useless.status, &useless.json()["field"]), (400, &json!("Idempotency-Key")));
    rest.stop().await;
}
