//! What is promised of tasks, on real servers with every processor in a process of its own:
//! restarts, limits, attempts, cancellation.

mod cancellation;
mod claims;
mod events;
mod grid;
mod ground;
mod limits;
mod restarts;
mod survivors;
mod timeouts;
mod zombies;

use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);
/// A lease with which executors send a heartbeat every ten seconds only: what they are to do at once
/// they have to be told before.
const SELDOM: &str = "30s";
const SOON: Duration = Duration::from_secs(5);
