//! What scripts are for.

use kantoku_preprocessors::ScriptError;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{patient, pool, run, scope, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("fits_values", fits_values),
        trial("errors_say_where", errors_say_where),
        trial("runs_share_nothing", runs_share_nothing),
        trial("large_values_pass", large_values_pass),
        trial("values_that_do_not_fit", values_that_do_not_fit),
    ]
}

async fn fits_values(name: &'static str) {
    let pool = pool(name, 1, patient());
    let given = scope(json!({
        "words": ["to", "spear", "ünï", "fishes", "🦀🦀🦀🦀"],
        "people": [{"name": "Ada", "born": 1815}, {"name": "Alan", "born": 1912}],
        "number": 7,
        "half": 0.5,
        "text": "  Grüße, Jürgen ❤ ",
        "nothing": null,
        "nested": {"a": {"b": [1, [2, {"c": 3}]]}},
        "long": i64::MAX,
    }));
    let cases: &[(&str, Value)] = &[
        ("words.filter(|w| w.len() > 3)", json!(["spear", "fishes", "🦀🦀🦀🦀"])),
        ("words.map(|w| w.len())", json!([2, 5, 3, 6, 4])),
        ("words.reduce(|sum, w| sum + w.len(), 0)", json!(20)),
        ("let w = words; w.sort(|a, b| b.len() - a.len()); w[0]", json!("fishes")),
        ("people.filter(|p| p.born < 1900)[0].name", json!("Ada")),
        ("people.map(|p| #{who: p.name.to_upper()})", json!([{"who": "ADA"}, {"who": "ALAN"}])),
        ("let n = number; words.filter(|w| w.len() < n - 2).len()", json!(3)),
        ("number / 2", json!(3)),
        ("number * half", json!(3.5)),
        ("number % 4 == 3 && !(half > 1.0)", json!(true)),
        ("(number.to_float() ** 2.0).sqrt().round().to_int()", json!(7)),
        ("text.trim(); text", json!("Grüße, Jürgen ❤")),
        ("text.trim(); text.split(\", \")", json!(["Grüße", "Jürgen ❤"])),
        ("`${number} of ${words.len()}`", json!("7 of 5")),
        ("nested.a.b[1][1].c", json!(3)),
        ("nested.a.x = [nested.a.b[0]]; nested", json!({"a": {"b": [1, [2, {"c": 3}]], "x": [1]}})),
        ("nested.keys() + [nested.a.b.len()]", json!(["a", 2])),
        ("nothing", json!(null)),
        ("nothing ?? \"a default\"", json!("a default")),
        ("nested.missing ?? 1", json!(1)),
        ("long", json!(i64::MAX)),
        ("'x'", json!("x")),
        ("let sum = 0; for i in 1..=100 { sum += i; } sum", json!(5050)),
        ("fn twice(x) { x * 2 } twice(twice(number))", json!(28)),
        ("if number > 5 { \"big\" } else { \"small\" }", json!("big")),
        ("switch number { 7 => \"seven\", 1..5 => \"few\", _ => \"many\" }", json!("seven")),
        ("parse_json(`{\"a\": [1, 2.5, null]}`).a", json!([1, 2.5, null])),
        ("people[0].to_json()", json!(r#"{"born":1815,"name":"Ada"}"#)),
        ("words.to_json()", json!(r#"["to","spear","ünï","fishes","🦀🦀🦀🦀"]"#)),
        ("return number; 1", json!(7)),
        ("", Value::Null),
    ];
    for (script, expected) in cases {
        let result = pool.run(script, &given).await;
        assert_eq!(result.as_ref(), Ok(expected), "{script}");
    }
}

async fn errors_say_where(name: &'static str) {
    let pool = pool(name, 1, patient());
    let Err(ScriptError::Compile { line, column, .. }) = run(&pool, "1 +\n  * 2").await else {
        panic!("it compiled");
    };
    assert_eq!((line, column), (2, 3));

    let thrower = "fn f(x) {\n  throw `no ${x}`\n}\nf(\"luck\")";
    let Err(ScriptError::Runtime { message, line, .. }) = run(&pool, thrower).await else {
        panic!("it did not throw");
    };
    assert!(message.contains("no luck"), "{message}");
    assert_eq!(line, 2);

    let error = run(&pool, "let a = 1;\na + nope").await.unwrap_err();
    assert!(error.to_string().contains("at line 2, column 5"), "{error}");
    assert!(!error.is_retryable());
}

async fn runs_share_nothing(name: &'static str) {
    let pool = pool(name, 1, patient());
    let given = scope(json!({"list": [1]}));
    for _ in 0..3 {
        let grown = pool.run("list.push(2); let leak = 1; list", &given).await;
        assert_eq!(grown, Ok(json!([1, 2])));
    }
    assert!(run(&pool, "leak").await.is_err());
    assert!(run(&pool, "list").await.is_err());
}

async fn large_values_pass(name: &'static str) {
    let pool = pool(name, 1, patient());
    let megabyte = "x".repeat(1024 * 1024);
    let given = scope(json!({"parts": vec![megabyte.as_str(); 10]}));
    assert_eq!(pool.run("parts[3]", &given).await, Ok(json!(megabyte)));

    let numbers: Vec<i64> = (0..20_000).collect();
    let given = scope(json!({"numbers": numbers}));
    let odd: Vec<i64> = numbers.into_iter().filter(|n| n % 2 == 1).collect();
    let result = pool.run("numbers.filter(|n| n % 2 == 1)", &given).await;
    assert_eq!(result, Ok(json!(odd)));
}

async fn values_that_do_not_fit(name: &'static str) {
    let pool = pool(name, 1, patient());
    for script in ["0.0 / 0.0", "|x| x", "[1, [1..3]]", "\"a\".to_blob()"] {
        let error = run(&pool, script).await.unwrap_err();
        assert!(matches!(error, ScriptError::NotRepresentable { .. }), "{script}: {error}");
    }
    let given = scope(json!({"id": u64::MAX}));
    let error = pool.run("id", &given).await.unwrap_err();
    assert!(matches!(error, ScriptError::NotRepresentable { .. }), "{error}");
}
