//! Which processes are alive, as `/proc` tells.

use std::{fs, time::Instant};

use kantoku_domain::Id;

use super::{DEADLINE, SOON};

/// Whether a process is alive. Zombies are not.
pub(super) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest.trim_start());
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

/// The processes of a task, wherever they went: those with its id in their environment.
fn of_task(task_id: Id) -> Vec<u32> {
    let entry = format!("KANTOKU_TASK_ID={task_id}");
    let has_entry = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("there").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_alive(*pid) && has_entry(pid)).collect()
}

/// Waits until none of these is alive; since when it was waited.
pub(super) async fn gone(pids: &[u32]) -> std::time::Duration {
    let start = Instant::now();
    while let Some(pid) = pids.iter().find(|pid| is_alive(**pid)) {
        assert!(start.elapsed() < DEADLINE, "process {pid} lives on");
        tokio::task::yield_now().await;
    }
    start.elapsed()
}

/// Waits until no process of a task is alive: those that are killed together do not die in one
/// moment.
pub(super) async fn none_left(task_id: Id) {
    let start = Instant::now();
    loop {
        let left = of_task(task_id);
        if left.is_empty() {
            return;
        }
        assert!(start.elapsed() < SOON, "of task {task_id} these live on: {left:?}");
        tokio::task::yield_now().await;
    }
}
