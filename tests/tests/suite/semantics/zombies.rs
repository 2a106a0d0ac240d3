//! An executor that stood still while others went on.

use std::path::PathBuf;

use kantoku_api::contract::{AttemptOutcome, ResourceGet, Spawned, TaskAttempts, TaskGet};
use kantoku_domain::{Datum, Event, task::Outcome};
use nix::sys::signal::Signal;
use serde_json::json;
use uuid::Uuid;

use super::{
    ground::Ground,
    survivors::{gone, is_alive},
};

/// Executors `first`, which stands still with the first attempt, and `second`, which has the second.
struct Scene {
    ground: Ground,
    task: Spawned,
    /// Each attempt comes to its end as soon as its file is there.
    files: [PathBuf; 2],
    /// The process of the first attempt.
    process: u32,
}

impl Scene {
    async fn set() -> Self {
        let mut ground = Box::pin(Ground::start("1s")).await;
        let file = std::env::temp_dir().join(format!("ktk-zombie-{}", Uuid::new_v4()));
        let file_of = |attempt: u32| PathBuf::from(format!("{}-{attempt}", file.display()));
        let script = format!(
            r#"echo $$ >&2
               until [ -e {}-$KANTOKU_ATTEMPT ]; do sleep 0.05; done
               echo "{{\"x\": $KANTOKU_ATTEMPT}}""#,
            file.display()
        );
        let retry = json!({"retry": {"attempts": 1, "backoff": "1ms"}});
        ground.apply_sh("work", &script, retry).await;
        ground.execute("first");
        let task = ground.spawn("work").await;
        let (first, _) = ground.events.received(task.task_id, 1).await;
        assert_eq!(first.node, "first");
        let process = ground.pids(&task, 1, 1).await[0];
        ground.processes.signal("first", Signal::SIGSTOP);
        ground.execute("second");
        let (second, _) = ground.events.received(task.task_id, 2).await;
        assert_eq!(second.node, "second");
        Self { ground, task, files: [file_of(1), file_of(2)], process }
    }

    /// Lets the process of the first attempt come to its end, which nobody takes in.
    async fn end_first(&self) {
        assert!(is_alive(self.process), "the executor stands still, not what it runs");
        std::fs::write(&self.files[0], "").expect("written");
        gone(&[self.process]).await;
    }

    /// Lets its executor go on; why the end was refused.
    async fn wake_first(&self) -> String {
        self.ground.processes.signal("first", Signal::SIGCONT);
        let refused = |entry: &kantoku_streams::LogEntry| entry.line.refused().map(str::to_owned);
        let why = self.ground.lines(&self.task, 1, 1, refused).await.remove(0);
        eprintln!("the end of attempt 1 was refused: {why}");
        why
    }

    async fn end_second(&self) {
        std::fs::write(&self.files[1], "").expect("written");
        let finished = self.ground.events.finished(self.task.task_id).await;
        assert_eq!((finished.attempt, finished.outcome), (2, Outcome::Ok));
        assert_eq!(finished.outputs["x"], Datum::Value(json!(2)));
    }

    /// The second attempt's end stands, and the refusal of the first is to be seen.
    async fn check(mut self, why: &str) {
        let ground = &mut self.ground;
        ground.processes.kill("second").await;
        ground.apply_sh("next", "echo '{\"x\": 3}'", json!({})).await;
        let next = ground.spawn("next").await;
        assert_eq!(ground.events.finished(next.task_id).await.outcome, Outcome::Ok, "it works on");
        assert_eq!(ground.events.received(next.task_id, 1).await.0.node, "first");

        let events = ground.events.of(self.task.task_id);
        let names: Vec<_> = events.iter().map(|recorded| recorded.event.name()).collect();
        let expected =
            ["TaskSpawned", "TaskReceived", "TaskAttemptFailed", "TaskReceived", "TaskFinished"];
        assert_eq!(names, expected);
        let Event::TaskAttemptFailed(lost) = &events[2].event else { panic!("{names:?}") };
        assert!(lost.error.is_loss() && lost.error.message.contains("first"), "{lost:?}");

        let min_seq = events[4].stream_seq;
        let resource = json!({"id": self.task.outputs["x"], "min_seq": min_seq});
        assert_eq!(ground.call::<ResourceGet>(resource).await.value, Some(json!(2)));
        let get = json!({"id": self.task.task_id, "min_seq": min_seq});
        let document = ground.call::<TaskGet>(get.clone()).await;
        assert_eq!((document.attempt, document.node.as_deref()), (2, Some("second")));
        let attempts = ground.call::<TaskAttempts>(get).await.items;
        let outcomes: Vec<_> = attempts.iter().map(|it| (it.attempt, it.outcome)).collect();
        assert_eq!(outcomes, [(1, AttemptOutcome::Lost), (2, AttemptOutcome::Ok)]);
        assert_eq!(attempts[0].refused.as_deref(), Some(why));
        assert_eq!((attempts[0].node.as_deref(), &attempts[1].refused), (Some("first"), &None));
        for file in &self.files {
            std::fs::remove_file(file).expect("removed");
        }
        Box::pin(self.ground.stop()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wakes_up_after_another_has_finished_is_refused_and_its_log_says_so() {
    let scene = Box::pin(Scene::set()).await;
    scene.end_first().await;
    scene.end_second().await;
    let why = scene.wake_first().await;
    Box::pin(scene.check(&why)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wakes_up_while_another_is_at_work_does_not_end_it() {
    let scene = Box::pin(Scene::set()).await;
    scene.end_first().await;
    let why = scene.wake_first().await;
    scene.end_second().await;
    Box::pin(scene.check(&why)).await;
}
