//! The inputs of an attempt: values fetched, scripts run, types checked.

use std::collections::BTreeMap;

use kantoku_domain::{
    Binding, BlobRef, Datum, Event, Id, Source,
    task::{Failure, Ready, Resolved, Spawned},
};
use kantoku_preprocessors::Pool;
use kantoku_streams::Bus;
use serde_json::{Map, Value};

/// The inputs as the executable sees them, and those that scripts made.
pub(crate) struct Inputs {
    pub(crate) values: Map<String, Value>,
    pub(crate) made: BTreeMap<String, Datum>,
}

/// Why there are none: the attempt failed, or infrastructure did.
pub(crate) enum NoInputs {
    Failed(Failure),
    Fault(String),
}

impl Inputs {
    /// Fetches every input of `spawned` from where `ready` says that it was resolved.
    pub(crate) async fn fetch(
        bus: &Bus,
        scripts: &Pool,
        spawned: &Spawned,
        ready: &Ready,
    ) -> Result<Self, NoInputs> {
        let mut inputs = Self { values: Map::new(), made: BTreeMap::new() };
        for (name, binding) in &spawned.inputs {
            let datum = match &binding.source {
                Source::Value(value) => Datum::Value(value.clone()),
                Source::Blob(blob) => Datum::Blob(blob.clone()),
                Source::Resource(id) => {
                    let by = ready.inputs.get(name).ok_or_else(|| {
                        NoInputs::Fault(format!("it is not said where input {name:?} is resolved"))
                    })?;
                    resolved(bus, *id, by).await.map_err(NoInputs::Fault)?
                }
            };
            let mut value = value_of(bus, datum).await.map_err(NoInputs::Fault)?;
            if let Some(script) = &binding.map {
                value = fit(scripts, name, binding, script, value).await?;
                let datum = datum_of(bus, value.clone()).await.map_err(NoInputs::Fault)?;
                inputs.made.insert(name.clone(), datum);
            }
            binding.type_.check(&value).map_err(|error| {
                NoInputs::Failed(Failure::new("type", format!("input {name:?} {error}"), false))
            })?;
            inputs.values.insert(name.clone(), value);
        }
        Ok(inputs)
    }
}

async fn fit(
    scripts: &Pool,
    input: &str,
    binding: &Binding,
    script: &str,
    value: Value,
) -> Result<Value, NoInputs> {
    let mut scope = Map::new();
    for name in binding.names.iter().map(String::as_str).chain([input]) {
        if is_identifier(name) {
            scope.insert(name.to_owned(), value.clone());
        }
    }
    scope.insert("value".into(), value);
    scripts.run(script, &scope).await.map_err(|error| {
        let message = format!("the script of input {input:?}: {error}");
        NoInputs::Failed(Failure::new("script", message, error.is_retryable()))
    })
}

fn is_identifier(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(plain)
}

/// The value that resource `id` got where `by` says.
async fn resolved(bus: &Bus, id: Id, by: &Resolved) -> Result<Datum, String> {
    let seq = by.seq;
    let recorded = bus.event_at(seq).await.map_err(|fault| fault.to_string())?;
    let value = match (&recorded.event, &by.output) {
        (Event::ResourceInitialized(initialized), None) => Some(&initialized.value),
        (Event::TaskFinished(finished), Some(output)) => finished.outputs.get(output),
        _ => None,
    };
    value.cloned().ok_or_else(|| {
        let name = recorded.event.name();
        format!("the event at position {seq}, a {name}, does not resolve resource {id}")
    })
}

async fn value_of(bus: &Bus, datum: Datum) -> Result<Value, String> {
    let blob: BlobRef = match datum {
        Datum::Value(value) => return Ok(value),
        Datum::Blob(blob) => blob,
    };
    let bytes = bus.ledger().blobs().get(&blob).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("blob {}: {error}", blob.digest))
}

/// The value for an event: in a blob when it is large.
pub(crate) async fn datum_of(bus: &Bus, value: Value) -> Result<Datum, String> {
    let json = value.to_string();
    if json.len() <= Datum::INLINE_BYTES_MAX {
        return Ok(Datum::Value(value));
    }
    let blob = bus.ledger().blobs().put(json.into()).await.map_err(|error| error.to_string())?;
    Ok(Datum::Blob(blob))
}
