//! Manifests: all problems at once and nothing done, or all of it.

use kantoku_api::{
    Code,
    contract::{
        Change, Deletions, ManifestApply, ManifestDelete, ManifestDiff, ManifestValidate,
        PolicyList, SecretSet, SpecificationGet, TaskSpawn, TypeGet,
    },
};
use serde_json::{Value, json};

use super::{Served, apply, call, document, pass, refused};

fn sound() -> Vec<Value> {
    // Whoever refers comes before what is referred to.
    vec![
        document(
            "Pipeline",
            "p",
            &json!({
                "params": {"people": {"array": {"ref": "person"}}},
                "tasks": {
                    "names": {"use": "names", "with": {"people": "$params.people"}},
                    "first": {"use": "names", "after": ["names"],
                              "with": {"people": {"from": "$params.people", "map": "[people[0]]"}}},
                },
            }),
        ),
        document(
            "Specification",
            "names",
            &json!({
                "inputs": {"people": {"array": {"ref": "person"}}},
                "outputs": {"names": {"array": {"ref": "word"}}},
                "executable": {"type": "rhai", "script": "#{names: people.map(|p| p.name)}"},
            }),
        ),
        document("Type", "person", &json!({"type": {"struct": {"name": {"ref": "word"}}}})),
        document("Type", "word", &json!({"type": "string"})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_in_any_order_become_so_and_stay_so() {
    let served = Served::start().await;
    let client = served.client().await;
    let validated = call::<ManifestValidate>(&client, json!({ "documents": sound() })).await;
    assert_eq!(validated.expect("validated").problems, []);
    let dry = json!({ "documents": sound(), "dry_run": true });
    let dry = call::<ManifestApply>(&client, dry).await.expect("said");
    assert_eq!(served.stand.bus.head().await.expect("it answers"), 0, "nothing happened");

    let applied = apply(&client, sound()).await.expect("applied");
    assert_eq!(applied.items, dry.items);
    let of = |items: &[kantoku_api::contract::AppliedItem]| -> Vec<(String, u64, Change)> {
        items.iter().map(|item| (item.name.clone(), item.version, item.change)).collect()
    };
    let names = ["p", "names", "person", "word"];
    let all = |version, change| names.map(|name| (name.to_owned(), version, change)).to_vec();
    assert_eq!(of(&applied.items), all(1, Change::Created));
    let again = apply(&client, sound()).await.expect("applied");
    assert_eq!(of(&again.items), all(1, Change::Unchanged));
    assert_eq!(again.stream_seq, applied.stream_seq);

    let get = json!({"name": "names", "min_seq": applied.stream_seq});
    let found = call::<SpecificationGet>(&client, get).await.expect("there");
    assert_eq!(found.inputs["people"].to_string(), "array of struct {name: string}");
    let mut changed = sound();
    changed[3]["spec"]["type"] = json!({"optional": "string"});
    let configured = apply(&client, changed).await.expect("applied");
    let changes: Vec<Change> = configured.items.iter().map(|item| item.change).collect();
    assert_eq!(changes, [Change::Configured; 4], "what refers to the type is another, too");
    let get = json!({"name": "word", "min_seq": configured.stream_seq});
    assert_eq!(call::<TypeGet>(&client, get).await.expect("there").version, 2);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_are_told_at_once_and_nothing_is_done() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let head = served.stand.bus.head().await.expect("it answers");
    let number = json!({
        "outputs": {"n": "number"}, "executable": {"type": "rhai", "script": "#{n: }"},
    });
    let documents = vec![
        document("Specification", "number", &number),
        document(
            "Specification",
            "text",
            &json!({
                "inputs": {"t": "string"}, "executable": {"type": "process", "command": []},
            }),
        ),
        document(
            "Pipeline",
            "wrong",
            &json!({
                "tasks": {
                    "n": {"use": "number"},
                    "edge": {"use": "text", "with": {"t": "$n.n"}},
                    "typo": {"use": "txt", "with": {}},
                    "known": {"use": "pas", "with": {}},
                    "missing": {"use": "text"},
                    "script": {"use": "text", "with": {"t": {"from": "$n.n", "map": "n +"}}},
                    "a": {"use": "pass", "with": {"x": "$b.x"}},
                    "b": {"use": "pass", "with": {"x": "$a.x"}},
                },
            }),
        ),
        document("Type", "chicken", &json!({"type": {"optional": {"ref": "egg"}}})),
        document("Type", "egg", &json!({"type": {"optional": {"ref": "chicken"}}})),
        document(
            "Specification",
            "lost",
            &json!({
                "inputs": {"x": {"ref": "eggs"}}, "executable": {"type": "noop"},
            }),
        ),
        document("Specification", "text", &json!({"executable": {"type": "noop"}})),
        json!({"apiVersion": "kantoku/v1", "kind": "Pipelin", "metadata": {"name": "x"}}),
        document("Specification", "broken", &json!({"executable": {"type": "magic"}})),
        document("Pipeline", "innocent", &json!({"tasks": {"a": {"use": "broken"}}})),
    ];
    let error = refused(apply(&client, documents.clone()).await);
    assert_eq!(error.code, Code::Invalid);
    let told: Vec<String> = error
        .data
        .problems
        .iter()
        .map(|problem| format!("{} {}", problem.document, problem.problem))
        .collect();
    let expected = [
        "0 spec.executable.script: ",
        "1 spec.executable.command: the command is empty",
        "2 spec.tasks.b: the steps wait for each other: b → a → b",
        "2 spec.tasks.edge.with.t: $n.n is number, but t is string; fit it with a script",
        "2 spec.tasks.known.use: there is no specification \"pas\"; did you mean \"pass\"?",
        "2 spec.tasks.missing.with: input \"t\" (string) of text is missing",
        "2 spec.tasks.script.with.t.map: the script does not compile",
        "2 spec.tasks.typo.use: there is no specification \"txt\"; did you mean \"text\"?",
        "3 spec.type: the types stand for each other: chicken → egg → chicken",
        "5 spec.inputs.x: there is no type \"eggs\"; did you mean \"egg\"?",
        "6 metadata.name: document 1 is a specification of this name, too",
        "7 kind: unknown kind \"Pipelin\"; did you mean \"Pipeline\"?",
        "8 spec",
    ];
    for expected in expected {
        let count = told.iter().filter(|problem| problem.starts_with(expected)).count();
        assert_eq!(count, 1, "{expected:?} in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(told.is_sorted_by_key(|problem| problem.split(' ').next().map(str::to_owned)));
    assert_eq!(served.stand.bus.head().await.expect("it answers"), head, "nothing happened");
    let validated = call::<ManifestValidate>(&client, json!({ "documents": documents })).await;
    assert_eq!(validated.expect("validated").problems, error.data.problems);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_scripts_are_given_up_in_time() {
    let served = Served::start().await;
    let client = served.client().await;
    let of = |script: String| {
        let executable = json!({"type": "rhai", "script": script});
        vec![document("Specification", "s", &json!({ "executable": executable }))]
    };
    for script in ["(".repeat(60_000), "||f;".repeat(16_000), "x".repeat(1_000_000)] {
        let error = refused(apply(&client, of(script)).await);
        assert_eq!(error.data.problems[0].problem.path, ["spec", "executable", "script"]);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_spawned_says_why() {
    let served = Served::start().await;
    let client = served.client().await;
    apply(&client, vec![pass()]).await.expect("applied");
    let mut typed = pass();
    typed["metadata"]["name"] = json!("typed");
    typed["spec"]["inputs"] = json!({"n": "number", "s": "string"});
    apply(&client, vec![typed]).await.expect("applied");
    let error = refused(call::<TaskSpawn>(&client, json!({"specification": "pas"})).await);
    assert_eq!((error.code, error.data.field.as_deref()), (Code::NotFound, Some("specification")));
    assert!(error.message.contains("did you mean \"pass\"?"), "{}", error.message);
    let inputs = json!({"n": {"value": "7"}, "t": {"value": "x"}});
    let params = json!({"specification": "typed", "inputs": inputs});
    let error = refused(call::<TaskSpawn>(&client, params).await);
    assert_eq!(error.code, Code::Invalid);
    for part in ["3 problems", "input \"s\" (string)", "expected number", "no input \"t\""] {
        assert!(error.message.contains(part), "{part} in {}", error.message);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_tells_each_field_and_changes_nothing() {
    let served = Served::start().await;
    let client = served.client().await;
    let diff = async |documents: Vec<Value>| {
        call::<ManifestDiff>(&client, json!({ "documents": documents })).await
    };
    let specification = |attempts: u32| {
        let spec = json!({ "executable": { "type": "noop" }, "retry": { "attempts": attempts } });
        document("Specification", "a", &spec)
    };
    let new = diff(vec![specification(1)]).await.expect("compared");
    assert_eq!((new.items[0].item.change, new.items[0].item.version), (Change::Created, 1));
    assert_eq!(new.items[0].changes[0].path, ["spec"]);
    assert_eq!(new.items[0].changes[0].old, None);

    let applied = apply(&client, vec![specification(1)]).await.expect("applied");
    let same = diff(vec![specification(1)]).await.expect("compared");
    assert_eq!(
        (same.items[0].item.change, &same.items[0].changes[..]),
        (Change::Unchanged, &[][..])
    );
    let other = diff(vec![pass(), specification(3)]).await.expect("compared");
    assert_eq!(other.items[1].item.change, Change::Configured);
    let changes: Vec<_> = other.items[1]
        .changes
        .iter()
        .map(|it| (it.path.join("."), it.old.clone(), it.new.clone()))
        .collect();
    let expected = ("spec.retry.attempts".to_owned(), Some(json!(1)), Some(json!(3)));
    assert_eq!(changes, [expected]);
    let head = served.stand.bus.head().await.expect("it answers");
    assert_eq!(head, applied.stream_seq, "nothing was recorded");

    let error = refused(diff(vec![json!({ "kind": "Specification" })]).await);
    assert!(error.message.starts_with("nothing was compared: document 0"), "{error}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_deleted_is_and_all_or_nothing_is_tried() {
    let served = Served::start().await;
    let client = served.client().await;
    let policy = |name: &str| {
        document("Policy", name, &json!({ "limits": { "a": { "label": "t", "concurrency": 1 } } }))
    };
    apply(&client, vec![policy("p"), policy("q"), pass()]).await.expect("applied");
    call::<SecretSet>(&client, json!({ "name": "db", "value": "a long password" }))
        .await
        .expect("set");
    let delete = async |params: Value| call::<ManifestDelete>(&client, params).await;
    let of = |answer: &Deletions| -> Vec<(String, bool)> {
        answer.items.iter().map(|it| (format!("{}/{}", it.kind, it.name), it.deleted)).collect()
    };

    // One that cannot be deleted keeps all of them.
    let error = refused(delete(json!({ "documents": [policy("p"), pass()] })).await);
    assert_eq!(error.code, Code::Invalid);
    assert!(error.message.contains("document 1: kind: a \"Specification\" cannot"), "{error}");
    let both = json!({ "documents": [policy("p")], "names": ["secret/db", "policy/none"] });
    let mut dry = both.clone();
    dry["dry_run"] = true.into();
    let expected = [("Policy/p", true), ("Secret/db", true), ("Policy/none", false)];
    let expected = expected.map(|(name, deleted)| (name.to_owned(), deleted));
    let head = served.stand.bus.head().await.expect("it answers");
    assert_eq!(of(&delete(dry).await.expect("said")), expected);
    assert_eq!(served.stand.bus.head().await.expect("it answers"), head, "nothing was recorded");

    let deleted = delete(both.clone()).await.expect("deleted");
    assert_eq!(of(&deleted), expected);
    assert_eq!(deleted.stream_seq, head + 1);
    let again = of(&delete(both).await.expect("said"));
    assert!(again.iter().all(|(_, deleted)| !deleted), "{again:?}");
    let left = json!({ "min_seq": deleted.stream_seq });
    let left = call::<PolicyList>(&client, left).await.expect("a list");
    let names: Vec<&str> = left.items.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["q"]);
    served.stop().await;
}
