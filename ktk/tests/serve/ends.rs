//! How a process ends, and how it comes back.

use kantoku_api::contract::{
    ManifestApply, ManifestParams, NoParams, ReadParams, ServiceList, SpawnParams, TaskGet,
    TaskSpawn,
};
use kantoku_domain::task::Outcome;
use kantoku_projections::document::TaskStatus;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::ground::{Ground, is_alive, wait_until};

/// Node, executor, projector, sealer, API.
const SERVICES: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_may_end_before_the_process_does_and_ids_survive() {
    let Some(ground) = Ground::start().await else { return };
    let first = ground.serve("all", &[]).await;
    let client = first.client().await;
    let ids = async |client: &kantoku_api::Client| {
        let services = client.call::<ServiceList>(&NoParams {}).await.unwrap().items;
        services.into_iter().map(|service| service.service_id).collect::<Vec<_>>()
    };
    wait_until("all services to be present", async || ids(&client).await.len() == SERVICES).await;
    let ids_before = ids(&client).await;

    let nap = json!({
        "apiVersion": "kantoku/v1",
        "kind": "Specification",
        "metadata": { "name": "nap" },
        "spec": { "executable": {
            "type": "process",
            "command": ["sh", "-c", "cat >/dev/null; sleep 2; echo '{}'"],
        } },
    });
    let params = ManifestParams { documents: vec![nap], ..ManifestParams::default() };
    client.call::<ManifestApply>(&params).await.unwrap();
    let params: SpawnParams = serde_json::from_value(json!({ "specification": "nap" })).unwrap();
    let task_id = client.call::<TaskSpawn>(&params).await.unwrap().task_id;
    let get = ReadParams { id: task_id.to_string(), ..ReadParams::default() };
    wait_until("the task to run", async || {
        let task = client.call::<TaskGet>(&get).await;
        task.is_ok_and(|task| task.status == TaskStatus::Received)
    })
    .await;

    let descendants = first.descendants();
    drop(client);
    first.send(Signal::SIGTERM);
    assert_eq!(first.exit_code().await, Some(0));
    assert!(!descendants.into_iter().any(is_alive), "nothing is left running");

    let second = ground.serve("all", &[]).await;
    let client = second.client().await;
    wait_until("the end of the task to be projected", async || {
        client.call::<TaskGet>(&get).await.is_ok_and(|task| task.status.is_terminal())
    })
    .await;
    let task = client.call::<TaskGet>(&get).await.unwrap();
    assert_eq!((task.sub_status, task.attempt), (Some(Outcome::Ok), 1), "{task:?}");
    wait_until("all services to be present", async || ids(&client).await.len() == SERVICES).await;
    assert_eq!(ids(&client).await, ids_before);

    drop(client);
    second.send(Signal::SIGINT);
    assert_eq!(second.exit_code().await, Some(0));
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_with_the_same_id_is_refused_with_the_name_of_the_first() {
    let Some(ground) = Ground::start().await else { return };
    let args = ["--only", "timers", "--service-id", "timers-1"];
    let first = ground.serve("same", &args).await;
    let output = ground.command("same", &args).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let holder = format!("service id timers-1 is in use by process {}", first.pid());
    assert!(stderr.contains(&holder), "{stderr}");
    first.send(Signal::SIGTERM);
    assert_eq!(first.exit_code().await, Some(0));
    ground.stop().await;
}
