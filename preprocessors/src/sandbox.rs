//! What a worker process takes away from itself before it reads its first script.

use std::{fs, io};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Leaves this process `memory_bytes` of address space beyond what it has now, no file to open or
/// to write, and no core to dump. These are hard limits: an ordinary process cannot lift them.
pub(crate) fn enter(memory_bytes: u64) -> io::Result<()> {
    let address_space = address_space_bytes()?.saturating_add(memory_bytes);
    for (resource, most) in [
        (Resource::RLIMIT_AS, address_space),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        // The three that it has. Zero would forbid `poll` as well.
        (Resource::RLIMIT_NOFILE, 3),
    ] {
        // The administrator may have set less, and only root could ask for more.
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, most.min(hard), most.min(hard))?;
    }
    Ok(())
}

/// Code and stacks are mapped already, and how much that is depends on the executable.
fn address_space_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .and_then(|size| size.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("no VmSize in /proc/self/status"))
}
