//! Which processes were started by whom, as `/proc` tells.

use std::{collections::BTreeMap, fs, path::Path};

/// A process and its descendants.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    for entry in Path::new("/proc").read_dir().into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split(' ').nth(2)?.parse().ok());
        if let (Some(pid), Some(parent)) = (pid, parent) {
            parents.insert(pid, parent);
        }
    }
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        all.extend(parents.iter().filter(|(_, parent)| **parent == pid).map(|(pid, _)| *pid));
        next += 1;
    }
    all
}
