//! `/livez`, `/readyz` and `/metrics`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};

/// What the parts of a process say of their readiness.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

/// Whether a part can work; if not, what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It can.
    Yes,
    /// It cannot, for this reason.
    No(String),
}

impl Health {
    /// Reports a part. A part that has never reported does not count.
    pub fn report(&self, part: &str, ready: Ready) {
        let missing = match ready {
            Ready::Yes => None,
            Ready::No(reason) => Some(reason),
        };
        // The map is whole even if a holder of the lock panicked.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(part.to_owned(), missing);
    }

    /// The parts that are not ready, each with its reason.
    pub fn missing(&self) -> BTreeMap<String, String> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let missing =
            |(part, reason): (&String, &Option<String>)| Some((part.clone(), reason.clone()?));
        parts.iter().filter_map(missing).collect()
    }
}

/// The health endpoints. `metrics` renders the metrics in Prometheus' text format.
pub fn router(
    health: Health,
    metrics: impl Fn() -> String + Clone + Send + Sync + 'static,
) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async move || metrics()))
        .with_state(health)
}

async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let missing = health.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": missing.is_empty(), "missing": missing})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_nothing_is_missing() {
        let health = Health::default();
        health.report("nats", Ready::No("cannot connect".into()));
        health.report("postgres", Ready::Yes);
        assert_eq!(health.missing(), [("nats".into(), "cannot connect".into())].into());
        health.report("nats", Ready::Yes);
        assert!(health.missing().is_empty());
    }
}
