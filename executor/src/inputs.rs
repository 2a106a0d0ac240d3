//! The inputs of an attempt: values fetched, secrets resolved, scripts run, types checked.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kantoku_domain::{
    Binding, BlobRef, Datum, Event, Namespace, SecretName, SecretValue, Source,
    task::{Failure, Ready, Resolved, Spawned},
};
use kantoku_preprocessors::Pool;
use kantoku_streams::{Bus, Ledger, SecretError, SecretKeys};
use serde_json::{Map, Value};

use crate::{failure, patience::patiently};

/// How many inputs of one attempt are fetched at once.
const AT_ONCE: usize = 16;

/// The inputs as the executable sees them, those that scripts made, and the secrets among them.
#[derive(Default)]
pub(crate) struct Inputs {
    pub(crate) values: Map<String, Value>,
    pub(crate) made: BTreeMap<String, Datum>,
    pub(crate) secrets: Vec<(SecretName, SecretValue)>,
}

impl Inputs {
    /// Fetches every input of `spawned` from where `ready` says that it was resolved. One that did
    /// not arrive, as the rule of the task allows, is null. One that was resolved in another namespace
    /// than the task's is refused: whoever spawned it may not see what is there.
    pub(crate) async fn fetch(
        bus: &Bus,
        scripts: &Pool,
        keys: Option<&SecretKeys>,
        namespace: &Namespace,
        spawned: &Spawned,
        ready: &Ready,
    ) -> Result<Self, Failure> {
        // Collected first, as the compiler cannot see otherwise that it may change threads.
        let each: Vec<_> = spawned
            .inputs
            .iter()
            .filter(|(_, binding)| !matches!(binding.source, Source::Secret(_)))
            .map(|(name, binding)| {
                let by = by(spawned, ready, name);
                fetch(bus, scripts, namespace, name, binding, by)
            })
            .collect();
        let mut fetched = stream::iter(each).buffer_unordered(AT_ONCE);
        let mut inputs = Self::default();
        while let Some((name, value, made)) = fetched.try_next().await? {
            inputs.made.extend(made.map(|made| (name.to_owned(), made)));
            inputs.values.insert(name.to_owned(), value);
        }
        drop(fetched);
        // Last, as no script and no other failure is to know of them.
        for (input, binding) in &spawned.inputs {
            let Source::Secret(name) = &binding.source else { continue };
            let secret = resolve(bus, keys, namespace, name).await?;
            let value = Value::from(secret.expose());
            if binding.map.is_some() || binding.type_.check(&value).is_err() {
                let what = "and the text of the secret is none; its type is wrong, or its value";
                let message = format!("input {input:?} is {}, {what}", binding.type_);
                return Err(failure::secret(message));
            }
            inputs.values.insert(input.clone(), value);
            inputs.secrets.push((name.clone(), secret));
        }
        Ok(inputs)
    }
}

/// The value of a secret of the task's own namespace.
async fn resolve(
    bus: &Bus,
    keys: Option<&SecretKeys>,
    namespace: &Namespace,
    name: &SecretName,
) -> Result<SecretValue, Failure> {
    let keys = keys.ok_or_else(|| {
        failure::secret(format!(
            "secret {name} cannot be opened: this executor has no key for secrets; start `ktk serve` \
             with --secrets-key"
        ))
    })?;
    let get = || async {
        match Box::pin(bus.secrets().resolve(keys, namespace, name)).await {
            // Waited out; all else is what the attempt fails with.
            Err(SecretError::Fault(fault)) => Err(fault),
            resolved => Ok(resolved),
        }
    };
    patiently(get).await?.map_err(failure::secret)
}

/// How an input that is a resource got its value.
enum By<'a> {
    Event(&'a Resolved),
    /// It did not, and the rule of the task allows that.
    Nobody,
    /// It did not.
    Unknown,
}

fn by<'a>(spawned: &Spawned, ready: &'a Ready, name: &String) -> By<'a> {
    let mut governed =
        spawned.when.iter().flat_map(|when| &when.upstream).flat_map(|it| &it.inputs);
    match ready.inputs.get(name) {
        Some(resolved) => By::Event(resolved),
        None if governed.any(|input| input == name) => By::Nobody,
        None => By::Unknown,
    }
}

/// An input, and what a script made of it if there is one.
async fn fetch<'a>(
    bus: &Bus,
    scripts: &Pool,
    namespace: &Namespace,
    name: &'a str,
    binding: &Binding,
    by: By<'_>,
) -> Result<(&'a str, Value, Option<Datum>), Failure> {
    let value = source(bus, namespace, name, binding, by).await?;
    let (value, made) = fit(bus, scripts, name, binding, value).await?;
    let checked = binding.type_.check(&value);
    checked.map_err(|error| failure::wrong_type("input", name, &error))?;
    Ok((name, value, made))
}

/// The value that input `name` is bound to.
async fn source(
    bus: &Bus,
    namespace: &Namespace,
    name: &str,
    binding: &Binding,
    by: By<'_>,
) -> Result<Value, Failure> {
    match (&binding.source, by) {
        (Source::Value(value), _) => Ok(value.clone()),
        (Source::Blob(blob), _) => load(bus.ledger(), blob).await,
        (Source::Resource(_), By::Event(resolved)) => {
            value_of(bus, namespace, name, resolved).await
        }
        (Source::Resource(_), By::Nobody) => Ok(Value::Null),
        (Source::Resource(_), By::Unknown) => {
            Err(failure::broken(format!("it is not said where input {name:?} is resolved")))
        }
        (Source::Secret(secret), _) => Err(failure::broken(format!("secret {secret} is no value"))),
    }
}

/// The value that the event named in `by` resolved.
async fn value_of(
    bus: &Bus,
    namespace: &Namespace,
    name: &str,
    by: &Resolved,
) -> Result<Value, Failure> {
    let recorded = patiently(|| bus.event_at(by.seq)).await?;
    if recorded.namespace != *namespace {
        return Err(failure::broken(format!(
            "input {name:?} is a resource that is not of namespace {namespace}"
        )));
    }
    let datum = match (&recorded.event, &by.output) {
        (Event::ResourceInitialized(initialized), None) => Some(&initialized.value),
        (Event::TaskFinished(finished), Some(output)) => finished.outputs.get(output),
        _ => None,
    };
    match datum {
        Some(Datum::Value(value)) => Ok(value.clone()),
        Some(Datum::Blob(blob)) => load(bus.ledger(), blob).await,
        None => Err(failure::broken(format!(
            "the event at position {}, a {}, does not resolve input {name:?}",
            by.seq,
            recorded.event.name()
        ))),
    }
}

/// What the script of the binding makes of `value`, if it has one: as it goes on, and as it is
/// recorded.
async fn fit(
    bus: &Bus,
    scripts: &Pool,
    input: &str,
    binding: &Binding,
    value: Value,
) -> Result<(Value, Option<Datum>), Failure> {
    let Some(script) = &binding.map else { return Ok((value, None)) };
    let mut scope = Map::new();
    for name in binding.names.iter().map(String::as_str).chain([input]) {
        if is_identifier(name) {
            scope.insert(name.to_owned(), value.clone());
        }
    }
    scope.insert("value".into(), value);
    let value = scripts.run(script, &scope).await.map_err(|error| {
        let message = format!("the script of input {input:?}: {error}");
        failure::script(message, error.is_retryable())
    })?;
    let made = datum_of(bus.ledger(), value.clone()).await?;
    Ok((value, Some(made)))
}

fn is_identifier(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(plain)
}

async fn load(ledger: &Ledger, blob: &BlobRef) -> Result<Value, Failure> {
    let get = || async { Ok(Box::pin(ledger.blobs().get(blob)).await?) };
    let bytes = patiently(get).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| failure::broken(format!("blob {} is not JSON: {error}", blob.digest)))
}

/// The value for an event: in a blob when it is large.
pub(crate) async fn datum_of(ledger: &Ledger, value: Value) -> Result<Datum, Failure> {
    let mut room = Room(Datum::INLINE_BYTES_MAX);
    if serde_json::to_writer(&mut room, &value).is_ok() {
        return Ok(Datum::Value(value));
    }
    let json = Bytes::from(value.to_string());
    let put = || async { Ok(Box::pin(ledger.blobs().put(json.clone())).await?) };
    Ok(Datum::Blob(patiently(put).await?))
}

/// Takes so many bytes and keeps none.
struct Room(usize);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
