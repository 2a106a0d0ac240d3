//! The fault harness: everything is killed, stopped, cut off and lied to under load, and then
//! nothing may be lost, nothing done twice, nothing stuck.
//!
//! `make chaos SECONDS=n SEED=n` runs it for as long as it is asked to.

mod client;
mod cluster;
mod defects;
mod disk;
mod faults;
mod ground;
mod journal;
mod labels;
mod load;
mod nats;
mod outages;
mod proxy;
mod quiet;
mod restored;
mod roles;
mod rpc;
mod run;
mod schedule;
mod shared;
mod tree;
mod verdict;
mod world;

use std::{
    env,
    time::{Duration, SystemTime},
};

use run::run;

const FIXED_SEED: u64 = 7;
/// Of each of the two runs of every test.
const SHORT: Duration = Duration::from_secs(45);

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_stuck() {
    Box::pin(run(FIXED_SEED, SHORT)).await.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_with_the_seed_of_this_hour() {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    Box::pin(run(now.as_secs() / 3_600, SHORT)).await.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "for as long as it is asked to: make chaos SECONDS=600 SEED=7"]
async fn for_as_long_as_asked() {
    let seconds = number("KTK_CHAOS_SECONDS").unwrap_or(60);
    let seed = number("KTK_CHAOS_SEED").unwrap_or(FIXED_SEED);
    Box::pin(run(seed, Duration::from_secs(seconds))).await.assert_clean();
}
