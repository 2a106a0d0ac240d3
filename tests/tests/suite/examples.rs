//! The examples do what they say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use kantoku_domain::{Event, Id, context};
use serde_json::{Value, json};

use crate::{
    history::History,
    judge::{Export, assert_no_event_can_be_missed},
    stand::Stand,
};

const DEADLINE: Duration = Duration::from_secs(60);

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path)
}

fn read(path: &str) -> String {
    let path = example(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Applies the manifests at `path` and runs `pipeline` to its end: what happened, and its outputs.
async fn run(path: &str, pipeline: &str, params: Value) -> (History, BTreeMap<String, Value>) {
    let mut stand = Stand::start().await;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&read(path)).expect("YAML");
    for document in &documents {
        stand.apply_document(document).await;
    }
    let (node, executor) = (stand.node("node").await, stand.executor("executor"));
    let (context_id, opened) = stand.open(pipeline, params).await;
    let history = History::follow(&stand.bus, context_id, DEADLINE).await;
    judge(&stand, context_id, &history).await;
    executor.stop().await;
    node.stop().await;
    stand.stop().await;
    let outputs = outputs(&opened, &history);
    (history, outputs)
}

async fn judge(stand: &Stand, context_id: Id, history: &History) {
    let export = Export::of(&stand.bus).await;
    export.assert_ok(context_id, history.spawned.len());
    assert_no_event_can_be_missed(&export, context_id);
}

fn outputs(opened: &context::Opened, history: &History) -> BTreeMap<String, Value> {
    let value = |(name, id): (&String, &Id)| (name.clone(), history.value(*id).clone());
    opened.outputs.iter().map(value).collect()
}

/// The names of the steps and children that were spawned.
fn steps(history: &History) -> BTreeSet<&str> {
    history.spawned.values().filter_map(|spawned| spawned.step.as_deref()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn top_words_counts_what_the_text_holds() {
    let text = read("words/alice.txt").to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty());
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_insert(0_u64) += 1;
    }
    let total: u64 = counts.values().sum();
    let mut ranking: Vec<_> = counts.into_iter().filter(|(word, _)| word.len() > 4).collect();
    ranking.sort_by_key(|(word, count)| (u64::MAX - count, *word));
    let top: Vec<_> =
        ranking[..10].iter().map(|(word, count)| json!({"word": word, "count": count})).collect();

    let file = example("words/alice.txt");
    let (history, outputs) =
        Box::pin(run("words/top-words.yaml", "top-words", json!({"file": file}))).await;
    assert_eq!(outputs["top"], json!(top));
    assert_eq!(outputs["total"], total);
    let sentence = outputs["sentence"].as_str().expect("a text");
    assert!(sentence.starts_with("Alice was beginning to get very tired"), "{sentence}");
    assert!(steps(&history).is_superset(&BTreeSet::from(["count-4", "quote", "find", "chart"])));
    let delegated = history.ended.values().any(|event| {
        matches!(event, Event::TaskFinished(finished) if finished.delegated.contains_key("sentence"))
    });
    assert!(delegated, "the sentence is found by a child");
}

#[tokio::test(flavor = "multi_thread")]
async fn month_end_adds_up_and_holds_what_is_over_the_limit() {
    let params = json!({"orders": example("backoffice/orders.csv"), "limit": 2000});
    let (history, outputs) = Box::pin(run("backoffice/month-end.yaml", "month-end", params)).await;
    // By hand from orders.csv, at 0.92 and 0.087 euros: 1250.00 + 310.20 × 0.92 + 4100.00,
    // 8400.50 × 0.087 + 12999.00 × 0.087, 18.90, and 99.99 × 0.92 + 2310.75.
    let report = "Acme Ltd: 5635.38 EUR (held)\n\
                  Borealis AB: 1861.75 EUR\n\
                  Cafe Luna: 18.90 EUR\n\
                  Dorado SA: 2402.74 EUR (held)\n\
                  order 1005: there is no customer\n\
                  order 1007: there is no rate for XXX\n\
                  order 1008: the amount is not positive\n\
                  order 1011: twelve is no amount";
    assert_eq!(outputs["report"], report);
    assert_eq!(outputs["approved"], json!(["Borealis AB", "Cafe Luna"]));
    assert!(steps(&history).is_superset(&BTreeSet::from(["close", "letter-1", "letter-2"])));
    let attempts = history.ended.values().map(|event| match event {
        Event::TaskFinished(finished) => finished.attempt,
        event => panic!("{event:?}"),
    });
    assert_eq!(attempts.max(), Some(3), "the rates are had at the third attempt");
}
