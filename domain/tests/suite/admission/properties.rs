//! What holds for every sequence of tasks that come, start, end, and of policies that change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kantoku_domain::{
    Id,
    admission::{Admission, Profile},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{at, policy, profile};

const TASKS: u64 = 24;

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Withdraw(u64),
    Admit(usize),
    Claim(u64),
    Announce(u64),
    Release(u64),
    Policy(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let task = || 0..TASKS;
    let step = prop_oneof![
        6 => task().prop_map(Step::Wait),
        1 => task().prop_map(Step::Withdraw),
        4 => (1..40_usize).prop_map(Step::Admit),
        3 => task().prop_map(Step::Claim),
        1 => task().prop_map(Step::Announce),
        4 => task().prop_map(Step::Release),
        1 => (0..5_usize).prop_map(Step::Policy),
    ];
    prop::collection::vec(step, 0..120)
}

fn policies() -> [Value; 5] {
    let of = |words: u32, team: u32| {
        json!({"limits": {
            "words": {"specification": "a", "concurrency": words},
            "teams": {"label": "team", "concurrency": team},
        }})
    };
    let mut aged = of(4, 1);
    aged["ageing"] = json!({"every": "5s"});
    let mut unfair = of(9, 2);
    unfair["fair_share"] = json!(false);
    [json!({}), of(4, 2), of(2, 5), aged, unfair]
}

/// Task `n`: one of four contexts, three priorities, and teams a, b or none.
fn task(n: u64) -> Arc<Profile> {
    profile(n, n % 4, |spawned| {
        spawned.priority = (n % 3) as i32;
        if let Some(team) = ["a", "b"].get((n % 5) as usize) {
            spawned.labels.insert("team".into(), (*team).into());
        }
        if n.is_multiple_of(7) {
            spawned.queue = "gpu".into();
        }
    })
}

/// What one would write down on paper.
#[derive(Default)]
struct Paper {
    held: BTreeMap<Id, (u64, bool, i64)>,
    waiting: BTreeMap<Id, (u64, i64)>,
    attempts: BTreeMap<u64, u32>,
    policy: usize,
}

impl Paper {
    fn limits(&self) -> Option<(u32, u32)> {
        [None, Some((4, 2)), Some((2, 5)), Some((4, 1)), Some((9, 2))][self.policy]
    }

    fn used(&self) -> BTreeMap<String, usize> {
        let mut used = BTreeMap::new();
        if self.limits().is_some() {
            for (n, _, _) in self.held.values() {
                *used.entry("a".to_owned()).or_default() += 1;
                if let Some(team) = task(*n).labels.get("team") {
                    *used.entry(format!("team {team}")).or_default() += 1;
                }
            }
        }
        used
    }

    fn attempt(&self, n: u64) -> u32 {
        self.attempts.get(&n).copied().unwrap_or(1)
    }
}

fn in_use(admission: &Admission) -> BTreeMap<String, usize> {
    let name = |limit: &str, value: &str| match limit {
        "teams" => format!("team {value}"),
        _ => value.to_owned(),
    };
    admission.in_use().map(|(key, used)| (name(&key.limit, &key.value), used)).collect()
}

const WINDOW: usize = 6;

/// From nothing but what is held and what waits.
fn rebuilt(paper: &Paper) -> Admission {
    let mut admission = Admission::new(WINDOW);
    for (n, is_claimed, since) in paper.held.values() {
        let attempt = paper.attempt(*n);
        if *is_claimed {
            admission.claimed(&task(*n), attempt, at(*since));
        } else {
            admission.announced(&task(*n), attempt, at(*since));
        }
    }
    for (n, since) in paper.waiting.values() {
        admission.wait(&task(*n), paper.attempt(*n), at(*since));
    }
    policy(&mut admission, "p", policies()[paper.policy].clone());
    admission
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn slots_are_what_is_announced_or_runs_and_no_one_waits_in_vain(steps in steps()) {
        let mut admission = Admission::new(WINDOW);
        let mut paper = Paper::default();
        for (second, step) in steps.into_iter().enumerate() {
            let now = second as i64;
            match step {
                Step::Wait(n) => {
                    let profile = task(n);
                    admission.wait(&profile, paper.attempt(n), at(now));
                    if !paper.held.contains_key(&profile.task_id) {
                        paper.waiting.entry(profile.task_id).or_insert((n, now));
                    }
                }
                Step::Withdraw(n) => {
                    admission.withdraw(task(n).task_id);
                    paper.waiting.remove(&task(n).task_id);
                }
                Step::Claim(n) => {
                    if let Some(held) = paper.held.get_mut(&task(n).task_id) {
                        held.1 = true;
                        admission.claimed(&task(n), paper.attempt(n), at(now));
                    }
                }
                Step::Announce(n) => {
                    if paper.held.contains_key(&task(n).task_id) {
                        admission.announced(&task(n), paper.attempt(n), at(now));
                    }
                }
                Step::Release(n) => {
                    admission.release(task(n).task_id);
                    if paper.held.remove(&task(n).task_id).is_some() {
                        *paper.attempts.entry(n).or_insert(1) += 1;
                    }
                }
                Step::Policy(which) => {
                    policy(&mut admission, "p", policies()[which].clone());
                    paper.policy = which;
                }
                Step::Admit(max) => {
                    let before = paper.used();
                    let mut same = rebuilt(&paper);
                    let chosen = admission.admit(at(now), max).chosen;
                    prop_assert_eq!(&same.admit(at(now), max).chosen, &chosen, "a rebuild decides alike");
                    prop_assert!(chosen.len() <= max);
                    let distinct: BTreeSet<_> = chosen.iter().collect();
                    prop_assert_eq!(distinct.len(), chosen.len());
                    for id in &chosen {
                        let (n, _) = paper.waiting.remove(id).expect("it waited");
                        paper.held.insert(*id, (n, false, now));
                    }
                    if let Some((words, team)) = paper.limits() {
                        for (key, used) in paper.used() {
                            let limit = if key == "a" { words } else { team } as usize;
                            let had = before.get(&key).copied().unwrap_or_default();
                            prop_assert!(used <= limit.max(had), "{}: {} of {}", key, used, limit);
                        }
                    }
                    let is_done = chosen.len() < max;
                    for id in paper.waiting.keys().filter(|_| is_done) {
                        prop_assert!(!admission.why(*id, at(now)).is_empty(), "{} waits in vain", id);
                    }
                }
            }
            prop_assert_eq!(in_use(&admission), paper.used());
            prop_assert_eq!(admission.waiting(), paper.waiting.len());
        }
    }

    /// Executors die at random: never five of four, and never fewer while work waits.
    #[test]
    fn a_limit_of_four_is_kept_and_used(deaths in prop::collection::vec(0..4_usize, 1..200)) {
        let mut admission = Admission::new(100);
        policy(&mut admission, "p", json!({"limits": {"words": {"specification": "a", "concurrency": 4}}}));
        let mut waiting: BTreeMap<Id, u64> = (0..100).map(|n| (task(n).task_id, n)).collect();
        let mut running: Vec<u64> = Vec::new();
        for n in 0..100 {
            admission.wait(&task(n), 1, at(0));
        }
        for (second, death) in deaths.into_iter().enumerate() {
            let now = at(second as i64);
            for id in admission.admit(now, 100).chosen {
                running.push(waiting.remove(&id).expect("it waited"));
            }
            prop_assert_eq!(running.len(), 4.min(running.len() + waiting.len()));
            if !running.is_empty() {
                let n = running.remove(death % running.len());
                admission.claimed(&task(n), 1, now);
                admission.release(task(n).task_id);
            }
        }
    }
}
