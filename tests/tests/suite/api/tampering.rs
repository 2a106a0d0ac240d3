//! What somebody did behind everybody's back is found and named by `ktk events verify`.

use std::{process::Stdio, time::Duration};

use kantoku_api::contract::{TaskSpawn, TaskWait};
use kantoku_domain::{Kind, Namespace};
use kantoku_handlers::seal;
use kantoku_service::Health;
use kantoku_streams::{Bus, Chain, Draft, Seal, StoredSeal};
use serde_json::{Value, json};

use super::{DEADLINE, Served, apply, call, pass};
use crate::stand::{Running, envelope, ktk};

/// What `ktk events verify` says of the server, and its exit code.
async fn verify(served: &Served, more: &[&str]) -> (i32, Value) {
    let mut command = tokio::process::Command::new(ktk());
    command.args(["events", "verify", "-o", "json", "--api-url", &served.url()]).args(more);
    let command = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(DEADLINE, command).await.expect("in time").expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let verdict = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {said}");
    });
    (output.status.code().expect("not killed"), verdict)
}

/// The findings of a rule, as `aggregate position`.
fn of_rule(verdict: &Value, rule: &str) -> Vec<String> {
    let findings = verdict["findings"].as_array().expect("findings").iter();
    let of_rule = findings.filter(|finding| finding["rule"] == rule);
    of_rule
        .map(|finding| {
            let aggregate = finding["aggregate"].as_str().unwrap_or("all");
            format!("{aggregate} {}", finding["stream_seq"])
        })
        .collect()
}

/// The seal of all that there is.
async fn sealed(bus: &Bus) -> StoredSeal {
    let waiting = async {
        loop {
            let head = bus.head().await.expect("the stream answers");
            let last = bus.seals().latest().await.expect("the seals answer");
            if let Some(last) = last.filter(|last| last.seal.stream_seq == head) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("sealed in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_past_the_guards_and_beside_the_events_is_found_and_named() {
    let served = Served::start().await;
    let bus = served.stand.bus.clone();
    let node = served.stand.node("node").await;
    let executor = served.stand.executor("executor");
    let sealing = bus.clone();
    let sealer = Running::start(async move |stop| seal(&sealing, &Health::default(), &stop).await);
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let spawn = json!({"specification": "pass", "inputs": {"x": {"value": 0.1}}});
    let spawned = call::<TaskSpawn>(&client, spawn).await.expect("spawned");
    let wait = json!({"id": spawned.task_id, "timeout": "1m"});
    assert!(call::<TaskWait>(&client, wait).await.expect("waited").done);
    let last = sealed(&bus).await;
    sealer.stop().await;
    let (code, verdict) = verify(&served, &["--deep"]).await;
    assert_eq!((code, &verdict["found"]), (0, &json!(0)), "{verdict}");
    assert_eq!(verdict["sealed_seq"], last.seal.stream_seq);
    assert_eq!(verdict["chain"], json!(last.seal.chain));

    // A row.
    let pool = sqlx::PgPool::connect(served.stand.database_url()).await.expect("connected");
    let tampered = "UPDATE ktk.tasks SET document = jsonb_set(document, '{priority}', '7')";
    assert_eq!(sqlx::query(tampered).execute(&pool).await.expect("done").rows_affected(), 1);
    let (code, verdict) = verify(&served, &["--deep"]).await;
    assert_eq!((code, verdict["found"].as_u64()), (7, Some(1)), "{verdict}");
    assert_eq!(verdict["tables"]["tasks"], false);
    assert_eq!(verdict["findings"][0]["rule"], "table");
    assert_eq!(verdict["findings"][0]["advice"], "ktk projections rebuild");

    // A second end of a task, which the guards of the stream allow.
    let id = spawned.task_id;
    let namespace = Namespace::default();
    let history = bus.ledger().history(&namespace, Kind::Task, id, 0).await.expect("read");
    let end = history.last().expect("it has ended").clone();
    let around = envelope(id, spawned.context_id);
    let draft =
        Draft::next(&namespace, id, end.version, end.stream_seq, end.event.clone(), &around);
    let doctored = bus.ledger().append(draft).await.expect("the guard holds").stream_seq;
    let (code, verdict) = verify(&served, &[]).await;
    let at = [format!("task/{id} {doctored}")];
    assert_eq!(code, 7, "{verdict}");
    assert_eq!(of_rule(&verdict, "transition"), at, "{verdict}");
    assert_eq!(of_rule(&verdict, "resolved-twice"), at, "{verdict}");

    // Events that are not those that were sealed.
    let (created, head) = bus.extent().await.expect("the stream answers");
    let event_id = bus.document_at(head).await.expect("read").expect("an event").event_id;
    let seal = Seal {
        stream_seq: head,
        event_id,
        events: head,
        chain: Chain::START.next("another history"),
        ..Seal::first(created, last.seal.at)
    };
    bus.seals().append(&seal, last.position).await.expect("stored");
    let (code, verdict) = verify(&served, &[]).await;
    assert_eq!(code, 7);
    assert_eq!(of_rule(&verdict, "seal"), [format!("all {head}")], "{verdict}");

    executor.stop().await;
    node.stop().await;
    served.stop().await;
}
