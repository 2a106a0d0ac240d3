//! An executor that stood still while others went on.

use kantoku_api::contract::{AttemptOutcome, ResourceGet, TaskAttempts, TaskGet};
use kantoku_domain::{Datum, Event, task::Outcome};
use nix::sys::signal::Signal;
use serde_json::json;
use uuid::Uuid;

use super::{ground::Ground, survivors::is_alive};

#[tokio::test(flavor = "multi_thread")]
async fn who_wakes_up_after_its_lease_is_refused_and_its_log_says_so() {
    let mut ground = Box::pin(Ground::start("1s")).await;
    let flag = std::env::temp_dir().join(format!("ktk-zombie-{}", Uuid::new_v4()));
    let script = format!(
        r#"echo $$ >&2
           [ "$KANTOKU_ATTEMPT" = 1 ] || {{ echo '{{"x": 2}}'; exit; }}
           until [ -e {} ]; do sleep 0.05; done
           echo '{{"x": 1}}'"#,
        flag.display()
    );
    ground.apply_sh("work", &script, json!({"retry": {"attempts": 1, "backoff": "1ms"}})).await;
    ground.execute("first");
    let task = ground.spawn("work").await;
    let (first, _) = ground.events.received(task.task_id, 1).await;
    assert_eq!(first.node, "first");
    let process = ground.pids(&task, 1, 1).await[0];

    ground.processes.signal("first", Signal::SIGSTOP);
    ground.execute("second");
    let finished = ground.events.finished(task.task_id).await;
    assert_eq!((finished.attempt, finished.outcome), (2, Outcome::Ok));
    assert_eq!(finished.outputs["x"], Datum::Value(json!(2)));
    assert_eq!(ground.events.received(task.task_id, 2).await.0.node, "second");

    // Its process has come to an end of its own meanwhile, which nobody has taken in.
    assert!(is_alive(process), "the executor stands still, not what it runs");
    std::fs::write(&flag, "").expect("written");
    super::survivors::gone(&[process]).await;
    ground.processes.signal("first", Signal::SIGCONT);
    let why = ground.lines(&task, 1, 1, |entry| entry.line.refused().map(str::to_owned)).await;
    eprintln!("the end of attempt 1 was refused: {}", why[0]);

    ground.processes.kill("second").await;
    ground.apply_sh("next", "echo '{\"x\": 3}'", json!({})).await;
    let next = ground.spawn("next").await;
    assert_eq!(ground.events.finished(next.task_id).await.outcome, Outcome::Ok, "it works on");
    assert_eq!(ground.events.received(next.task_id, 1).await.0.node, "first");

    let events = ground.events.of(task.task_id);
    let names: Vec<_> = events.iter().map(|recorded| recorded.event.name()).collect();
    let expected =
        ["TaskSpawned", "TaskReceived", "TaskAttemptFailed", "TaskReceived", "TaskFinished"];
    assert_eq!(names, expected, "the second end stands");
    let Event::TaskAttemptFailed(lost) = &events[2].event else { panic!("{names:?}") };
    assert!(lost.error.is_loss() && lost.error.message.contains("first"), "{lost:?}");

    let min_seq = events[4].stream_seq;
    let id = task.outputs["x"].to_string();
    let resource = ground.call::<ResourceGet>(json!({"id": id, "min_seq": min_seq})).await;
    assert_eq!(resource.value, Some(json!(2)));
    let get = json!({"id": task.task_id, "min_seq": min_seq});
    let document = ground.call::<TaskGet>(get.clone()).await;
    assert_eq!((document.attempt, document.node.as_deref()), (2, Some("second")));
    let attempts = ground.call::<TaskAttempts>(get).await.items;
    let outcomes: Vec<_> = attempts.iter().map(|it| (it.attempt, it.outcome)).collect();
    assert_eq!(outcomes, [(1, AttemptOutcome::Lost), (2, AttemptOutcome::Ok)]);
    assert_eq!(attempts[0].refused.as_ref(), Some(&why[0]));
    assert_eq!((attempts[0].node.as_deref(), &attempts[1].refused), (Some("first"), &None));
    std::fs::remove_file(flag).expect("removed");
    Box::pin(ground.stop()).await;
}
