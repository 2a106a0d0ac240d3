//! A process and all that it starts: signalled as one, and never left behind.

use std::{collections::HashSet, io, time::Duration};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{process::Child, task::spawn_blocking, time::timeout};

use crate::proc::{self, Left};

/// How often a group that was asked to go is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How many times in a row nobody is found: a process that becomes another program has no
/// environment for a moment.
const QUIET_LOOKS: u32 = 2;
/// What even SIGKILL does not end by then hangs in the kernel, and is left to the reaper.
const KILLS_MAX: u32 = 200;

/// The process group of an attempt, which bears the number of its first process, and whoever has
/// left it with the mark of the attempt in the environment. Whatever is left of the group is killed
/// when this is dropped.
///
/// The number is not given to another process before all numbers have had their turn, which takes
/// far longer than this lives after the first process has ended.
pub(super) struct Group {
    number: Option<Pid>,
    mark: Vec<String>,
}

impl Group {
    /// The group that `leader` was started in, with all entries of `mark` (`NAME=value`) in its
    /// environment. Without any, nobody is known who has left the group.
    pub(super) fn of(leader: &Child, mark: &[String]) -> Self {
        let number = leader.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Self { number, mark: mark.to_vec() }
    }

    /// Asks everybody to go, and after `grace` no longer asks.
    pub(super) async fn end(&self, leader: &mut Child, grace: Duration) -> io::Result<()> {
        self.signal(Signal::SIGTERM);
        let gone = async { tokio::join!(leader.wait(), self.ask_strays()) };
        if timeout(grace, gone).await.is_err() {
            self.kill_all().await;
        }
        leader.wait().await.map(drop)
    }

    /// Ends everybody in it. Nobody can start a process and have it escape this, but by leaving
    /// the group before.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Asks those that have left the group to go, until nobody is there.
    async fn ask_strays(&self) {
        let mut asked = HashSet::new();
        let mut quiet = 0;
        loop {
            let left = self.look().await;
            for stray in left.strays.iter().filter(|stray| asked.insert(**stray)) {
                kill(*stray, Signal::SIGTERM).ok();
            }
            quiet = if left.is_nobody() { quiet + 1 } else { 0 };
            if quiet == QUIET_LOOKS {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends everybody, those that have left the group included.
    async fn kill_all(&self) {
        let mut quiet = 0;
        for _ in 0..KILLS_MAX {
            self.kill();
            let left = self.look().await;
            for stray in &left.strays {
                kill(*stray, Signal::SIGKILL).ok();
            }
            quiet = if left.is_nobody() { quiet + 1 } else { 0 };
            if quiet == QUIET_LOOKS {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tracing::warn!(group = ?self.number, "processes of an attempt cannot be ended");
    }

    async fn look(&self) -> Left {
        let Some(group) = self.number else { return Left::default() };
        let mark = self.mark.clone();
        spawn_blocking(move || proc::left(group, &mark)).await.unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.number {
            // It may be gone already.
            killpg(group, signal).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
