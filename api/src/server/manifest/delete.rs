//! Taking back what manifests declared.

use std::collections::BTreeSet;

use kantoku_domain::{Id, Kind, Name, Namespace, Policy, Problem, SecretName, policy};
use serde_json::Value;

use crate::{
    ApiError, Code,
    contract::{DeletedItem, Deletions, DocumentProblem, ManifestDeleteParams},
    server::{Api, Caller, shared::new_id},
};

/// What can be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Policy(Name),
    Secret(SecretName),
}

/// Why nothing else can.
const UNDELETABLE: &str = "tasks refer to its versions for good: only policies, and secrets by \
                           name, can be deleted";

/// What `params` name; everything that is wrong with them otherwise.
fn targets(params: &ManifestDeleteParams) -> Result<Vec<Target>, ApiError> {
    let (mut targets, mut problems) = (Vec::new(), Vec::new());
    for (index, document) in params.documents.iter().enumerate() {
        match of_document(document) {
            Ok(target) => targets.push(target),
            Err(problem) => problems.push(DocumentProblem { document: index, problem }),
        }
    }
    if !problems.is_empty() {
        return Err(super::unsound("deleted", problems));
    }
    let mut wrong = Vec::new();
    for (index, name) in params.names.iter().enumerate() {
        match of_name(name) {
            Ok(target) => targets.push(target),
            Err(why) => wrong.push(Problem::new(&["names", &index.to_string()], why)),
        }
    }
    if !wrong.is_empty() {
        return Err(ApiError::of_problems(&wrong));
    }
    // Each once, where it stands first.
    let mut seen = BTreeSet::new();
    targets.retain(|target| seen.insert(target.clone()));
    Ok(targets)
}

/// Nothing but kind and name is read: what else a document says does not matter here.
fn of_document(document: &Value) -> Result<Target, Problem> {
    let text = |pointer: &str, path: &[&str]| {
        let text = document.pointer(pointer).and_then(Value::as_str);
        text.ok_or_else(|| {
            Problem::new(path, format!("{} is missing or not a text", path.join(".")))
        })
    };
    let kind = text("/kind", &["kind"])?;
    let name = text("/metadata/name", &["metadata", "name"])?;
    match kind {
        "Policy" => match name.parse() {
            Ok(name) => Ok(Target::Policy(name)),
            Err(error) => {
                let error: kantoku_domain::NameError = error;
                Err(Problem::new(&["metadata", "name"], error.to_string()))
            }
        },
        _ => Err(Problem::new(&["kind"], format!("a {kind:?} cannot be deleted"))
            .suggest(Some(UNDELETABLE.into()))),
    }
}

fn of_name(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').ok_or_else(|| format!("{text:?} is not KIND/NAME"))?;
    match kind.to_ascii_lowercase().as_str() {
        "policy" => name.parse().map(Target::Policy).map_err(|error| error.to_string()),
        "secret" => name.parse().map(Target::Secret).map_err(|error| error.to_string()),
        _ => Err(format!("a {kind:?} cannot be deleted; {UNDELETABLE}")),
    }
}

/// Deletes what `params` name, or says what that would come to.
pub(super) async fn delete(
    api: &Api,
    caller: &Caller,
    params: ManifestDeleteParams,
) -> Result<Deletions, ApiError> {
    let targets = targets(&params)?;
    let namespace = params.namespace.unwrap_or_default();
    let mut all = Deletions { items: Vec::with_capacity(targets.len()), stream_seq: 0 };
    for target in targets {
        let done = match &target {
            Target::Policy(name) => {
                policy_of(api, caller, &namespace, name, params.dry_run, &mut all.stream_seq).await
            }
            Target::Secret(name) => secret_of(api, &namespace, name, params.dry_run).await,
        };
        let deleted = done.map_err(|mut error| {
            let count = all.items.len();
            error.message = format!("{}; {count} were dealt with before", error.message);
            error
        })?;
        let (kind, name) = match target {
            Target::Policy(name) => ("Policy", name.to_string()),
            Target::Secret(name) => ("Secret", name.to_string()),
        };
        all.items.push(DeletedItem { kind: kind.into(), name, deleted });
    }
    Ok(all)
}

/// Whether there was such a policy.
async fn policy_of(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    name: &Name,
    dry_run: bool,
    stream_seq: &mut u64,
) -> Result<bool, ApiError> {
    let id = Id::named(namespace, Kind::Policy, name.as_str());
    if dry_run {
        let loaded = api.bus.ledger().load::<Policy>(namespace, id).await?;
        *stream_seq = loaded.stream_seq.max(*stream_seq);
        return Ok(loaded.state.current().is_some());
    }
    let envelope = api.envelope(caller, new_id(), id, id);
    match api.execute::<Policy>(namespace, &policy::Command::Delete, &envelope).await {
        Ok(outcome) => {
            *stream_seq = outcome.stream_seq.max(*stream_seq);
            Ok(outcome.event.is_some())
        }
        Err(error) if error.code == Code::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there was such a secret.
async fn secret_of(
    api: &Api,
    namespace: &Namespace,
    name: &SecretName,
    dry_run: bool,
) -> Result<bool, ApiError> {
    let secrets = api.bus.secrets();
    let found = secrets.get(namespace, name).await?.is_some();
    if found && !dry_run {
        secrets.delete(namespace, name).await?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn read(documents: &Value, names: &[&str]) -> Result<Vec<Target>, ApiError> {
        let documents = documents.as_array().expect("a list").clone();
        let names = names.iter().map(ToString::to_string).collect();
        targets(&ManifestDeleteParams { documents, names, ..Default::default() })
    }

    #[test]
    fn policies_and_secrets_are_named_once() {
        let policy = json!({ "kind": "Policy", "metadata": { "name": "gentle" }, "spec": 7 });
        let found = read(&json!([policy, policy]), &["policy/gentle", "secret/db", "policy/a/b"]);
        let name = |text: &str| text.parse().expect("a name");
        let expected = vec![
            Target::Policy(name("gentle")),
            Target::Secret("db".parse().expect("a name")),
            Target::Policy(name("a/b")),
        ];
        assert_eq!(found.expect("targets"), expected);
    }

    #[test]
    fn all_that_cannot_be_deleted_is_told_before_anything_is() {
        let pipeline = json!({ "kind": "Pipeline", "metadata": { "name": "p" } });
        let error = read(&json!([pipeline, {}]), &[]).expect_err("refused");
        assert_eq!(error.code, Code::Invalid);
        assert_eq!(error.data.problems.len(), 2);
        assert!(error.message.starts_with("nothing was deleted: 2 problems"), "{error}");
        let error = read(&json!([]), &["policy/a", "type/t", "x"]).expect_err("refused");
        assert!(error.message.contains("names.1: a \"type\" cannot be deleted"), "{error}");
        assert!(error.message.contains("names.2: \"x\" is not KIND/NAME"), "{error}");
    }
}
