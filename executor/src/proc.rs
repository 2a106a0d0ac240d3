//! Who is alive, as `/proc` tells. Zombies are not.

use std::{fs, path::PathBuf};

use nix::unistd::Pid;

/// Who is left of a process group, and of those that have left it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Left {
    /// Whether anybody is in the group.
    pub(crate) is_group_alive: bool,
    /// Those that are in another.
    pub(crate) strays: Vec<Pid>,
}

impl Left {
    pub(crate) fn is_nobody(&self) -> bool {
        !self.is_group_alive && self.strays.is_empty()
    }
}

/// Who is left of `group`, and of those with `mark` in their environment. The kernel's own answer
/// to signal 0 counts zombies, which nobody may ever collect.
pub(crate) fn left(group: Pid, mark: &[String]) -> Left {
    let group_of = |pid: i32| group_of(&fs::read_to_string(file(pid, "stat")).unwrap_or_default());
    let is_stray = |pid: &Pid| group_of(pid.as_raw()).is_some_and(|it| it != group.as_raw());
    Left {
        is_group_alive: pids().any(|pid| group_of(pid) == Some(group.as_raw())),
        strays: started_with(mark).into_iter().filter(is_stray).collect(),
    }
}

/// The processes that were started with all of `entries` (`NAME=value`) in their environment, as
/// far as we may look into it; nobody if there are none.
pub(crate) fn started_with(entries: &[String]) -> Vec<Pid> {
    let has_entries = |pid: &i32| {
        // That of a zombie is empty.
        let environment = fs::read(file(*pid, "environ")).unwrap_or_default();
        let has =
            |entry: &String| environment.split(|byte| *byte == 0).any(|it| it == entry.as_bytes());
        !entries.is_empty() && entries.iter().all(has)
    };
    pids().filter(has_entries).map(Pid::from_raw).collect()
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
        assert!(left(nix::unistd::getpgrp(), &[]).is_group_alive);
        let nobody = left(Pid::from_raw(i32::MAX), &["KANTOKU_NOBODY=1".into()]);
        assert!(nobody.is_nobody(), "{nobody:?}");
    }
}
