//! A process and all that it starts: signalled as one, and never left behind.

use std::{
    io,
    process::ExitStatus,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::Child;

use crate::proc;

/// How often a group that was asked to go is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The process group of an attempt, which bears the number of its first process. Whatever is left
/// of it is killed when this is dropped.
///
/// The number is not given to another process before all numbers have had their turn, which takes
/// far longer than this lives after the first process has ended.
pub(super) struct Group(Option<Pid>);

impl Group {
    /// The group that `leader` was started in.
    pub(super) fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// Asks everybody in it to go, and after `grace` no longer asks.
    pub(super) async fn end(&self, leader: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + grace;
        self.signal(Signal::SIGTERM);
        let left = tokio::time::timeout(grace, leader.wait()).await;
        while left.is_ok() && Instant::now() < deadline && self.is_alive().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.kill();
        leader.wait().await
    }

    /// Ends everybody in it. Nobody can start a process and have it escape this, but by leaving
    /// the group before.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may be gone already.
            killpg(group, signal).ok();
        }
    }

    async fn is_alive(&self) -> bool {
        let Some(group) = self.0 else { return false };
        let look = tokio::task::spawn_blocking(move || proc::is_group_alive(group));
        look.await.unwrap_or(false)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
