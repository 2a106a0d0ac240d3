//! Who is alive, as `/proc` tells. Zombies are not.

use std::{fs, path::PathBuf};

use nix::unistd::Pid;

/// Whether a process of `group` is alive. The kernel's own answer to signal 0 counts zombies,
/// which nobody may ever collect.
pub(crate) fn is_group_alive(group: Pid) -> bool {
    pids().any(|pid| {
        let stat = fs::read_to_string(file(pid, "stat")).unwrap_or_default();
        group_of(&stat) == Some(group.as_raw())
    })
}

/// The processes that were started with `entry` (`NAME=value`) in their environment, as far as we
/// may look into it.
pub(crate) fn started_with(entry: &str) -> Vec<Pid> {
    let has_entry = |pid: &i32| {
        // That of a zombie is empty.
        let environment = fs::read(file(*pid, "environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes())
    };
    pids().filter(has_entry).map(Pid::from_raw).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn file(pid: i32, name: &str) -> PathBuf {
    format!("/proc/{pid}/{name}").into()
}

/// The process group, the fifth field. The second one, the name, may hold anything but ends at the
/// last parenthesis.
fn group_of(stat: &str) -> Option<i32> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        assert_eq!(group_of("9 (a) b (c)) S 1 4711 3 4"), Some(4711));
        assert_eq!(group_of("9 (sh) Z 1 4711 3 4"), None);
    }

    #[test]
    fn this_process_is_alive_and_a_stranger_is_not() {
        assert!(is_group_alive(nix::unistd::getpgrp()));
        assert!(!is_group_alive(Pid::from_raw(i32::MAX)));
        assert_eq!(started_with("KANTOKU_NOBODY=1"), []);
    }
}
