//! Stored names are a contract: one golden sample per event, that this build reads and writes
//! back unchanged. Never edit a sample; add one beside it when the schema moves on.

use std::collections::BTreeSet;

use kantoku_domain::Event;
use serde_json::Value;

#[test]
fn every_event_has_a_golden_sample_that_survives() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("events.json")).expect("samples are JSON");
    let mut seen = BTreeSet::new();
    for sample in samples {
        let event: Event = serde_json::from_value(sample.clone())
            .unwrap_or_else(|error| panic!("{error} in {sample}"));
        assert_eq!(serde_json::to_value(&event).expect("JSON"), sample);
        seen.insert(event.name());
    }
    let missing: Vec<_> = Event::NAMES.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "no golden sample in events.json of {missing:?}");
}
