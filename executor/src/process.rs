//! The `process` executable: inputs on stdin, the result document on stdout, in a process group of
//! its own that is killed when the attempt is given up.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use kantoku_domain::task::Failure;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

/// What stdout may hold, in bytes.
const STDOUT_MAX: u64 = 64 * 1024 * 1024;
/// How much of the end of stderr is kept, in bytes.
const STDERR_TAIL: usize = 4 * 1024;

/// Kills the whole process group when dropped before the process has ended.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be gone already.
            killpg(group, Signal::SIGKILL).ok();
        }
    }
}

/// Runs `command` with `inputs`; `environment` is added to ours.
pub(crate) async fn run(
    command: &[String],
    environment: &BTreeMap<String, String>,
    cwd: Option<&str>,
    inputs: &Map<String, Value>,
) -> Result<Value, Failure> {
    let [program, arguments @ ..] = command else {
        return Err(Failure::new("start", "the command is empty", false));
    };
    let mut builder = Command::new(program);
    builder
        .args(arguments)
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(cwd) = cwd {
        builder.current_dir(cwd);
    }
    let mut child = builder.spawn().map_err(|error| {
        Failure::new("start", format!("cannot start {program:?}: {error}"), false)
    })?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));

    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Failure::new("start", "the process has no pipes", true));
    };
    let document = Value::Object(inputs.clone()).to_string();
    let feed = async move {
        // A process that does not read its inputs is no error.
        stdin.write_all(document.as_bytes()).await.ok();
        drop(stdin);
    };
    let mut output = Vec::new();
    let read = async {
        stdout.take(STDOUT_MAX + 1).read_to_end(&mut output).await.ok();
    };
    let ((), (), tail, status) = tokio::join!(feed, read, tail_of(stderr), child.wait());
    group.0 = None;
    let status = status
        .map_err(|error| Failure::new("exit", format!("the process was lost: {error}"), true))?;

    if !status.success() {
        let what =
            status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
        return Err(Failure {
            exit_code: status.code(),
            stderr_tail: Some(tail),
            ..Failure::new("exit", format!("{program:?} failed: {what}"), true)
        });
    }
    if output.len() as u64 > STDOUT_MAX {
        return Err(Failure::new("result", format!("stdout is over {STDOUT_MAX} bytes"), false));
    }
    if output.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(&output).map_err(|error| Failure {
        stderr_tail: Some(tail),
        ..Failure::new("result", format!("stdout of {program:?} is not JSON: {error}"), false)
    })
}

/// Reads to the end and keeps the end.
async fn tail_of(mut stream: impl AsyncRead + Unpin) -> String {
    let mut tail = Vec::new();
    let mut chunk = vec![0; 8 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        tail.extend_from_slice(&chunk[..length]);
        let surplus = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..surplus);
    }
    String::from_utf8_lossy(&tail).into_owned()
}

/// The failure of an attempt that took longer than it may.
pub(crate) fn timed_out(limit: Duration) -> Failure {
    Failure::new("timeout", format!("the attempt took longer than {limit:?}"), true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn sh(script: &str, inputs: Value) -> Result<Value, Failure> {
        let command = ["sh", "-c", script].map(str::to_owned);
        let Value::Object(inputs) = inputs else { panic!("an object") };
        run(&command, &BTreeMap::new(), None, &inputs).await
    }

    #[tokio::test]
    async fn inputs_come_in_and_outputs_go_out() {
        let echoed = sh("cat", json!({"a": [1, "ä"]})).await;
        assert_eq!(echoed, Ok(json!({"a": [1, "ä"]})));
        assert_eq!(sh("true", json!({})).await, Ok(json!({})));
    }

    #[tokio::test]
    async fn a_failure_shows_its_exit_code_and_the_end_of_stderr() {
        let failed = sh("seq 1 9999 >&2; echo last >&2; exit 3", json!({})).await;
        let failed = failed.expect_err("it failed");
        assert_eq!(failed.exit_code, Some(3));
        let tail = failed.stderr_tail.expect("there was some");
        assert!(tail.ends_with("9999\nlast\n") && tail.len() <= STDERR_TAIL, "{tail}");
    }

    #[tokio::test]
    async fn what_is_no_json_or_no_program_is_explained() {
        let error = sh("echo hello", json!({})).await.expect_err("no JSON");
        assert!(error.message.contains("not JSON") && !error.retryable);
        let missing = ["/no/such/program".to_owned()];
        let error = run(&missing, &BTreeMap::new(), None, &Map::new()).await.expect_err("missing");
        assert_eq!((error.kind.as_str(), error.retryable), ("start", false));
    }

    #[tokio::test]
    async fn an_attempt_that_is_given_up_takes_its_whole_group_along() {
        let dir = std::env::temp_dir().join(format!("ktk-group-{}", std::process::id()));
        let script = format!("sleep 1000 & echo $! > {}; wait", dir.display());
        let command = ["sh".to_owned(), "-c".to_owned(), script];
        let (environment, inputs) = (BTreeMap::new(), Map::new());
        let attempt = run(&command, &environment, None, &inputs);
        let written = async {
            loop {
                match std::fs::read_to_string(&dir) {
                    Ok(pid) if pid.ends_with('\n') => return pid,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        let pid = tokio::select! {
            pid = written => pid,
            ended = attempt => panic!("ended: {ended:?}"),
        };
        let grandchild = format!("/proc/{}/stat", pid.trim());
        let is_gone = || match std::fs::read_to_string(&grandchild) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let gone = async {
            while !is_gone() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("killed with its group");
        std::fs::remove_file(&dir).expect("removed");
    }
}
