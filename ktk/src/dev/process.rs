//! Who a process is, beyond its reusable number, so that no foreign process is ever signalled.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process: its id, when it started (ticks since boot), and in which boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcId {
    pid: u32,
    started_ticks: u64,
    boot_id: String,
}

impl ProcId {
    /// The identity of the live process `pid`; `None` when there is none, or only a zombie.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(Self { pid, started_ticks: started_ticks(&stat)?, boot_id: boot_id.trim().to_owned() })
    }

    /// Reads what [`super::state::write_json`] wrote of it; `None` when there is nothing readable.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether exactly this process still runs.
    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Signals the process if it is still the same one; `false` when it is gone.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        self.is_alive() && kill(Pid::from_raw(self.pid.cast_signed()), signal).is_ok()
    }

    /// Waits until the process is gone; `false` when it still runs after `limit`.
    pub(super) async fn wait_gone(&self, limit: Duration) -> bool {
        until(limit, || !self.is_alive()).await
    }
}

/// Looks every few milliseconds until `fact` holds; `false` when it does not within `limit`.
pub(super) async fn until(limit: Duration, mut fact: impl FnMut() -> bool) -> bool {
    const LOOK_EVERY: Duration = Duration::from_millis(10);
    let deadline = tokio::time::Instant::now() + limit;
    while !fact() {
        if tokio::time::Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

/// The 22nd field of `/proc/PID/stat`. The second one, the name, may hold anything but ends at the
/// last parenthesis.
fn started_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let after = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(started_ticks(&format!("9 (a) b (c)) {after}")), Some(4711));
        assert_eq!(started_ticks(&format!("9 (a) {}", after.replace('S', "Z"))), None);
    }

    #[test]
    fn another_process_under_the_same_number_is_not_this_one() {
        let me = ProcId::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        let before = ProcId { started_ticks: me.started_ticks + 1, ..me };
        assert!(!before.is_alive());
        assert!(!before.signal(Signal::SIGKILL));
    }
}
