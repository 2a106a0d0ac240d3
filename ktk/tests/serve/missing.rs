//! Processes whose servers are not there.

use std::{net::TcpListener, process::Output, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{process::Command, time::timeout};

use crate::ground::{DEADLINE, Dir, serve, wait_until};

const NOBODY: &str = "nats://ktk:s3cret@127.0.0.1:1";
const NO_DATABASE: &str = "postgres://ktk:s3cret@127.0.0.1:1/kantoku";

fn lonely(dir: &Dir, args: &[&str]) -> Command {
    let mut command = serve(dir.path(), args);
    command.env("KTK_NATS_URL", NOBODY).env("KTK_DATABASE_URL", NO_DATABASE);
    command
}

async fn output(mut command: Command) -> (Option<i32>, String) {
    let output: Output = timeout(DEADLINE, command.output()).await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("s3cret"), "{stderr}");
    (output.status.code(), stderr)
}

#[tokio::test]
async fn who_is_asked_to_give_up_does_so_with_code_8() {
    let dir = Dir::new();
    let (code, stderr) = output(lonely(&dir, &["--timeout", "300ms"])).await;
    assert_eq!(code, Some(8), "{stderr}");
    assert!(stderr.contains("is out of reach after 300ms"), "{stderr}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_code_2() {
    let dir = Dir::new();
    let without_urls = serve(dir.path(), &["--only", "api"]);
    let (code, stderr) = output(without_urls).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("KTK_DATABASE_URL"), "{stderr}");

    let (code, stderr) = output(lonely(&dir, &["--only", "sheduler"])).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("scheduler, unfolder"), "{stderr}");

    for args in [["--slots", "0"], ["--service-id", "a b"], ["--labels", "gpu"]] {
        let (code, stderr) = output(lonely(&dir, &args)).await;
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let dir = Dir::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = lonely(&dir, &[]);
    command.args(["--listen", &address]);
    let (code, stderr) = output(command).await;
    assert_eq!(code, Some(2), "given twice: {stderr}");

    let mut command = Command::new(crate::ground::KTK);
    command.args(["serve", "--insecure", "--listen", &address, "--state-dir"]).arg(dir.path());
    command.env("KTK_NATS_URL", NOBODY).env("KTK_DATABASE_URL", NO_DATABASE);
    let (code, stderr) = output(command).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")), "{stderr}");
}

#[tokio::test]
async fn a_process_that_waits_is_alive_and_not_ready_and_ends_when_it_is_told() {
    let dir = Dir::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(crate::ground::KTK);
    command
        .args(["serve", "--insecure", "--listen", &format!("127.0.0.1:{port}"), "--state-dir"])
        .arg(dir.path())
        .env("KTK_NATS_URL", NOBODY)
        .env("KTK_DATABASE_URL", NO_DATABASE)
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap().cast_signed());

    rustls::crypto::ring::default_provider().install_default().ok();
    let http = reqwest::Client::builder().tls_certs_only([]).timeout(DEADLINE).build().unwrap();
    let get = async |path: &str| http.get(format!("http://127.0.0.1:{port}/{path}")).send().await;
    wait_until("it to listen", async || get("livez").await.is_ok()).await;
    assert_eq!(get("livez").await.unwrap().status(), 200);
    let readyz = get("readyz").await.unwrap();
    assert_eq!(readyz.status(), 503);
    let readyz = readyz.text().await.unwrap();
    assert!(readyz.contains("nats") && readyz.contains("postgres"), "{readyz}");
    assert!(!readyz.contains("s3cret"), "{readyz}");
    assert_eq!(get("rpc").await.unwrap().status(), 503, "the API is not there yet");
    assert!(get("metrics").await.unwrap().status().is_success());

    kill(pid, Signal::SIGTERM).unwrap();
    let output = timeout(Duration::from_secs(30), child.wait_with_output()).await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("s3cret"), "{stderr}");
}
