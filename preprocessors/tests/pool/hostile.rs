//! What scripts may try. Each attempt must end soon, with the right error, and leave a pool that
//! works.

use std::time::{Duration, Instant};

use kantoku_preprocessors::{LimitName, Limits, Pool, ScriptError};
use libtest_mimic::Trial;
use serde_json::{Map, json};

use crate::support::{healthy, patient, pool, run, scope, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("endless_loop_by_operations", endless_loop_by_operations),
        trial("endless_loop_by_the_clock", endless_loop_by_the_clock),
        trial("forbidden_functions", forbidden_functions),
        trial("forbidden_keywords", forbidden_keywords),
        trial("growing_data", growing_data),
        trial("deep_recursion", deep_recursion),
        trial("deepest_allowed_recursion_fits_the_stack", deepest_allowed_recursion),
        trial("exhausted_stack", exhausted_stack),
        trial("too_many_variables", too_many_variables),
        trial("sources_too_deep_or_large", sources_too_deep_or_large),
        trial("huge_scope", huge_scope),
        trial("huge_result", huge_result),
        trial("memory_hog_below_the_other_limits", memory_hog),
        trial("quadratic_replace", quadratic_replace),
        trial("slow_builtins_are_stopped", slow_builtins),
        trial("deep_values", deep_values),
        trial("panicking_builtin", panicking_builtin),
        trial("limits_cannot_be_caught", limits_cannot_be_caught),
        trial("long_messages_are_cut", long_messages_are_cut),
    ]
}

/// How long an attempt may take under the default limits; its clock stops it after one second.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

#[track_caller]
fn assert_limit(script: &str, error: &ScriptError, expected: LimitName) {
    assert!(
        matches!(error, ScriptError::Limit { limit, .. } if *limit == expected),
        "{script:.60}: {error}"
    );
}

async fn refused(pool: &Pool, script: &str) -> ScriptError {
    let started = Instant::now();
    let error = run(pool, script).await.expect_err(script);
    assert!(started.elapsed() < ATTEMPT_MAX, "{script:.60}: {error}");
    assert!(!error.is_retryable(), "{script:.60}: {error}");
    healthy(pool).await;
    error
}

async fn endless_loop_by_operations(name: &'static str) {
    let limits = Limits { operations: 50_000, ..patient() };
    let pool = pool(name, 1, limits);
    for script in ["loop {}", "while true { let x = 1; }", "fn f() { loop {} } [1].map(|x| f())"] {
        assert_limit(script, &refused(&pool, script).await, LimitName::Operations);
    }
}

async fn endless_loop_by_the_clock(name: &'static str) {
    let limits = Limits { operations: u64::MAX, wall_ms: 1000, ..Limits::default() };
    let pool = pool(name, 1, limits);
    let error = refused(&pool, "loop {}").await;
    assert_eq!(error, ScriptError::TimedOut { wall_ms: 1000 });
}

async fn forbidden_functions(name: &'static str) {
    let pool = pool(name, 1, patient());
    for script in [
        "sleep(10)",
        "sleep(10.0)",
        "timestamp()",
        "exit(1)",
        "get_fn_metadata_list()",
        "blob(10)",
        "Fn(\"sleep\").call(10)",
        "open_file(\"/etc/passwd\")",
    ] {
        let error = refused(&pool, script).await;
        assert!(
            matches!(&error, ScriptError::Runtime { message, .. } if message.contains("not found")),
            "{script}: {error}"
        );
    }
}

async fn forbidden_keywords(name: &'static str) {
    let pool = pool(name, 1, patient());
    for script in [
        "eval(\"1\")",
        "import \"/etc/passwd\" as x;",
        "print(1)",
        "debug(1)",
        "Fn(\"eval\").call(\"1\")",
        "Fn(\"print\").call(\"1\")",
    ] {
        let error = refused(&pool, script).await;
        assert!(
            matches!(error, ScriptError::Compile { .. } | ScriptError::Runtime { .. }),
            "{script}: {error}"
        );
    }
}

async fn growing_data(name: &'static str) {
    let pool = pool(name, 1, Limits { map_entries: 100_000, ..patient() });
    for (script, limit) in [
        ("let s = \"ab\"; loop { s += s; }", LimitName::StringBytes),
        ("let s = \"ab\"; loop { s = `${s}${s}`; }", LimitName::StringBytes),
        ("let s = \"\"; s.pad(1000000000000, 'x'); s", LimitName::StringBytes),
        ("let a = [1, 2]; loop { a += a; }", LimitName::ArrayItems),
        ("let a = []; a.pad(1000000000000, 1); a", LimitName::ArrayItems),
        ("let a = [0]; loop { a = [a, a]; }", LimitName::ArrayItems),
        ("let m = #{x: 1}; loop { m = #{a: m, b: m}; }", LimitName::MapEntries),
    ] {
        assert_limit(script, &refused(&pool, script).await, limit);
    }
}

async fn deep_recursion(name: &'static str) {
    let pool = pool(name, 1, patient());
    for script in [
        "fn f(x) { f(x + 1) } f(0)",
        "fn f(x) { g(x) } fn g(x) { [x].map(|y| f(y)) } f(0)",
        "let f = |g, x| g.call(g, x); f.call(f, 1)",
    ] {
        assert_limit(script, &refused(&pool, script).await, LimitName::CallDepth);
    }
}

async fn deepest_allowed_recursion(name: &'static str) {
    let limits = patient();
    let pool = pool(name, 1, limits.clone());
    // Each call is made from within as deep an expression as the parser lets pass.
    let deepest = (1..limits.expression_depth)
        .rev()
        .map(|depth| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!("fn f(x) {{ if x == 0 {{ 0 }} else {{ {open}f(x - 1){close}; 0 }} }} f(60)")
        })
        .find(|script| kantoku_preprocessors::check(script).is_ok())
        .unwrap();
    assert_eq!(run(&pool, &deepest).await, Ok(json!(0)));
    let chained =
        format!("fn f(x) {{ if x == 0 {{ 0 }} else {{ {} f(x - 1) }} }} f(60)", "0 + ".repeat(110));
    assert_eq!(run(&pool, &chained).await, Ok(json!(0)));
}

async fn exhausted_stack(name: &'static str) {
    let pool = pool(name, 1, Limits { call_depth: usize::MAX, ..patient() });
    let error = refused(&pool, "fn f(x) { f(x + 1) } f(0)").await;
    let ScriptError::Crashed { message } = error else { panic!("{error}") };
    assert!(message.contains("overflowed its stack"), "{message}");
}

async fn too_many_variables(name: &'static str) {
    let pool = pool(name, 1, Limits { variables: 3, ..patient() });
    assert_eq!(run(&pool, "let a = 1; let b = 2; a + b").await, Ok(json!(3)));
    let script = "let a = 1; let b = 2; let c = 3; let d = 4;";
    assert_limit(script, &refused(&pool, script).await, LimitName::Variables);
}

async fn sources_too_deep_or_large(name: &'static str) {
    let pool = pool(name, 1, Limits { string_bytes: 10_000, array_items: 10_000, ..patient() });
    let nested = |open: &str, middle: &str, close: &str, n| {
        format!("{}{middle}{}", open.repeat(n), close.repeat(n))
    };
    for (script, limit) in [
        (nested("(", "1", ")", 10_000), LimitName::ExpressionDepth),
        (nested("[", "1", "]", 10_000), LimitName::ExpressionDepth),
        (nested("#{a:", "1", "}", 10_000), LimitName::ExpressionDepth),
        (nested("{", "1", "}", 10_000), LimitName::ExpressionDepth),
        (nested("- ", "1", "", 30_000), LimitName::ExpressionDepth),
        (nested("1+", "1", "", 30_000), LimitName::ExpressionDepth),
        (format!("\"{}\"", "x".repeat(60_000)), LimitName::StringBytes),
        (format!("[{}]", "1,".repeat(30_000)), LimitName::ArrayItems),
        ("1;".repeat(100_000), LimitName::ScriptBytes),
    ] {
        assert_limit(&script, &refused(&pool, &script).await, limit);
    }
}

async fn huge_scope(name: &'static str) {
    let pool = pool(name, 1, Limits { scope_bytes: 1000, ..patient() });
    let given = scope(json!({"a": "x".repeat(1000)}));
    let error = pool.run("1", &given).await.unwrap_err();
    assert_limit("1", &error, LimitName::ScopeBytes);
}

async fn huge_result(name: &'static str) {
    let pool = pool(name, 1, Limits { result_bytes: 1000, ..patient() });
    assert_eq!(run(&pool, "let s = \"\"; s.pad(998, 'x'); s").await, Ok(json!("x".repeat(998))));
    for script in [
        "let s = \"\"; s.pad(999, 'x'); s",
        "let s = \"\"; s.pad(10000000, '\\n'); s",
        "let a = []; a.pad(500, 10); a",
    ] {
        assert_limit(script, &refused(&pool, script).await, LimitName::ResultBytes);
    }
}

async fn memory_hog(name: &'static str) {
    let limits = Limits { memory_bytes: 64 * 1024 * 1024, ..patient() };
    let pool = pool(name, 1, limits);
    // Each string is within its limit, and each call holds one.
    let hog = "fn hog(n) { let s = \"16 bytes of text\"; for i in 0..19 { s += s; } \
               if n > 0 { hog(n - 1); } s.len() } hog(50)";
    assert_limit(hog, &refused(&pool, hog).await, LimitName::MemoryBytes);
    // As an array of characters, text takes many times its bytes.
    let script = "let s = \"16 bytes of text\"; for i in 0..19 { s += s; } s.split(\"\")";
    assert_limit(script, &refused(&pool, script).await, LimitName::MemoryBytes);
}

async fn quadratic_replace(name: &'static str) {
    let pool = pool(name, 1, Limits::default());
    let script = "let s = \"\"; s.pad(10000000, 'x'); let t = s; s.replace(\"x\", t); s.len()";
    let error = refused(&pool, script).await;
    assert!(
        matches!(error, ScriptError::TimedOut { .. })
            || matches!(error, ScriptError::Limit { limit: LimitName::MemoryBytes, .. }),
        "{error}"
    );
}

async fn slow_builtins(name: &'static str) {
    // Few operations, much work in each: only the clock can see it.
    let limits = Limits { wall_ms: 1000, ..Limits::default() };
    let pool = pool(name, 1, limits);
    for script in [
        "let s = \"\"; s.pad(4000000, 'x'); for i in 0..100000 { s.index_of(\"xy\"); }",
        "let a = []; a.pad(300000, 1); for i in 0..100000 { a.reverse(); }",
    ] {
        let error = refused(&pool, script).await;
        assert_eq!(error, ScriptError::TimedOut { wall_ms: 1000 }, "{script}");
    }
}

async fn deep_values(name: &'static str) {
    let pool = pool(name, 1, patient());
    let error = refused(&pool, "let a = []; for i in 0..1000 { a = [a]; } a").await;
    assert!(matches!(error, ScriptError::NotRepresentable { .. }), "{error}");
    assert!(run(&pool, "let a = []; for i in 0..90 { a = [a]; } a").await.is_ok());

    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let error = refused(&pool, &format!("parse_json(`{deep}`)")).await;
    assert!(matches!(error, ScriptError::Runtime { .. }), "{error}");
}

async fn panicking_builtin(name: &'static str) {
    let pool = pool(name, 1, patient());
    // The standard library's sort panics when the order contradicts itself.
    let script = "let a = []; for i in 0..200 { a.push(i * 7919 % 211); } \
                  let n = 0; a.sort(|x, y| if (x * 31 + y * 17) % 3 == 0 { -1 } else { 1 }); a.len()";
    match run(&pool, script).await {
        // Whether it notices is its own affair.
        Ok(_) => (),
        Err(ScriptError::Crashed { message }) => assert!(message.contains("order"), "{message}"),
        Err(error) => panic!("{error}"),
    }
    healthy(&pool).await;
}

async fn limits_cannot_be_caught(name: &'static str) {
    let limits = Limits { operations: 50_000, ..patient() };
    let pool = pool(name, 1, limits);
    let script = "loop { try { loop {} } catch {} }";
    assert_limit(script, &refused(&pool, script).await, LimitName::Operations);
    let script = "fn f() { try { f() } catch { f() } } f()";
    assert_limit(script, &refused(&pool, script).await, LimitName::CallDepth);
}

async fn long_messages_are_cut(name: &'static str) {
    let pool = pool(name, 1, patient());
    let error = refused(&pool, "let s = \"\"; s.pad(5000000, '❤'); throw s").await;
    assert!(error.to_string().len() < 4000);
    let long_name = "x".repeat(60_000);
    let error = pool.run(&long_name, &Map::new()).await.unwrap_err();
    assert!(error.to_string().len() < 4000);
}
