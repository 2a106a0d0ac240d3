//! The command line.

use std::{env, fmt::Display, str::FromStr};

use ktk::dev::SyncPolicy;

use crate::{
    guard,
    workloads::{HISTORY, NAMES, is_of_a_stand},
};

/// How many finished tasks a history has, unless it is said.
const TASKS: usize = 1_000_000;
const RUNS: usize = 3;

pub(crate) const USAGE: &str = "\
cargo bench -p kantoku-tests --bench system -- [WORKLOAD …] [OPTIONS]
  WORKLOAD           W1 … W10; without any W1 to W6, and W7 to W9 where there is a history
  --runs N           how often each is measured; the line is that of the median run [default: 3]
  --sync WHEN        when NATS writes to the disk: interval or always [default: interval]
  --history N        finished tasks before W7, W8 and W9 [default: 1000000]
  --guard            W4 and W1 once; fails where they take far too many times what the log takes
  --peers NAME,…     measure these peers before and after, and say the ratios
make bench ARGS='W1 W4' RUNS=1 SYNC=always HISTORY=100000 PEERS=bullmq,apalis";

/// What is to be measured, and how.
pub(crate) struct Args {
    workloads: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) sync: SyncPolicy,
    /// How many finished tasks a history is to have; `None`: no history.
    pub(crate) history: Option<usize>,
    pub(crate) peers: Vec<String>,
    /// Whether to fail where the figures have slipped.
    pub(crate) guard: bool,
}

impl Args {
    pub(crate) fn read() -> Result<Self, String> {
        let mut args = Self {
            workloads: Vec::new(),
            runs: RUNS,
            sync: SyncPolicy::default(),
            history: None,
            peers: Vec::new(),
            guard: false,
        };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} lacks its value"));
            match word.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--guard" => args.guard = true,
                "--runs" => args.runs = number(&word, &value()?)?,
                "--history" => args.history = Some(number(&word, &value()?)?),
                "--sync" => args.sync = policy(&value()?)?,
                "--peers" => args.peers = value()?.split(',').map(str::to_owned).collect(),
                name if NAMES.contains(&name) => args.workloads.push(name.to_owned()),
                other => return Err(format!("{other:?} is neither an option nor a workload")),
            }
        }
        if args.guard {
            args.runs = 1;
            args.workloads = guard::LIMITS.map(|limit| limit.workload.to_owned()).into();
        }
        let needs_history = |name: &String| HISTORY.contains(&name.as_str());
        if args.workloads.iter().any(needs_history) {
            args.history = args.history.or(Some(TASKS));
        }
        Ok(args)
    }

    /// Whether workload `name` is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        if self.workloads.is_empty() {
            return is_of_a_stand(name) || (self.history.is_some() && HISTORY.contains(&name));
        }
        self.workloads.iter().any(|word| word == name)
    }
}

fn number<T: FromStr<Err: Display> + From<u8> + PartialOrd>(
    option: &str,
    text: &str,
) -> Result<T, String> {
    let number: T = text.parse().map_err(|error| format!("{option} {text}: {error}"))?;
    if number < T::from(1) {
        return Err(format!("{option} {text}: it has to be 1 or more"));
    }
    Ok(number)
}

fn policy(text: &str) -> Result<SyncPolicy, String> {
    [SyncPolicy::Interval, SyncPolicy::Always]
        .into_iter()
        .find(|policy| policy.name() == text)
        .ok_or_else(|| format!("--sync {text}: use interval or always"))
}
