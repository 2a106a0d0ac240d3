//! Admission: who goes first, how many, and why not.

mod properties;

use std::sync::Arc;

use kantoku_domain::{
    Id, Namespace, Timestamp,
    admission::{Admission, Blocked, Profile},
    policy::Definition,
};
use serde_json::{Value, json};

use crate::scenario::{spawned, uuid_like::id};

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// Task `n` of context `context`; `change` sets what it is to limits.
fn profile(
    n: u64,
    context: u64,
    change: impl FnOnce(&mut kantoku_domain::task::Spawned),
) -> Arc<Profile> {
    let mut spawned = spawned(1);
    spawned.context_id = id(1_000 + context);
    change(&mut spawned);
    Arc::new(Profile::of(&Namespace::default(), id(n), &spawned))
}

fn plain(n: u64) -> Arc<Profile> {
    profile(n, 0, |_| {})
}

fn policy(admission: &mut Admission, name: &str, spec: Value) {
    let definition: Definition = serde_json::from_value(spec).expect("a policy");
    assert_eq!(definition.problems(&[]), []);
    admission.set_policy(&Namespace::default(), &name.parse().expect("a name"), Some(definition));
}

fn admission(spec: Value) -> Admission {
    let mut admission = Admission::new(1_000);
    policy(&mut admission, "p", spec);
    admission
}

fn ids(numbers: &[u64]) -> Vec<Id> {
    numbers.iter().map(|n| id(*n)).collect()
}

fn told(admission: &Admission, task: u64, now: i64) -> Vec<String> {
    admission.why(id(task), at(now)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_limit_of_four_admits_four_and_one_for_each_that_ends() {
    let mut admission =
        admission(json!({"limits": {"words": {"specification": "a", "concurrency": 4}}}));
    for n in 0..100 {
        admission.wait(&plain(n), 1, at(n as i64));
    }
    assert_eq!(admission.admit(at(200), 100).chosen, ids(&[0, 1, 2, 3]));
    assert_eq!(admission.admit(at(200), 100).chosen, [], "none is given twice");
    let mut holders = ids(&[0, 1, 2, 3]);
    holders.sort_unstable();
    let holders: Vec<_> = holders.iter().map(ToString::to_string).collect();
    assert_eq!(
        told(&admission, 50, 200),
        [format!("limit words of policy p for \"a\": 4 of 4 held by {}", holders.join(", "))]
    );
    // The announcement, the claim, and each of them again, are no more than the slot that it has.
    for _ in 0..2 {
        admission.announced(&plain(0), 1, at(201));
        admission.claimed(&plain(0), 1, at(202));
        assert_eq!(admission.admit(at(203), 100).chosen, []);
    }
    admission.release(id(0));
    admission.release(id(0));
    assert_eq!(admission.admit(at(204), 100).chosen, ids(&[4]));
    // An attempt that was lost: the next one of the same task waits its turn like all others.
    admission.release(id(1));
    admission.wait(&plain(1), 2, at(205));
    assert_eq!(admission.admit(at(206), 100).chosen, ids(&[5]));
    assert_eq!(admission.in_use().map(|(_, used)| used).collect::<Vec<_>>(), [4]);
}

#[test]
fn labels_and_custom_keys_are_counted_apart() {
    let labelled = |n: u64, labels: &[(&str, &str)]| {
        profile(n, 0, |spawned| {
            let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            spawned.labels = labels.collect();
        })
    };
    let mut admission = admission(json!({"limits": {
        "teams": {"label": "team", "concurrency": 2},
        "a": {"label": "team", "value": "a", "concurrency": 1},
        "accounts": {"key": "{labels.team}/{labels.account}", "concurrency": 1},
    }}));
    let tasks: [&[(&str, &str)]; 7] = [
        &[("team", "a")],
        &[("team", "a")],
        &[("team", "b"), ("account", "x")],
        &[("team", "b"), ("account", "x")],
        &[("team", "b"), ("account", "y")],
        &[("team", "b")],
        &[],
    ];
    for (n, labels) in tasks.iter().enumerate() {
        admission.wait(&labelled(n as u64, labels), 1, at(n as i64));
    }
    assert_eq!(admission.admit(at(10), 100).chosen, ids(&[0, 2, 4, 6]));
    assert!(told(&admission, 1, 10)[0].starts_with("limit a of policy p for \"a\": 1 of 1"));
    assert_eq!(admission.why(id(3), at(10)).len(), 2, "the account and the team");
    assert!(told(&admission, 5, 10)[0].starts_with("limit teams of policy p for \"b\": 2 of 2"));
    let partitions: std::collections::BTreeSet<_> =
        admission.in_use().map(|(key, _)| key.partition()).collect();
    assert!(partitions.len() > 1, "keys are spread: {partitions:?}");
}

#[test]
fn all_limits_are_taken_at_once_or_none() {
    let mut admission = admission(json!({"limits": {
        "all": {"specification": "a", "concurrency": 2},
        "team": {"label": "team", "concurrency": 1},
    }}));
    let of_team =
        |n| profile(n, 0, |spawned| drop(spawned.labels.insert("team".into(), "x".into())));
    admission.wait(&of_team(0), 1, at(0));
    admission.wait(&of_team(1), 1, at(1));
    admission.wait(&plain(2), 1, at(2));
    assert_eq!(admission.admit(at(3), 100).chosen, ids(&[0, 2]), "1 took nothing from 2");
}

#[test]
fn a_policy_that_changes_is_counted_anew_and_takes_nothing_away() {
    let limit = |n: u32| json!({"limits": {"words": {"specification": "a", "concurrency": n}}});
    let mut admission = admission(limit(4));
    for n in 0..10 {
        admission.wait(&plain(n), 1, at(n as i64));
    }
    assert_eq!(admission.admit(at(20), 100).chosen.len(), 4);
    policy(&mut admission, "p", limit(2));
    assert_eq!(admission.in_use().map(|(_, used)| used).collect::<Vec<_>>(), [4]);
    for n in 0..2 {
        admission.release(id(n));
        assert_eq!(admission.admit(at(21), 100).chosen, []);
    }
    admission.release(id(2));
    assert_eq!(admission.admit(at(22), 100).chosen, ids(&[4]));
    policy(
        &mut admission,
        "more",
        json!({"limits": {"l": {"specification": "a", "concurrency": 1}}}),
    );
    admission.release(id(3));
    assert_eq!(admission.admit(at(23), 100).chosen, [], "all policies hold");
    admission.set_policy(&Namespace::default(), &"more".parse().expect("a name"), None);
    policy(&mut admission, "p", json!({}));
    assert_eq!(admission.admit(at(24), 100).chosen.len(), 5, "no limit is left");
    assert_eq!(admission.in_use().count(), 0);
}

#[test]
fn a_rate_says_when_the_next_may_start() {
    let mut admission = admission(
        json!({"limits": {"r": {"specification": "a", "rate": {"count": 2, "per": "10s"}}}}),
    );
    for n in 0..5 {
        admission.wait(&plain(n), 1, at(0));
    }
    let mut chosen = Vec::new();
    let admitted = admission.admit(at(1), 1);
    chosen.extend(admitted.chosen);
    let admitted = admission.admit(at(4), 100);
    assert_eq!((admitted.chosen.len(), admitted.next), (1, Some(at(11))));
    chosen.extend(admitted.chosen);
    // What has ended did start.
    for task in chosen {
        admission.release(task);
    }
    assert_eq!(admission.admit(at(10), 100).chosen, []);
    let admitted = admission.admit(at(11), 100);
    assert_eq!((admitted.chosen.len(), admitted.next), (1, Some(at(14))));
    let waiting = (0..5).find(|n| !admission.why(id(*n), at(12)).is_empty()).expect("one waits");
    assert_eq!(
        told(&admission, waiting, 12),
        [
            "rate r of policy p for \"a\": 2 in 10s have started; the next may at 1970-01-01T00:00:14Z"
        ]
    );
}

#[test]
fn priority_goes_first_and_age_overtakes_it() {
    let urgent = |n, priority| profile(n, 0, |spawned| spawned.priority = priority);
    let mut admission = Admission::new(1_000);
    admission.wait(&urgent(0, 0), 1, at(0));
    admission.wait(&urgent(1, 5), 1, at(100));
    admission.wait(&urgent(2, -1), 1, at(0));
    let order = |admission: &Admission| admission.clone().admit(at(1_000), 100).chosen;
    assert_eq!(order(&admission), ids(&[1, 0, 2]));
    policy(&mut admission, "p", json!({"ageing": {"every": "30s"}}));
    assert_eq!(order(&admission), ids(&[1, 0, 2]), "100 s are three of priority");
    policy(&mut admission, "q", json!({"ageing": {"every": "10s"}}));
    assert_eq!(order(&admission), ids(&[0, 2, 1]), "the fastest ageing counts: ten");
}

#[test]
fn contexts_have_equal_shares_unless_a_policy_says_no() {
    let mut admission =
        admission(json!({"limits": {"words": {"specification": "a", "concurrency": 4}}}));
    for n in 0..10 {
        admission.wait(&profile(n, 1, |_| {}), 1, at(0));
    }
    for n in 10..12 {
        admission.wait(&profile(n, 2, |_| {}), 1, at(1));
    }
    let mut unfair = admission.clone();
    let context_of = |chosen: &[Id]| {
        let second = ids(&[10, 11]);
        chosen.iter().filter(|task| second.contains(task)).count()
    };
    let chosen = admission.admit(at(2), 100).chosen;
    assert_eq!((chosen.len(), context_of(&chosen)), (4, 2), "two each");
    policy(&mut unfair, "q", json!({"fair_share": false}));
    let chosen = unfair.admit(at(2), 100).chosen;
    assert_eq!((chosen.len(), context_of(&chosen)), (4, 0), "the first come");
    // What a context holds already counts.
    for task in chosen {
        unfair.claimed(
            &profile((0..10).find(|n| id(*n) == task).expect("it"), 1, |_| {}),
            1,
            at(3),
        );
    }
    policy(&mut unfair, "q", json!({}));
    policy(
        &mut unfair,
        "p",
        json!({"limits": {"words": {"specification": "a", "concurrency": 6}}}),
    );
    assert_eq!(context_of(&unfair.admit(at(4), 100).chosen), 2);
}

#[test]
fn only_a_window_of_a_queue_is_announced() {
    let mut admission = Admission::new(2);
    for n in 0..5 {
        admission.wait(&plain(n), 1, at(n as i64));
    }
    admission.wait(&profile(9, 0, |spawned| spawned.queue = "gpu".into()), 1, at(9));
    assert_eq!(admission.admit(at(10), 100).chosen, ids(&[0, 1, 9]));
    assert_eq!(
        told(&admission, 3, 10),
        ["queue default: 2 tasks are announced and not claimed yet"]
    );
    admission.claimed(&plain(0), 1, at(11));
    assert_eq!(admission.admit(at(12), 100).chosen, ids(&[2]));
    admission.withdraw(id(3));
    admission.claimed(&plain(1), 1, at(13));
    assert_eq!(admission.admit(at(14), 100).chosen, ids(&[4]));
    assert_eq!(admission.waiting(), 0);
}

/// A task that needs two slots is never overtaken for ever by those that need one of them.
#[test]
fn what_has_waited_long_is_kept_the_slots_that_become_free_one_by_one() {
    let with = |n: u64, labels: &[&str]| {
        profile(n, n, |spawned| {
            spawned.labels = labels.iter().map(|it| ((*it).into(), "x".into())).collect();
        })
    };
    let limits = json!({"cpu": {"label": "cpu", "concurrency": 1}, "disk": {"label": "disk", "concurrency": 1}});
    for (ageing, overtaken) in [(json!(null), true), (json!({"every": "1m"}), false)] {
        let mut admission = admission(json!({"limits": limits, "ageing": ageing}));
        admission.wait(&with(0, &["cpu"]), 1, at(0));
        admission.wait(&with(1, &["disk"]), 1, at(0));
        assert_eq!(admission.admit(at(0), 100).chosen.len(), 2);
        admission.wait(&with(2, &["cpu", "disk"]), 1, at(1));
        // One minute later, others come who need one of both.
        admission.wait(&with(3, &["cpu"]), 1, at(61));
        admission.wait(&with(4, &["disk"]), 1, at(61));
        admission.release(id(0));
        let chosen = admission.admit(at(62), 100).chosen;
        assert_eq!(chosen == ids(&[3]), overtaken, "{chosen:?}");
        if !overtaken {
            let kept = &admission.why(id(3), at(62))[0];
            assert!(matches!(kept, Blocked::Reserved { for_task, .. } if *for_task == id(2)));
        }
        admission.release(id(1));
        let chosen = admission.admit(at(63), 100).chosen;
        assert_eq!(chosen == ids(&[2]), !overtaken, "{chosen:?}");
    }
}
