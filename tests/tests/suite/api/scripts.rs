//! Scripts tried out over the API: what comes of them, and what they may take.

use std::sync::Arc;

use kantoku_api::{
    Code,
    contract::{ScriptCheck, ScriptProblem, ScriptProblemKind, ScriptRun},
    server::ApiConfig,
};
use kantoku_preprocessors::{Pool, PoolConfig};
use ktk::cli::SCRIPT_WORKER;
use serde_json::{Value, json};

use super::{Served, call, refused};
use crate::stand::ktk;

async fn served(scripts_max: usize) -> Served {
    let mut config = ApiConfig::new("api-1");
    config.scripts = Some(Arc::new(Pool::new(PoolConfig::new(ktk(), [SCRIPT_WORKER]))));
    config.limits.scripts_max = scripts_max;
    Box::pin(Served::with(config)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gives_a_value_or_says_where_it_went_wrong() {
    let served = served(2).await;
    let client = served.client().await;
    let run = async |script: &str, input: Value| {
        let params = json!({ "script": script, "input": input });
        call::<ScriptRun>(&client, params).await.expect("an answer")
    };
    let ran = run("words.filter(|w| w.len() > 1)", json!({ "words": ["a", "bc"] })).await;
    assert_eq!((ran.value, ran.problem), (Some(json!(["bc"])), None));
    let nothing = run("()", json!({})).await;
    assert_eq!(nothing.value, Some(Value::Null), "null is a value");

    let place = |problem: Option<ScriptProblem>| {
        let problem = problem.expect("it fails");
        (problem.kind, problem.line, problem.column)
    };
    let ran = run("let a = 1;\na + absent", json!({})).await;
    assert_eq!(place(ran.problem), (ScriptProblemKind::Runtime, Some(2), Some(5)));
    let ran = run("let = 2;", json!({})).await;
    assert_eq!(place(ran.problem), (ScriptProblemKind::Compile, Some(1), Some(5)));
    for greedy in ["loop {}", "let a = \"x\"; loop { a += a; }", "let a = []; loop { a.push(a); }"]
    {
        let problem = run(greedy, json!({})).await.problem.expect("it is stopped");
        assert_eq!(problem.kind, ScriptProblemKind::Limit, "{greedy}: {problem:?}");
    }

    let check = async |script: String| {
        let params = json!({ "script": script });
        call::<ScriptCheck>(&client, params).await.expect("an answer").problem
    };
    assert_eq!(check("loop {}".into()).await, None, "it is not run");
    let wrong = check("1 +\n+ *".into()).await;
    assert_eq!(place(wrong).0, ScriptProblemKind::Compile);
    let long = check(" ".repeat(64 * 1024 + 1)).await;
    assert_eq!(place(long), (ScriptProblemKind::Limit, None, None));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_scripts_are_tried_out_at_once_than_the_server_has_turns() {
    let served = served(0).await;
    let client = served.client().await;
    let run = refused(call::<ScriptRun>(&client, json!({ "script": "1" })).await);
    let check = refused(call::<ScriptCheck>(&client, json!({ "script": "1" })).await);
    for error in [run, check] {
        assert_eq!((error.code, error.data.reason.as_str()), (Code::Limit, "scripts"), "{error}");
        assert!(error.data.retryable, "{error}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_workers_checks_and_does_not_run() {
    let served = Served::start().await;
    let client = served.client().await;
    let checked = call::<ScriptCheck>(&client, json!({ "script": "1" })).await;
    assert_eq!(checked.expect("an answer").problem, None);
    let error = refused(call::<ScriptRun>(&client, json!({ "script": "1" })).await);
    assert_eq!((error.code, error.data.reason.as_str()), (Code::Unavailable, "no_scripts"));
    served.stop().await;
}
