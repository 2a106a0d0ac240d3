//! Places, refusals, and that what is written is read back.

use std::path::Path;

use kantoku_api::contract::DocumentProblem;
use kantoku_domain::{manifest::Manifest, plan, specification};
use serde_json::{Value, json};

use super::{Finding, Manifests, Source, to_yaml, yaml};
use crate::output::Paint;

const PIPELINE: &str = "\
# a comment
apiVersion: kantoku/v1
kind: Pipeline
metadata: {name: top-words}
spec:
  params: {url: string}
  tasks:
    fetch: {use: text/fetch, with: {url: $params.url}}
    words:
      use: text/word
      after: [fetch, fetcch]
      with:
        page: $fetch.page
";

/// Where a problem stands, as `line:column` and the text that is marked.
fn found(text: &str, path: &[&str], message: &str) -> (usize, usize, String) {
    let (documents, findings) = yaml::parse(text);
    assert_eq!(findings, [], "{text}");
    let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    let place = documents[0].1.find(&path, message);
    let line = text.lines().nth(place.line - 1).unwrap();
    let marked = line.chars().skip(place.column - 1).take(place.length).collect();
    (place.line, place.column, marked)
}

/// The first finding as `line:column: message; suggestion`.
#[track_caller]
fn refused(text: &str) -> String {
    let (_, findings) = yaml::parse(text);
    let finding = findings.first().expect("a finding");
    shown(text, finding).lines().next().unwrap().trim_start_matches("-:").to_owned()
}

fn shown(text: &str, finding: &Finding) -> String {
    let source = Source { name: "-".into(), text: text.into(), is_chance: false };
    super::Report::new(&[source]).text(finding, Paint::OFF)
}

fn only(text: &str) -> Value {
    let (mut documents, findings) = yaml::parse(text);
    assert_eq!(findings, [], "{text}");
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0).0
}

#[test]
fn a_problem_is_found_where_it_stands() {
    let words = ["spec", "tasks", "words"];
    let at = |rest: &[&str], message: &str| found(PIPELINE, &[&words[..], rest].concat(), message);
    let unknown = "there is no specification \"text/word\"";
    assert_eq!(at(&["use"], unknown), (10, 12, "text/word".into()));
    assert_eq!(at(&["after"], "there is no step \"fetcch\""), (11, 22, "fetcch".into()));
    let wrong = "$fetch.page is a number, but page is a string";
    assert_eq!(at(&["with", "page"], wrong), (13, 15, "$fetch.page".into()));
    let surplus = "text/words has no input \"page\"";
    assert_eq!(at(&["with", "page"], surplus), (13, 9, "page".into()));
    assert_eq!(at(&[], "the steps wait for each other"), (9, 5, "words".into()));
    assert_eq!(at(&["with", "gone"], "missing"), (12, 7, "with".into()), "the nearest there is");
    let name = found(PIPELINE, &["metadata", "name"], "not a valid name");
    assert_eq!(name, (4, 18, "top-words".into()));
    let unknown = "unknown field `params`";
    assert_eq!(found(PIPELINE, &["spec", "params"], unknown), (6, 3, "params".into()));
    assert_eq!(found(PIPELINE, &["spec", "x"], "missing").0, 5);
}

#[test]
fn places_count_characters_and_lists_count_from_zero() {
    let text = "größe: [日本, b]\n";
    assert_eq!(found(text, &["größe", "1"], "wrong"), (1, 13, "b".into()));
    let text = "list:\n- a\n- key: b\n";
    assert_eq!(found(text, &["list", "1", "key"], "wrong"), (3, 8, "b".into()));
}

#[test]
fn every_document_of_a_file_has_its_own_places() {
    let (documents, findings) = yaml::parse("# only a comment\n---\na: 1\n---\n---\nb: 2\n...\n");
    assert_eq!(findings, []);
    let values: Vec<Value> = documents.iter().map(|(value, _)| value.clone()).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(documents[1].1.find(&["b".into()], "x").line, 6);
    assert_eq!(yaml::parse("").0.len(), 0);
}

#[test]
fn json_is_read_as_it_is() {
    let text =
        "{\n\t\"a\": [1, -2.5e3, \"\\u00e9\\ud83d\\ude00\\/\", null, true],\n\t\"b\": {}\n}\n";
    assert_eq!(only(text), json!({"a": [1, -2500.0, "é😀/", null, true], "b": {}}));
}

#[test]
fn syntax_errors_say_where_and_what_to_do() {
    for (text, expected) in [
        ("a: b: c\n", "1:5: "),
        ("a:\n\tb: c\n", "indent with spaces"),
        ("a: @b\n", "1:4: "),
        ("a: \"b\n", "close the quote"),
        ("a: *b\n", "quote a text that begins with *"),
        ("a: [1, 2\n", "1:"),
        ("a: 1\n b: 2\n", "indent what belongs together alike"),
    ] {
        let shown = refused(text);
        assert!(shown.contains(expected), "{text:?}: {shown}");
    }
}

#[test]
fn what_json_cannot_hold_is_refused() {
    assert_eq!(
        refused("a: 1\nb: 2\na: 3\n"),
        "3:1: the key \"a\" is there twice, first in line 1; remove one of them"
    );
    assert_eq!(refused("1: a\n"), "1:1: a key is a text, and 1 is none; quote it: \"1\"");
    assert_eq!(refused("? [a]\n: b\n"), "1:3: a key is a text; a list or a mapping cannot be one");
    assert!(refused("a: 18446744073709551616\n").starts_with("1:4: the number"));
    assert!(refused("a: !secret b\n").starts_with("1:"));
    assert!(refused("- a\n").starts_with("1:1: a document is a mapping"));
    let (_, findings) = yaml::parse("a: 1\na: 2\n2: 3\n");
    assert_eq!(findings.len(), 2, "all at once");
}

#[test]
fn numbers_keep_their_range() {
    let text = "a: 18446744073709551615\nb: -9223372036854775808\nc: 9007199254740993\n";
    let value = only(text);
    assert_eq!(value, json!({"a": u64::MAX, "b": i64::MIN, "c": 9_007_199_254_740_993_u64}));
}

#[test]
fn aliases_and_merges_are_resolved_where_they_stand() {
    let text = "\
base: &base {a: 1, b: 2}
one: {<<: *base, b: 3}
many: {<<: [{c: 4}, *base]}
same: *base
";
    let value = only(text);
    assert_eq!(value["one"], json!({"a": 1, "b": 3}));
    assert_eq!(value["many"], json!({"a": 1, "b": 2, "c": 4}));
    assert_eq!(value["same"], value["base"]);
    assert_eq!(found(text, &["same"], "x"), (4, 1, "same".into()));
    assert_eq!(found(text, &["one", "a"], "x"), (1, 17, "1".into()), "where it was written");
    assert!(refused("a: {<<: 1}\n").starts_with("1:9: << takes a mapping"));
    assert!(refused("a: &a [*a]\n").contains("inside of what it stands for"));
    assert!(refused("a: &a 1\n---\nb: *a\n").contains("unknown anchor"), "per document");
}

#[test]
fn a_small_file_does_not_become_a_large_document() {
    let level = |level: u32| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]")
    };
    let first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned();
    let bomb = std::iter::once(first).chain((1..12).map(level)).collect::<Vec<_>>().join("\n");
    let shown = refused(&bomb);
    assert!(shown.contains("the aliases of this file stand for more than"), "{shown}");
}

#[test]
fn depth_is_bounded_however_it_comes_about() {
    let nested = |levels: usize| format!("a: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(yaml::parse(&nested(99)).1, []);
    assert!(refused(&nested(100)).contains("nested more than 100 levels"));
    assert!(refused(&nested(100_000)).contains("nested more than 100 levels"));
    let level = |level: u32| format!("a{level}: &a{level} [*a{}]", level - 1);
    let first = "a0: &a0 [x]".to_owned();
    let by_alias = std::iter::once(first).chain((1..120).map(level)).collect::<Vec<_>>();
    assert!(refused(&by_alias.join("\n")).contains("nested more than 100 levels"));
    let blocks: Vec<_> = (0..200).map(|level| format!("{}k:", " ".repeat(level))).collect();
    assert!(refused(&blocks.join("\n")).contains("nested more than 100 levels"));
}

#[test]
fn a_finding_shows_its_line() {
    let sources = vec![Source { name: "top.yaml".into(), text: PIPELINE.into(), is_chance: false }];
    let (manifests, findings) = Manifests::parse(sources).unwrap();
    assert_eq!((manifests.len(), findings.len()), (1, 0));
    let problem = serde_json::from_value(json!({
        "document": 0,
        "path": ["spec", "tasks", "words", "use"],
        "message": "there is no specification \"text/word\"",
        "suggestion": "did you mean \"text/words\"?",
    }));
    let finding = manifests.locate(&problem.unwrap());
    assert_eq!(
        manifests.report().text(&finding, Paint::OFF),
        "top.yaml:10:12: there is no specification \"text/word\"; did you mean \"text/words\"?\n\
         10 |       use: text/word\n   |            ^^^^^^^^^"
    );
    assert_eq!(manifests.report().document(&finding)["column"], 12);
}

/// Texts that other readers of YAML stumble over.
const TEXTS: &[&str] = &[
    "",
    " ",
    "~",
    "null",
    "true",
    "yes",
    "No",
    "on",
    "12",
    "-1.5e3",
    "0x1f",
    "0o7",
    "1_000",
    "1:30",
    ".inf",
    "2026-11-24",
    "- a",
    "a: b",
    "a #b",
    "#",
    "&a",
    "*a",
    "!a",
    "@a",
    "`a",
    "%a",
    "|",
    ">",
    "?",
    "'",
    "\"",
    "\\",
    "<<",
    "=",
    "{}",
    "[]",
    ",",
    "a\nb",
    "a\nb\n",
    "a\n\n",
    "\n",
    "\na",
    " a\n b",
    "\ta",
    "a\t",
    "a ",
    "tr\u{e9}s",
    "\u{85}",
    "\u{2028}",
    "\u{feff}a",
    "\u{7f}",
    "\u{0}",
    "\r\n",
    "---",
    "...",
    "a\n---\nb",
    "日本語",
];

#[test]
fn what_is_written_is_read_back() {
    let long = "word ".repeat(60);
    for text in TEXTS.iter().copied().chain([long.as_str(), long.trim_end()]) {
        let value = json!({ "text": text, "list": [text, {"k": text}], text: 1, "end": true });
        let yaml = to_yaml(&value).unwrap();
        assert_eq!(only(&yaml), value, "{yaml}");
    }
    let value = json!({
        "a": [[], {}, [[1], [2, [3]]], null, 1.5, 1e300, -0.0, u64::MAX, i64::MIN, 1.0, 100_000_000.0],
        "b": {"c": {"d": []}},
    });
    let yaml = to_yaml(&value).unwrap();
    assert_eq!(only(&yaml), value, "{yaml}");
}

mod random {
    use proptest::prelude::*;

    use super::{only, to_yaml, yaml};

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "[ -~\n\t:#'\"é日]{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map("[ -~]{0,8}", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_survive_yaml_and_json(value in values()) {
            let document = serde_json::json!({ "value": value });
            prop_assert_eq!(&only(&to_yaml(&document).unwrap()), &document);
            prop_assert_eq!(&only(&document.to_string()), &document);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ \n\t\\-:,\\[\\]{}&*!|>'\"%@`#?a-c0-9é]{0,60}") {
            let (documents, findings) = yaml::parse(&text);
            for finding in findings {
                super::shown(&text, &finding);
            }
            drop(documents);
        }
    }
}

/// What `tests/broken/expected.json` promises about the manifests beside it.
#[derive(serde::Deserialize)]
struct Promised {
    file: String,
    line: usize,
    path: Option<Vec<String>>,
    message: String,
}

/// The problems of documents, as the server finds them.
fn problems(documents: &[Value]) -> Vec<DocumentProblem> {
    let mut known = plan::Specifications::new();
    let mut problems = Vec::new();
    for (document, value) in documents.iter().enumerate() {
        let found = match Manifest::read(value) {
            Err(problem) => vec![problem],
            Ok(Manifest::Specification(name, definition)) => {
                let applied = specification::Applied {
                    name: name.clone(),
                    version: 1,
                    digest: String::new(),
                    source: None,
                    definition: *definition,
                };
                known.insert(name, applied);
                Vec::new()
            }
            Ok(Manifest::Pipeline(_, definition)) => plan::validate(&definition, &known),
            Ok(Manifest::Policy(_, definition)) => definition.problems(&["spec"]),
            Ok(Manifest::Type(..)) => Vec::new(),
        };
        problems.extend(found.into_iter().map(|problem| DocumentProblem { document, problem }));
    }
    problems
}

#[test]
fn each_broken_manifest_is_reported_in_the_line_that_is_wrong() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/broken");
    let expected = std::fs::read(dir.join("expected.json")).unwrap();
    let expected: Vec<Promised> = serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() >= 10);
    for promised in expected {
        let text = std::fs::read_to_string(dir.join(&promised.file)).unwrap();
        let source = Source { name: promised.file.clone(), text, is_chance: false };
        let (manifests, mut findings) = Manifests::parse(vec![source]).unwrap();
        if findings.is_empty() {
            findings = problems(&manifests.values()).iter().map(|p| manifests.locate(p)).collect();
        }
        let shown: Vec<_> =
            findings.iter().map(|f| manifests.report().text(f, Paint::OFF)).collect();
        let [finding] = &findings[..] else { panic!("{}: {shown:#?}", promised.file) };
        assert!(finding.message.contains(&promised.message), "{shown:#?}");
        assert_eq!(finding.place.unwrap().line, promised.line, "{shown:#?}");
        assert_eq!(finding.path, promised.path.unwrap_or_default());
    }
}

#[test]
fn json_that_only_lies_around_is_left_out() {
    let source = |name: &str, text: &str, is_chance| Source {
        name: name.into(),
        text: text.into(),
        is_chance,
    };
    let sources = vec![
        source("package.json", "{\"name\": \"web\"}", true),
        source("type.json", "{\"kind\": \"Type\"}", true),
        source("named.json", "{\"name\": \"web\"}", false),
    ];
    let (manifests, findings) = Manifests::parse(sources).unwrap();
    assert_eq!((manifests.len(), findings.len()), (2, 0));
    assert_eq!(manifests.strangers(), ["package.json"]);
}
