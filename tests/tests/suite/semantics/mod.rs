//! What is promised of tasks, on real servers with every processor in a process of its own:
//! restarts, limits, attempts, cancellation.

mod cancellation;
mod claims;
mod events;
mod ground;
mod limits;
mod restarts;
mod survivors;
mod timeouts;
mod zombies;

use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);
