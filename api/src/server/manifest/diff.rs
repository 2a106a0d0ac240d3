//! What an apply would change, field by field.

use std::collections::BTreeSet;

use kantoku_domain::manifest::Manifest;
use serde_json::{Value, json};

use super::{apply::Apply, documents::name, known::Known};
use crate::{
    ApiError, Code,
    contract::{Change, Difference, Differences, FieldChange},
};

/// What `apply`, which is dry, would change.
pub(super) async fn diff(
    apply: &Apply<'_>,
    documents: &[(usize, Manifest)],
) -> Result<Differences, ApiError> {
    let applied = apply.run(documents).await?;
    let items = applied.items.into_iter().zip(documents).map(|(item, (_, manifest))| {
        let changes = match item.change {
            Change::Unchanged => Vec::new(),
            Change::Created | Change::Configured => {
                changes(before(manifest, apply.known)?.as_ref(), &wanted(manifest)?)
            }
        };
        Ok(Difference { item, changes })
    });
    let items = items.collect::<Result<_, serde_json::Error>>();
    let items = items.map_err(|error| ApiError::new(Code::Internal, error))?;
    Ok(Differences { items, stream_seq: applied.stream_seq })
}

/// The `spec` that `manifest` declares.
fn wanted(manifest: &Manifest) -> Result<Value, serde_json::Error> {
    match manifest {
        Manifest::Specification(_, definition) => serde_json::to_value(definition),
        Manifest::Pipeline(_, definition) => serde_json::to_value(definition),
        Manifest::Policy(_, definition) => serde_json::to_value(definition),
        Manifest::Type(_, description, type_) => {
            Ok(json!({ "description": description, "type": type_ }))
        }
    }
}

/// The `spec` that holds now, if one does.
fn before(manifest: &Manifest, known: &Known) -> Result<Option<Value>, serde_json::Error> {
    let name = name(manifest);
    match manifest {
        Manifest::Specification(..) => {
            let latest = known.specifications.get(name).and_then(|known| known.state.latest());
            latest.map(|it| serde_json::to_value(&it.definition)).transpose()
        }
        Manifest::Pipeline(..) => {
            let latest = known.pipelines.get(name).and_then(|known| known.state.latest.as_ref());
            latest.map(|it| serde_json::to_value(&it.definition)).transpose()
        }
        Manifest::Policy(..) => {
            let current = known.policies.get(name).and_then(|known| known.state.current());
            current.map(|it| serde_json::to_value(&it.definition)).transpose()
        }
        Manifest::Type(..) => {
            let latest = known.types.get(name).and_then(|known| known.state.latest.as_ref());
            Ok(latest.map(|it| json!({ "description": it.description, "type": it.definition })))
        }
    }
}

/// The fields in which both differ: the deepest ones.
fn changes(old: Option<&Value>, new: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    collect(&mut vec!["spec".to_owned()], old, Some(new), &mut found);
    found
}

fn collect(
    path: &mut Vec<String>,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Vec<FieldChange>,
) {
    let inner: Vec<(String, Option<&Value>, Option<&Value>)> = match (old, new) {
        _ if old == new => return,
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            keys.into_iter().map(|key| (key.clone(), old.get(key), new.get(key))).collect()
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let indices = 0..old.len().max(new.len());
            indices.map(|index| (index.to_string(), old.get(index), new.get(index))).collect()
        }
        _ => {
            found.push(FieldChange { path: path.clone(), old: old.cloned(), new: new.cloned() });
            return;
        }
    };
    for (key, old, new) in inner {
        path.push(key);
        collect(path, old, new, found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_fields_that_differ_are_told_with_both_values() {
        let old =
            json!({ "retry": { "attempts": 1, "on": ["a", "b"] }, "queue": "q", "gone": null });
        let new = json!({ "retry": { "attempts": 3, "on": ["a"] }, "queue": "q", "come": [1] });
        let told: Vec<_> = changes(Some(&old), &new)
            .into_iter()
            .map(|it| (it.path.join("."), it.old, it.new))
            .collect();
        let expected = [
            ("spec.come", None, Some(json!([1]))),
            ("spec.gone", Some(Value::Null), None),
            ("spec.retry.attempts", Some(json!(1)), Some(json!(3))),
            ("spec.retry.on.1", Some(json!("b")), None),
        ];
        assert_eq!(told, expected.map(|(path, old, new)| (path.to_owned(), old, new)));
    }

    #[test]
    fn what_is_new_is_told_as_a_whole() {
        let new = json!({ "a": { "b": 1 } });
        let expected = FieldChange { path: vec!["spec".into()], old: None, new: Some(new.clone()) };
        assert_eq!(changes(None, &new), [expected]);
        assert_eq!(changes(Some(&new), &new), []);
    }
}
