//! What is refused, with which status, and what is said about it.

use serde_json::{Value, json};

use super::Rest;

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_wrong_and_where() {
    let rest = Rest::start().await;
    let none = Value::Null;
    let text = [("Content-Type", "text/plain")];
    let html = [("Accept", "text/html")];
    let capital = [("Kantoku-Namespace", "Team")];
    for (to, headers, body, status, code, field) in [
        ("GET /v1/tasks/0123456789", &[][..], &none, 404, 1002, None),
        ("GET /v1/nothing", &[], &none, 404, 1002, None),
        ("GET /v1/tasks?limt=1", &[], &none, 400, -32602, Some("limt")),
        ("GET /v1/tasks?limit=one", &[], &none, 400, -32602, Some("limit")),
        ("GET /v1/tasks?limit=1&limit=2", &[], &none, 400, -32602, Some("limit")),
        ("GET /v1/tasks?namespace=a", &[], &none, 400, -32602, Some("namespace")),
        ("GET /v1/dead-letters?limit=0", &[], &none, 422, 1003, Some("limit")),
        ("GET /v1/tasks?limit=0", &[], &none, 422, 1003, Some("limit")),
        ("GET /v1/tasks?where=nothing+%3D%3D", &[], &none, 422, 1003, Some("where")),
        ("GET /v1/tasks?filter=%7B%22colour%22:1%7D", &[], &none, 422, 1003, Some("filter.colour")),
        ("GET /v1/tasks", &capital[..], &none, 400, -32602, Some("Kantoku-Namespace")),
        ("GET /v1/tasks", &html[..], &none, 406, -32600, Some("Accept")),
        ("GET /v1/tasks", &[], &json!({}), 400, -32600, None),
        ("POST /v1/tasks", &text[..], &json!({}), 415, 1003, None),
        ("POST /v1/tasks", &[], &json!([]), 400, -32602, None),
        ("POST /v1/tasks", &[], &none, 400, -32602, Some("specification")),
        ("POST /v1/tasks", &[], &json!({"specificaton": "a"}), 400, -32602, Some("specificaton")),
        (
            "POST /v1/tasks",
            &[],
            &json!({"specification": "none"}),
            404,
            1002,
            Some("specification"),
        ),
        ("POST /v1/tasks/0/pause", &[], &none, 405, -32600, None),
        ("GET /v1/tasks?min_seq=4000000&timeout=1ms", &[], &none, 504, 1009, None),
    ] {
        let answer = rest.ask(to, headers, body).await;
        assert_eq!(answer.status, status, "{to} {body}: {}", answer.body);
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"), "{to}");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{to}: {problem}");
        assert_eq!(problem["status"], status, "{to}: {problem}");
        assert_eq!(problem.get("field").and_then(Value::as_str), field, "{to}: {problem}");
        for told in ["type", "title", "detail", "reason", "trace_id"] {
            assert!(problem[told].as_str().is_some_and(|it| !it.is_empty()), "{told}: {problem}");
        }
        assert!(problem["retryable"].is_boolean(), "{problem}");
    }
    let other = rest.ask("PATCH /v1/tasks", &[], &none).await;
    assert_eq!((other.status, other.header("Allow")), (405, Some("GET, HEAD, POST")));
    let head = rest.ask("HEAD /v1/tasks", &[], &none).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    rest.stop().await;
}
