//! A server that asks for keys, from its first key on.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::ground::{Ground, KTK, wait_until};

/// What `ktk` printed, and its exit code.
async fn ktk(url: &str, key: Option<&str>, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(KTK);
    command.args(args).env("KTK_API_URL", url).env_remove("KTK_API_KEY");
    let output = command.envs(key.map(|key| ("KTK_API_KEY", key))).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_first_key_makes_others_and_each_opens_what_it_is_for() {
    let Some(ground) = Ground::start().await else { return };
    let file = ground.path().join("admin.key");
    let args = ["--first-key", file.to_str().unwrap()];
    let served = ground.serve("keyed", &args).await;
    let url = served.document["endpoints"]["api"].as_str().unwrap().to_owned();
    let admin = std::fs::read_to_string(&file).unwrap();
    let admin = admin.trim();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    for key in [None, Some("ktk_none")] {
        let (code, stdout, stderr) = ktk(&url, key, &["get", "tasks"]).await;
        assert_eq!((code, stdout.as_str()), (Some(9), ""), "{stderr}");
        assert!(stderr.contains("KTK_API_KEY"), "{stderr}");
    }
    let create =
        ["key", "create", "guest", "--role", "viewer", "--namespaces", "team", "-o", "json"];
    let (code, stdout, stderr) = ktk(&url, Some(admin), &create).await;
    assert_eq!(code, Some(0), "{stderr}");
    let made: Value = serde_json::from_str(&stdout).unwrap();
    let guest = made["secret"].as_str().unwrap();
    let look = ["get", "tasks", "-n", "team"];
    wait_until("the key to open", async || ktk(&url, Some(guest), &look).await.0 == Some(0)).await;
    for args in [&["get", "tasks"][..], &["cancel", "task/x", "-n", "team"], &["key", "list"]] {
        let (code, _, stderr) = ktk(&url, Some(guest), args).await;
        assert_eq!(code, Some(9), "{args:?}: {stderr}");
    }
    let (_, keys, _) = ktk(&url, Some(admin), &["key", "list"]).await;
    assert!(keys.contains("guest") && keys.contains("first"), "{keys}");
    let (_, audit, _) = ktk(&url, Some(admin), &["audit"]).await;
    assert!(audit.contains("key.create") && !audit.contains(&guest[21..]), "{audit}");
    let id = made["key"]["id"].as_str().unwrap();
    assert_eq!(ktk(&url, Some(admin), &["key", "revoke", id]).await.0, Some(0));
    wait_until("the key's end", async || ktk(&url, Some(guest), &look).await.0 == Some(9)).await;

    served.send(Signal::SIGTERM);
    assert_eq!(served.exit_code().await, Some(0));
    let log = std::fs::read_to_string(ground.path().join("keyed.log")).unwrap();
    assert!(!log.contains(&admin[21..]) && !log.contains(&guest[21..]), "{log}");
    ground.stop().await;
}
