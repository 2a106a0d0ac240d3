//! The child's side: reads scripts, runs them one after the other, writes what came of each.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::fd::AsFd,
    panic,
    process::{self, ExitCode},
    str, thread,
};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rhai::{Engine, Scope};

use crate::{
    Limits, ScriptError,
    cache::Cache,
    diagnosis, engine,
    error::LimitName,
    frame::{self, REPLY_SPARE_BYTES, REPLY_VALUE_BYTES, Reply},
    json::{FromJson, ToJson},
    sandbox,
};

/// Room for the deepest calls of the deepest expressions that the default limits allow, even
/// unoptimised. Untouched pages cost nothing, and this is mapped before memory is limited.
const STACK_BYTES: usize = 128 * 1024 * 1024;

/// Bytes of the first frame, the limits.
const LIMITS_BYTES_MAX: usize = 64 * 1024;

/// Serves a [`Pool`](crate::Pool) over stdin and stdout until it goes away, however it went.
///
/// Call it first thing in `main`, before any runtime or thread is started: it reduces the rights
/// of the whole process for good. Prints nothing but its replies on stdout, and its last words, if
/// it must die, on stderr.
pub fn worker_main() -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        fail(message.unwrap_or("it panicked"));
    }));
    let serving =
        thread::Builder::new().name("script".to_owned()).stack_size(STACK_BYTES).spawn(|| {
            if let Err(error) = serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
                fail(&error.to_string());
            }
        });
    if let Err(error) = serving {
        fail(&format!("no thread for scripts: {error}"));
    }
    wait_for_hangup();
    ExitCode::SUCCESS
}

/// Ends the process at once; the pool reads the message as the cause.
fn fail(message: &str) -> ! {
    // Nobody may be left to read it.
    drop(writeln!(io::stderr(), "{message}"));
    process::exit(1)
}

/// Returns when the other end of stdin is closed, even while a script is running: a parent that
/// was killed leaves no worker behind.
fn wait_for_hangup() {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
    while poll(&mut watched, PollTimeout::NONE) == Err(Errno::EINTR) {}
}

fn serve(requests: &mut impl io::Read, replies: &mut impl Write) -> io::Result<()> {
    let limits = frame::read(requests, LIMITS_BYTES_MAX)?;
    let limits: Limits = serde_json::from_slice(&limits)?;
    let engine = engine::build(&limits);
    let mut cache = Cache::new();
    sandbox::enter(limits.memory_bytes)?;

    let mut reply = Vec::new();
    frame::push(&mut reply, &[]);
    loop {
        replies.write_all(&reply)?;
        replies.flush()?;
        let script = frame::read(requests, limits.script_bytes)?;
        let scope = frame::read(requests, limits.scope_bytes)?;
        reply = match run(&engine, &mut cache, &limits, &script, &scope) {
            Ok(reply) => reply,
            Err(error) => {
                let mut reply = Vec::new();
                let error = Reply::<()>::Error(error);
                frame::push_json(&mut reply, &error, REPLY_SPARE_BYTES)?;
                reply
            }
        };
    }
}

/// The frame of the script's value.
fn run(
    engine: &Engine,
    cache: &mut Cache,
    limits: &Limits,
    script: &[u8],
    scope: &[u8],
) -> Result<Vec<u8>, ScriptError> {
    let script = str::from_utf8(script).map_err(|error| ScriptError::NotRepresentable {
        message: format!("the source is not UTF-8: {error}"),
    })?;
    let ast = cache.compiled(engine, script, limits)?;
    let mut scope = read_scope(scope)?;
    let value =
        engine.eval_ast_with_scope(&mut scope, ast).map_err(|error| diagnosis::run(*error))?;

    let mut reply = Vec::new();
    frame::push_json(
        &mut reply,
        &Reply::Value(ToJson::new(&value)),
        limits.result_bytes.saturating_add(REPLY_VALUE_BYTES),
    )
    .map_err(|error| result_error(&error, limits))?;
    Ok(reply)
}

fn read_scope(json: &[u8]) -> Result<Scope<'static>, ScriptError> {
    let values: BTreeMap<String, FromJson> = serde_json::from_slice(json).map_err(|error| {
        ScriptError::NotRepresentable { message: format!("a value given to the script: {error}") }
    })?;
    let mut scope = Scope::new();
    for (name, FromJson(value)) in values {
        scope.push_dynamic(name, value);
    }
    Ok(scope)
}

fn result_error(error: &serde_json::Error, limits: &Limits) -> ScriptError {
    if error.is_io() {
        ScriptError::limit(
            LimitName::ResultBytes,
            format!("the result has more than {} bytes as JSON", limits.result_bytes),
        )
    } else {
        ScriptError::NotRepresentable { message: format!("the result: {error}") }
    }
}
