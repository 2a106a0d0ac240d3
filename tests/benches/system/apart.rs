//! W10: W1 once more, by one process, by one for each part, and by groups of them.

use crate::{
    Results,
    args::Args,
    machine, manifests,
    services::{API, NODE, Services},
    stand::Stand,
    workloads,
};

/// Processes by service and parts.
type Processes = &'static [(&'static str, &'static str)];

const WAYS: [(&str, Processes); 4] = [
    (
        "W10 one process",
        &[("all", "scheduler,unfolder,lease-keeper,timers,executor,projector,api")],
    ),
    (
        "W10 two processes",
        &[
            ("all", "scheduler,unfolder,lease-keeper,timers,executor,api"),
            ("projector", "projector"),
        ],
    ),
    ("W10 a process a part", &[API, NODE, ("executor", "executor"), ("projector", "projector")]),
    (
        "W10 two executors, two projectors",
        &[
            API,
            NODE,
            ("executor", "executor"),
            ("executor-2", "executor"),
            ("projector", "projector"),
            ("projector-2", "projector"),
        ],
    ),
];

/// Runs W1 in each way, on one set of servers.
pub(crate) async fn run(args: &Args, results: &mut Results) {
    let stand = Stand::new(args.sync);
    let mut services = Services::start(&stand).await;
    for (index, (name, processes)) in WAYS.into_iter().enumerate() {
        for (service_id, only) in processes {
            services.serve(service_id, only);
        }
        let up = services.up().await;
        if index == 0 {
            manifests::apply(&up.client).await;
            results.common = machine::describe(&up).await;
        }
        workloads::warm_up(&up).await;
        for run in 1..=args.runs {
            eprintln!("{name}: run {run} of {}", args.runs);
            let before = services.spent();
            for (_, mut measured) in workloads::run("W1", &up).await {
                for (service_id, seconds) in services.spent() {
                    let each = (seconds - before[service_id]) * 1e6 / measured.n as f64;
                    measured = measured.with(&format!("{service_id}_us"), each);
                }
                results.push(name, measured);
            }
            up.at_rest().await;
        }
        drop(up);
        services.kill_all().await;
    }
    services.stop().await;
}
