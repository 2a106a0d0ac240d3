use axum::{
    Router,
    body::Bytes,
    http::{self, header},
    response::IntoResponse,
    routing::post,
};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// A server on a free port that answers as its paths say; its address.
async fn server() -> String {
    let echo = async |headers: http::HeaderMap, body: Bytes| {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let inputs: Value = serde_json::from_slice(&body).expect("JSON");
        let heard = json!({
            "inputs": inputs,
            "key": header("idempotency-key"),
            "task": header("kantoku-task-id"),
            "attempt": header("kantoku-attempt"),
            "fence": header("kantoku-fence"),
            "own": header("x-own"),
            "type": header("content-type"),
        });
        axum::Json(heard)
    };
    let status = async |axum::extract::Path(code): axum::extract::Path<u16>| {
        let code = http::StatusCode::from_u16(code).expect("a code");
        (code, format!("{}the reason", "x".repeat(10_000)))
    };
    let elsewhere = async || ([(header::LOCATION, "/echo")], http::StatusCode::SEE_OTHER);
    let endless = async || {
        let megabyte = Bytes::from(vec![b' '; 1024 * 1024]);
        let chunks =
            futures::stream::repeat_with(move || Ok::<_, std::io::Error>(megabyte.clone()));
        axum::body::Body::from_stream(chunks).into_response()
    };
    let app = Router::new()
        .route("/echo", post(echo))
        .route("/status/{code}", post(status))
        .route("/elsewhere", post(elsewhere))
        .route("/endless", post(endless))
        .route("/empty", post(async || ""))
        .route("/text", post(async || "hello"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn ask(url: &str, headers: &[(&str, &str)]) -> Result<Value, Failure> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let headers = headers.iter().map(own).collect();
    let redactor = &Redactor::default();
    let post = Post { url, headers: &headers, task_id: "t".into(), attempt: 2, fence: 9, redactor };
    let Value::Object(inputs) = json!({"page": "ä"}) else { panic!("an object") };
    Http::default().post(&post, &inputs).await
}

#[tokio::test]
async fn inputs_and_the_attempt_are_sent_and_the_answer_is_the_result() {
    let server = server().await;
    let headers = [("X-Own", "mine"), ("Kantoku-Fence", "forged")];
    let heard = ask(&format!("{server}/echo"), &headers).await.expect("answered");
    let expected = json!({
        "inputs": {"page": "ä"}, "key": "t/2", "task": "t", "attempt": "2", "fence": "9",
        "own": "mine", "type": "application/json",
    });
    assert_eq!(heard, expected);
    assert_eq!(ask(&format!("{server}/empty"), &[]).await, Ok(json!({})));
}

#[tokio::test]
async fn refusals_say_why_and_whether_another_attempt_may_do_better() {
    let server = server().await;
    for (status, retryable) in [
        (400, false),
        (404, false),
        (408, true),
        (425, true),
        (429, true),
        (500, true),
        (503, true),
    ] {
        let url = format!("{server}/status/{status}?token=secret");
        let error = ask(&url, &[]).await.expect_err("refused");
        assert_eq!((error.kind.as_str(), error.retryable), ("http", retryable), "{status}");
        assert!(error.message.contains(&status.to_string()), "{}", error.message);
        assert!(error.message.ends_with("the reason"), "{}", error.message);
        assert!(error.message.len() < TAIL_MAX + 200 && !error.message.contains("secret"));
    }
    let moved = ask(&format!("{server}/elsewhere"), &[]).await.expect_err("not followed");
    assert!(moved.message.contains("303") && !moved.retryable, "{}", moved.message);
}

#[tokio::test]
async fn what_is_no_answer_is_explained() {
    let server = server().await;
    let text = ask(&format!("{server}/text"), &[]).await.expect_err("no JSON");
    assert!(text.message.contains("not JSON") && !text.retryable, "{}", text.message);
    let endless = ask(&format!("{server}/endless"), &[]).await.expect_err("too much");
    assert!(endless.message.contains("is over") && !endless.retryable, "{}", endless.message);

    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = closed.local_addr().expect("bound").port();
    drop(closed);
    let url = format!("http://user:secret@127.0.0.1:{port}/x");
    let error = ask(&url, &[]).await.expect_err("nobody is there");
    assert!(error.retryable && error.message.contains("refused"), "{}", error.message);
    assert!(!error.message.contains("secret"), "{}", error.message);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_tried_again() {
    let server = server().await;
    for (url, header) in
        [("no url", "x"), ("ftp://127.0.0.1/x", "x"), (&format!("{server}/echo"), "a b")]
    {
        let error = ask(url, &[(header, "1")]).await.expect_err("refused");
        assert_eq!((error.kind.as_str(), error.retryable), ("start", false), "{url}");
    }
}
