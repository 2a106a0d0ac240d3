//! Saying that a component is missing: often enough to be seen, seldom enough not to bury the rest.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often one component is mentioned at most.
const EVERY: Duration = Duration::from_secs(10);

static MENTIONED: Mutex<BTreeMap<&str, Mention>> = Mutex::new(BTreeMap::new());

/// When a component was mentioned last, and how often it was passed over since.
#[derive(Clone, Copy, Debug)]
struct Mention {
    at: Instant,
    left_out: u64,
}

/// Warns that `component` (`nats`, `postgres`, …) does not work for somebody who was `doing`
/// something: at most one line per ten seconds and component over the whole process, which says how
/// many were left out since the last one.
pub fn warn_missing(component: &'static str, doing: &str, error: &dyn Display) {
    let turn = {
        // The map is whole even if a holder of the lock panicked.
        let mut mentioned = MENTIONED.lock().unwrap_or_else(PoisonError::into_inner);
        turn(&mut mentioned, component, Instant::now())
    };
    if let Some(left_out) = turn {
        tracing::warn!(component, doing, %error, left_out, "a component is missing");
    } else {
        tracing::debug!(component, doing, %error, "a component is still missing");
    }
}

/// Whether it is time for a line, and how many were left out before it.
fn turn(
    mentioned: &mut BTreeMap<&'static str, Mention>,
    component: &'static str,
    now: Instant,
) -> Option<u64> {
    match mentioned.get_mut(component) {
        Some(mention) if now.duration_since(mention.at) < EVERY => {
            mention.left_out += 1;
            None
        }
        mention => {
            let left_out = mention.map_or(0, |mention| mention.left_out);
            mentioned.insert(component, Mention { at: now, left_out: 0 });
            Some(left_out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_mentioned_once_in_ten_seconds_and_what_was_left_out_is_counted() {
        let (mut mentioned, start) = (BTreeMap::new(), Instant::now());
        let lines: Vec<_> = (0..250)
            .filter_map(|n| turn(&mut mentioned, "nats", start + Duration::from_millis(100 * n)))
            .collect();
        assert_eq!(lines, [0, 99, 99]);
        assert_eq!(turn(&mut mentioned, "postgres", start), Some(0), "another is another");
    }
}
