//! Compiling without running, in the caller's process.

use std::{
    thread,
    time::{Duration, Instant},
};

use rhai::{Engine, LexError, Token};

use crate::{Limits, ScriptError, engine};

/// Far more than the parser needs at the default depth, even unoptimised. Untouched pages cost
/// nothing.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Compiles `script` under the default [`Limits`] and runs nothing.
///
/// The source may come from anyone: it is compiled on a stack of its own, and given up after
/// [`Limits::wall_ms`]. Blocks meanwhile; an honest source takes a few milliseconds at most.
///
/// # Errors
/// [`ScriptError::Compile`] with line and column; [`ScriptError::Limit`] for a source that is too
/// long or too deep, or has too large a literal; [`ScriptError::TimedOut`];
/// [`ScriptError::Unavailable`] when the system gives no thread.
pub fn check(script: &str) -> Result<(), ScriptError> {
    let limits = Limits::default();
    thread::scope(|scope| {
        // What was compiled is dropped there too: dropping recurses as deep as parsing.
        let compiled = thread::Builder::new()
            .name("script-check".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || compile(script, &limits))
            .map_err(|error| ScriptError::unavailable(format!("no thread to compile in: {error}")))?
            .join();
        compiled.unwrap_or_else(|_panic| {
            Err(ScriptError::Crashed { message: "the compiler panicked".to_owned() })
        })
    })
}

fn compile(script: &str, limits: &Limits) -> Result<(), ScriptError> {
    let mut engine = engine::grammar(limits);
    let deadline = Instant::now() + Duration::from_millis(limits.wall_ms);
    give_up_at(&mut engine, deadline);
    let compiled = engine::compile(&engine, script, limits);
    match compiled {
        Err(_) if Instant::now() >= deadline => {
            Err(ScriptError::TimedOut { wall_ms: limits.wall_ms })
        }
        compiled => compiled.map(drop),
    }
}

/// Some constructs take the parser time in the square of their number, closures for instance. It
/// cannot be interrupted, but it does ask what to make of each token.
#[expect(deprecated, reason = "not deprecated, says its note, but volatile")]
fn give_up_at(engine: &mut Engine, deadline: Instant) {
    engine.on_parse_token(move |token, _, _| {
        if Instant::now() < deadline {
            token
        } else {
            Token::LexError(Box::new(LexError::Runtime("out of time".to_owned())))
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn ends_soon(script: &str) -> Result<(), ScriptError> {
        let started = Instant::now();
        let result = check(script);
        let wall_ms = Limits::default().wall_ms;
        assert!(started.elapsed() < Duration::from_millis(2 * wall_ms), "{script:.60}");
        result
    }

    #[test]
    fn good_sources_compile() {
        for script in ["", "words.filter(|w| w.len() > 3)", "fn f(x) { x }\nf(unknown)"] {
            assert_eq!(check(script), Ok(()), "{script}");
        }
    }

    #[test]
    fn bad_sources_say_where() {
        let error = check("let a = 1;\nlet = 2;");
        assert!(matches!(error, Err(ScriptError::Compile { line: 2, column: 5, .. })), "{error:?}");
    }

    #[test]
    fn nothing_is_run() {
        assert_eq!(check("loop {}"), Ok(()));
    }

    /// Of each kind of nesting, far more than the depth limit.
    #[test]
    fn deep_sources_do_not_exhaust_the_stack() {
        let units = [
            "(",
            "[",
            "{",
            "#{a:",
            "!",
            "- ",
            "1+",
            "1**",
            "a=",
            "a.",
            "a?.",
            "a[",
            "f(",
            "a[0]",
            "f()",
            "1 in ",
            "a??",
            "||",
            "|x|",
            "if a {",
            "if a {} else ",
            "while a {",
            "loop {",
            "do {",
            "for i in a {",
            "switch a { _ => ",
            "try {",
            "throw ",
            "return ",
            "`${",
            "a::",
            "/*",
            "fn f() {",
            "let a=",
            "1..",
            "Fn(",
            "break ",
        ];
        for unit in units {
            for middle in ["", "1"] {
                let script = format!("{}{middle}", unit.repeat(60_000 / unit.len()));
                // Whether it compiles is not the question.
                drop(ends_soon(&script));
            }
        }
    }

    #[test]
    fn wide_sources_are_given_up_in_time() {
        let names = |format: fn(usize) -> String| (0..6000).map(format).collect::<String>();
        let scripts = [
            format!("[{}]", "1,".repeat(30_000)),
            format!("\"{}\"", "x".repeat(60_000)),
            "{}".repeat(30_000),
            "||f;".repeat(16_000),
            "||f;||g;".repeat(8_000),
            format!("||{{||{{||{{||{{||{{ {} }} }} }} }} }}", names(|n| format!("f{n};"))),
            format!("|{}a|1", names(|n| format!("f{n},"))),
            format!("#{{{}}}", names(|n| format!("f{n}:1,"))),
            names(|n| format!("let f{n};")),
        ];
        for script in scripts {
            drop(ends_soon(&script));
        }
    }
}
