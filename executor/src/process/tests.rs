use std::{sync::Mutex, time::Instant};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// Runs `script` in a shell; every chunk of stderr is shown to `seen`, which may stop it.
async fn sh_seen(
    script: &str,
    inputs: Value,
    grace: Duration,
    mut seen: impl FnMut(&[u8], &CancellationToken) + Send,
) -> Result<Value, Failure> {
    let command = ["sh", "-c", script].map(str::to_owned);
    let Value::Object(inputs) = inputs else { panic!("an object") };
    let mark = [format!("MARK={}", uuid::Uuid::now_v7()), "GREETING=hello".to_owned()];
    let pairs = mark.iter().filter_map(|entry| entry.split_once('='));
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let cwd = std::env::temp_dir();
    let (mark, grace, redactor) = (&mark, &move || grace, &Redactor::default());
    let program =
        Program { command: &command, environment: &environment, mark, cwd: &cwd, grace, redactor };
    let halt = CancellationToken::new();
    let mut on_stderr = |chunk: &[u8]| seen(chunk, &halt);
    let run = program.run(&inputs, &mut on_stderr, &halt);
    timeout(DEADLINE, run).await.expect("ended in time")
}

async fn sh(script: &str, inputs: Value) -> Result<Value, Failure> {
    sh_seen(script, inputs, Duration::from_secs(10), |_, _| ()).await
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

async fn gone(pid: i32) {
    let wait = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, wait).await.expect("killed with its group");
}

#[tokio::test]
async fn inputs_come_in_and_outputs_go_out() {
    let echoed = sh("cat", json!({"a": [1, "ä"]})).await;
    assert_eq!(echoed, Ok(json!({"a": [1, "ä"]})));
    assert_eq!(sh("true", json!({})).await, Ok(json!({})));
    let greeted = sh(r#"printf '{"said": "%s"}' "$GREETING""#, json!({})).await;
    assert_eq!(greeted, Ok(json!({"said": "hello"})));
}

#[test]
fn secrets_of_the_executor_are_not_inherited() {
    for secret in ["KTK_NATS_URL", "KTK_DATABASE_URL", "KTK_ANYTHING"] {
        assert!(!is_inherited(OsStr::new(secret)), "{secret}");
    }
    for plain in ["PATH", "HOME", "KANTOKU_TASK_ID"] {
        assert!(is_inherited(OsStr::new(plain)), "{plain}");
    }
}

#[tokio::test]
async fn a_failure_shows_its_exit_code_and_the_end_of_stderr() {
    let all = Mutex::new(Vec::new());
    let script = "seq 1 9999 >&2; echo last >&2; exit 3";
    let seen = |chunk: &[u8], _: &CancellationToken| {
        all.lock().expect("whole").extend_from_slice(chunk);
    };
    let failed = sh_seen(script, json!({}), DEADLINE, seen).await.expect_err("it failed");
    assert_eq!(failed.exit_code, Some(3));
    let tail = failed.stderr_tail.expect("there was some");
    assert!(tail.ends_with("9999\nlast\n") && tail.len() <= pipes::TAIL_MAX, "{tail}");
    let all = String::from_utf8(all.into_inner().expect("whole")).expect("text");
    assert_eq!(all.lines().count(), 10_000, "everything passed by");
}

#[tokio::test]
async fn what_is_no_json_or_no_program_is_explained() {
    let error = sh("echo hello", json!({})).await.expect_err("no JSON");
    assert!(error.message.contains("not JSON") && !error.retryable);
    let command = ["/no/such/program".to_owned()];
    let (environment, cwd) = (BTreeMap::new(), std::env::temp_dir());
    let (mark, grace) = (&[], &|| DEADLINE);
    let program = Program {
        command: &command,
        environment: &environment,
        mark,
        cwd: &cwd,
        grace,
        redactor: &Redactor::default(),
    };
    let halt = CancellationToken::new();
    let error = program.run(&Map::new(), &mut |_| (), &halt).await.expect_err("missing");
    assert_eq!((error.kind.as_str(), error.retryable), ("start", false));
}

#[tokio::test]
async fn told_to_stop_it_may_say_goodbye() {
    let script = "trap 'echo bye >&2; exit 0' TERM; echo ready >&2; while :; do :; done";
    let started = Instant::now();
    let stopped = sh_seen(script, json!({}), DEADLINE, |_, halt| halt.cancel()).await;
    let failure = stopped.expect_err("stopped");
    assert_eq!(failure.kind, "stopped");
    assert_eq!(failure.stderr_tail.as_deref(), Some("ready\nbye\n"));
    assert!(started.elapsed() < DEADLINE / 2, "it did not wait for the whole grace");
}

#[tokio::test]
async fn who_does_not_go_is_killed_with_the_whole_group() {
    let script = "trap '' TERM; sleep 1000 & echo $! >&2; wait; wait";
    let pid = Mutex::new(0);
    let grace = Duration::from_millis(100);
    let seen = |chunk: &[u8], halt: &CancellationToken| {
        let text = String::from_utf8_lossy(chunk);
        *pid.lock().expect("whole") = text.trim().parse().expect("a number");
        halt.cancel();
    };
    let started = Instant::now();
    sh_seen(script, json!({}), grace, seen).await.expect_err("stopped");
    assert!(started.elapsed() >= grace, "it was given its time");
    gone(pid.into_inner().expect("whole")).await;
}

/// Stops `script` once it has shown two numbers of processes.
async fn stop_two(script: &str, grace: Duration) -> Vec<i32> {
    let shown = Mutex::new(String::new());
    let pids = |text: &str| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>();
    let seen = |chunk: &[u8], halt: &CancellationToken| {
        let mut shown = shown.lock().expect("whole");
        shown.push_str(&String::from_utf8_lossy(chunk));
        if pids(&shown).len() == 2 {
            halt.cancel();
        }
    };
    sh_seen(script, json!({}), grace, seen).await.expect_err("stopped");
    let shown = shown.into_inner().expect("whole");
    pids(&shown)
}

#[tokio::test]
async fn told_to_stop_those_go_too_that_have_left_the_group() {
    let polite = "setsid sh -c 'echo $$ >&2; exec sleep 1000' & echo $$ >&2; wait";
    let started = Instant::now();
    let pids = stop_two(polite, DEADLINE).await;
    assert!(started.elapsed() < DEADLINE / 2, "nobody had to be killed");
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "all are gone when it has ended");

    let stubborn = "setsid sh -c 'trap \"\" TERM; echo $$ >&2; while :; do sleep 0.1; done' & \
                    echo $$ >&2; wait";
    let grace = Duration::from_millis(300);
    let started = Instant::now();
    let pids = stop_two(stubborn, grace).await;
    assert!(started.elapsed() >= grace, "it was given its time");
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "all are gone when it has ended");
}

#[tokio::test]
async fn an_attempt_that_is_dropped_takes_its_whole_group_along() {
    let pid = CancellationToken::new();
    let number = Mutex::new(0);
    let seen = |chunk: &[u8], _: &CancellationToken| {
        let text = String::from_utf8_lossy(chunk);
        *number.lock().expect("whole") = text.trim().parse().expect("a number");
        pid.cancel();
    };
    tokio::select! {
        ended = sh_seen("sleep 1000 & echo $! >&2; wait", json!({}), DEADLINE, seen) => {
            panic!("ended: {ended:?}")
        }
        () = pid.cancelled() => {}
    }
    gone(number.into_inner().expect("whole")).await;
}

#[tokio::test]
async fn what_is_left_in_the_group_is_killed_and_what_left_it_holds_nothing_up() {
    let left = sh(r#"sleep 1000 & echo "{\"pid\": $!}""#, json!({})).await.expect("it ended well");
    gone(left["pid"].as_i64().expect("a number") as i32).await;

    // The shell's child becomes the leader of a session of its own.
    let script = r#"setsid sh -c 'echo "{\"pid\": $$}"; exec sleep 1000' & sleep 0.2"#;
    let escaped = sh(script, json!({})).await.expect("it ended well");
    let pid = escaped["pid"].as_i64().expect("a number") as i32;
    assert!(is_alive(pid), "as documented");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("killed");
}
