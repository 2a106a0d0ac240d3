//! W9: a part of a running system is killed and started again: how long until it works.

use std::time::Instant;

use kantoku_api::{
    Client,
    contract::{ReadParams, TaskGet},
};

use crate::{
    measured::Measured,
    services::{API, NODE, Services},
    stand::Stand,
    workloads::{WAIT, result, singles, spawn},
};

/// What is restarted: the name, the service and the parts that it runs, what is waited for.
const PARTS: [(&str, (&str, &str), &str); 3] = [
    (
        "W9 scheduler",
        NODE,
        "killed; start of the process → result of a task that was spawned meanwhile",
    ),
    (
        "W9 executor",
        ("executor", "executor"),
        "killed; start of the process → result of a task that was spawned meanwhile",
    ),
    (
        "W9 projector",
        ("projector", "projector"),
        "killed; start of the process → the read model shows a task that was spawned meanwhile",
    ),
];

/// Restarts each part `runs` times, on the servers of a stand that is down.
pub(crate) async fn measure(stand: &Stand, runs: usize) -> Vec<(&'static str, Measured)> {
    let mut services = Services::start(stand).await;
    for (service_id, only) in [API].into_iter().chain(PARTS.map(|(_, part, _)| part)) {
        services.serve(service_id, only);
    }
    let client = services.client().await;
    // All of them have caught up.
    singles::one(&client).await;
    shown(&client).await;
    let mut measured = Vec::new();
    for (name, (service_id, only), note) in PARTS {
        for _ in 0..runs {
            services.kill(service_id).await;
            let spawned = spawn(&client, None).await;
            let begun = Instant::now();
            services.serve(service_id, only);
            if only == "projector" {
                read(&client, &spawned.task_id.to_string(), spawned.stream_seq).await;
            } else {
                result(&client, spawned.task_id).await;
            }
            let seconds = begun.elapsed().as_secs_f64();
            measured.push((name, Measured::new(1, seconds, note)));
        }
    }
    drop(client);
    services.stop().await;
    measured
}

async fn shown(client: &Client) {
    let spawned = spawn(client, None).await;
    read(client, &spawned.task_id.to_string(), spawned.stream_seq).await;
}

async fn read(client: &Client, id: &str, min_seq: u64) {
    let params = ReadParams {
        id: id.to_owned(),
        min_seq: Some(min_seq),
        timeout: Some(WAIT),
        ..ReadParams::default()
    };
    client.call::<TaskGet>(&params).await.expect("shown");
}
