//! What processes cost, as Linux counts it.

use std::{collections::BTreeMap, fs};

use nix::unistd::{SysconfVar, sysconf};

/// Seconds of CPU, by whom they were spent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) ktk: f64,
    pub(crate) nats: f64,
    pub(crate) postgres: f64,
    /// The bench itself, which is the client.
    pub(crate) client: f64,
    /// All programs of the machine.
    pub(crate) machine: f64,
}

impl Cpu {
    /// What was spent by now by process `root` and all that descend from it.
    pub(crate) fn now(root: u32) -> Self {
        let mut cpu = Self { machine: machine(), ..Self::default() };
        cpu.client = Stat::of(std::process::id()).map_or(0.0, |stat| stat.seconds);
        for pid in tree(root) {
            let Some(stat) = Stat::of(pid) else { continue };
            let of = match stat.name.as_str() {
                "nats-server" => &mut cpu.nats,
                "postgres" => &mut cpu.postgres,
                _ => &mut cpu.ktk,
            };
            *of += stat.seconds;
        }
        cpu
    }

    /// What was spent since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        // A process that has ended takes what it spent along, where nobody waited for it.
        let spent = |now: f64, before: f64| (now - before).max(0.0);
        Self {
            ktk: spent(self.ktk, before.ktk),
            nats: spent(self.nats, before.nats),
            postgres: spent(self.postgres, before.postgres),
            client: spent(self.client, before.client),
            machine: spent(self.machine, before.machine),
        }
    }

    pub(crate) fn of_stand(self) -> f64 {
        self.ktk + self.nats + self.postgres
    }

    /// What programs spent that have nothing to do with the measurement.
    pub(crate) fn foreign(self) -> f64 {
        (self.machine - self.of_stand() - self.client).max(0.0)
    }
}

/// Seconds of CPU that process `root` and all that descend from it have spent.
pub(crate) fn spent_by(root: u32) -> f64 {
    tree(root).into_iter().filter_map(Stat::of).map(|stat| stat.seconds).sum()
}

/// The memory of process `root` and all that descend from it in MB, what is shared counted by shares.
/// `None` where the system does not tell.
pub(crate) fn memory_mb(root: u32) -> Option<f64> {
    let of = |pid: u32| -> Option<f64> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let all: Option<Vec<f64>> = tree(root).into_iter().map(of).collect();
    all.map(|all| all.iter().sum::<f64>() / 1_024.0)
}

/// What the kernel says about a process.
struct Stat {
    name: String,
    parent: u32,
    /// Of its own and of its children that have ended.
    seconds: f64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, but ends at the last parenthesis.
        let (head, tail) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok());
        let seconds = ticks.sum::<f64>() / ticks_per_second();
        Some(Self { name, parent: fields.get(1)?.parse().ok()?, seconds })
    }
}

/// `root` and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some(stat) = Stat::of(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let (mut all, mut next) = (Vec::new(), vec![root]);
    while let Some(pid) = next.pop() {
        all.push(pid);
        next.extend(children.remove(&pid).unwrap_or_default());
    }
    all
}

fn machine() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_ascii_whitespace().flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy = ticks.iter().take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    busy.map(|(_, ticks)| ticks).sum::<f64>() / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    sysconf(SysconfVar::CLK_TCK).ok().flatten().map_or(100.0, |ticks| ticks as f64)
}
