//! JSON-RPC 2.0 over HTTP, to the letter.

use kantoku_api::server::ApiConfig;
use serde_json::{Value, json};

use super::{
    Served,
    raw::{exchange, post, send},
};

fn request(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_specification_hold() {
    let served = Served::start().await;
    let address = served.address;
    let refusals = [
        (r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#, -32601, json!("1")),
        (r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#, -32700, Value::Null),
        (r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#, -32600, Value::Null),
        (r#"{"jsonrpc": "2.0", "method": 1, "params": "bar", "id": 7}"#, -32600, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"[{"jsonrpc": "2.0", "method": "sum", "params": [1], "#, -32700, Value::Null),
        (
            r#"{"jsonrpc": "2.0", "method": "task.get", "params": ["a"], "id": -1}"#,
            -32602,
            json!(-1),
        ),
    ];
    for (body, code, id) in refusals {
        let answer = post(address, body).await;
        assert_eq!((answer.status, answer.code()), (200, code), "{body}");
        let answer = answer.json();
        assert_eq!(answer["id"], id, "{body}");
        assert_eq!(answer["jsonrpc"], "2.0");
        assert!(answer.get("result").is_none());
        let data = &answer["error"]["data"];
        assert!(data["trace_id"].is_string() && data["retryable"] == false, "{data}");
    }
    for (body, answers) in [("[1]", 1), ("[1,2,3]", 3)] {
        let answer = post(address, body).await.json();
        let all = answer.as_array().expect("an array");
        assert_eq!(all.len(), answers);
        assert!(all.iter().all(|one| one["error"]["code"] == -32600 && one["id"].is_null()));
    }
    let batch = r#"[
        {"jsonrpc": "2.0", "method": "task.count", "params": {}, "id": "1"},
        {"jsonrpc": "2.0", "method": "task.count"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "task.count", "id": 9.0}
    ]"#;
    let answer = post(address, batch).await;
    assert!(answer.body.contains(r#""id":9.0"#), "an id comes back as it was written");
    let answer = answer.json();
    let ids: Vec<&Value> = answer.as_array().expect("an array").iter().map(|a| &a["id"]).collect();
    assert_eq!(ids, [&json!("1"), &Value::Null, &json!("5"), &json!(9.0)]);
    assert_eq!(answer[0]["result"]["total"], 0);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_carried_out_and_not_answered() {
    let served = Served::start().await;
    let address = served.address;
    let allocate = |key: &str| {
        json!({"jsonrpc": "2.0", "method": "resource.allocate",
               "params": {"count": 1, "idempotency_key": key}})
    };
    let single = post(address, &allocate("a").to_string()).await;
    assert_eq!((single.status, single.body.as_str()), (204, ""));
    let batch = post(address, &json!([allocate("b"), allocate("c")]).to_string()).await;
    assert_eq!((batch.status, batch.body.as_str()), (204, ""));
    let wrong = post(address, r#"{"jsonrpc": "2.0", "method": "no.such"}"#).await;
    assert_eq!((wrong.status, wrong.body.as_str()), (204, ""));

    let head = served.stand.bus.head().await.expect("it answers");
    assert_eq!(head, 3, "three resources were allocated");
    for key in ["a", "b", "c"] {
        let params = json!({"count": 1, "idempotency_key": key});
        let again = post(address, &request("resource.allocate", &params)).await.json();
        let seq = again["result"]["stream_seq"].as_u64().expect("a position");
        assert!(seq <= head, "{key} was there before: {again}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_never_ignored() {
    let served = Served::start().await;
    let address = served.address;
    let refused = async |method: &str, params: Value| {
        let answer = post(address, &request(method, &params)).await.json();
        let error = &answer["error"];
        (error["code"].as_i64(), error["data"]["field"].clone(), error["message"].to_string())
    };
    let (code, field, message) = refused("task.list", json!({"fliter": {}})).await;
    assert_eq!((code, field), (Some(-32602), json!("fliter")));
    assert!(message.contains("did you mean \\\"filter\\\""), "{message}");
    let (code, field, _) = refused("task.get", json!({})).await;
    assert_eq!((code, field), (Some(-32602), json!("id")));
    let (code, field, _) = refused("system.info", json!({"verbose": true})).await;
    assert_eq!((code, field), (Some(-32602), json!("verbose")));
    let (code, _, message) = refused("task.spwan", json!({})).await;
    assert_eq!(code, Some(-32601));
    assert!(message.contains("task.spawn"), "{message}");
    let (code, field, message) = refused("task.list", json!({"filter": {"state": "ok"}})).await;
    assert_eq!((code, field), (Some(1003), json!("filter.state")));
    assert!(message.contains("status"), "{message}");
    let (code, field, _) = refused("task.list", json!({"limit": 0})).await;
    assert_eq!((code, field), (Some(1003), json!("limit")));
    let (code, _, _) = refused("task.subscribe", json!({})).await;
    assert_eq!(code, Some(1003), "a subscription needs a WebSocket");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_with_the_limit() {
    let mut config = ApiConfig::new("api-1");
    config.limits.request_bytes_max = 100_000;
    config.limits.batch_max = 10;
    config.limits.depth_max = 20;
    config.limits.answer_bytes_max = 20_000;
    let served = Served::with(config).await;
    let address = served.address;

    let large = request("task.get", &json!({"id": "x".repeat(100_000)}));
    let answer = post(address, &large).await;
    assert_eq!((answer.status, answer.code()), (413, 1006));
    assert!(answer.body.contains("100000 bytes"), "{}", answer.body);
    // A client that asks for leave first is told before it sends anything.
    let head = format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: 999999\r\nConnection: close\r\n\r\n"
    );
    let answer = exchange(address, &[&head]).await;
    assert_eq!((answer.status, answer.code()), (413, 1006));

    let one: Value = serde_json::from_str(&request("task.count", &json!({}))).expect("JSON");
    let answer = post(address, &json!(vec![one.clone(); 11]).to_string()).await.json();
    let all = answer.as_array().expect("each is answered");
    assert_eq!(all.len(), 11);
    assert!(all.iter().all(|one| one["error"]["code"] == 1006 && one["id"] == 1));
    let answer = post(address, &json!(vec![one; 10]).to_string()).await.json();
    assert!(answer.as_array().expect("an array").iter().all(|one| one["result"]["total"] == 0));

    let deep = format!("{}1{}", "[".repeat(19), "]".repeat(19));
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{{"x":{deep}}}}}"#);
    assert_eq!(post(address, &deep).await.code(), 1006);

    let allocate = request("resource.allocate", &json!({"count": 1_000}));
    let answer = post(address, &allocate).await;
    assert_eq!(answer.code(), 1006, "{}", answer.body);
    assert_eq!(
        post(address, &request("resource.allocate", &json!({"count": 0}))).await.code(),
        1006
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_let_in() {
    let served = Served::start().await;
    let address = served.address;
    let body = request("task.count", &json!({}));
    let json_type = "Content-Type: application/json";
    let own = format!("Host: {address}");
    for (headers, status) in [
        (format!("{own}\r\n{json_type}"), 200),
        (format!("{own}\r\n{json_type}; charset=utf-8\r\nOrigin: http://{address}"), 200),
        (format!("Host: evil.example\r\n{json_type}"), 403),
        (format!("{own}\r\n{json_type}\r\nOrigin: https://evil.example"), 403),
        (format!("{own}\r\nContent-Type: text/plain"), 415),
        (own.clone(), 415),
    ] {
        let answer = send(address, "POST", &headers, &body).await;
        assert_eq!(answer.status, status, "{headers}");
        let is_refused = answer.json().get("error").is_some();
        assert_eq!(is_refused, status != 200, "{headers}");
    }
    assert_eq!(send(address, "GET", &own, "").await.status, 405);
    served.stop().await;
}
