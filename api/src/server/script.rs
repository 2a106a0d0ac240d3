//! `script.*`

use std::sync::Arc;

use kantoku_preprocessors::{ScriptError, check};
use tokio::{sync::SemaphorePermit, time::timeout};

use super::{Api, Module, shared::blocking};
use crate::{
    ApiError, Code,
    contract::{
        ScriptCheck, ScriptCheckParams, ScriptChecked, ScriptProblem, ScriptProblemKind, ScriptRan,
        ScriptRun, ScriptRunParams,
    },
};

pub(super) fn register(module: &mut Module) {
    module.register::<ScriptCheck>(compile);
    module.register::<ScriptRun>(run);
}

async fn compile(api: Arc<Api>, params: ScriptCheckParams) -> Result<ScriptChecked, ApiError> {
    let _turn = turn(&api).await?;
    let checked = blocking(move || check(&params.script)).await?;
    let problem = checked.err().as_ref().map(problem).transpose()?;
    Ok(ScriptChecked { problem })
}

async fn run(api: Arc<Api>, params: ScriptRunParams) -> Result<ScriptRan, ApiError> {
    let Some(pool) = &api.config.scripts else {
        let message = "this server runs no scripts; ask one that `ktk serve` started";
        return Err(ApiError::new(Code::Unavailable, message).reason("no_scripts").for_good());
    };
    let _turn = turn(&api).await?;
    Ok(match pool.run(&params.script, &params.input).await {
        Ok(value) => ScriptRan { value: Some(value), problem: None },
        Err(error) => ScriptRan { value: None, problem: Some(problem(&error)?) },
    })
}

/// Few scripts of callers are compiled or run at once: the workers are there for tasks.
async fn turn(api: &Api) -> Result<SemaphorePermit<'_>, ApiError> {
    let waits = api.config.limits.call_patience;
    if let Ok(Ok(turn)) = timeout(waits, api.scripts.acquire()).await {
        return Ok(turn);
    }
    let most = api.config.limits.scripts_max;
    let message = format!("{most} scripts are being tried out already; try again later");
    Err(ApiError::new(Code::Limit, message).reason("scripts"))
}

/// What is wrong with the script; an error if it is not the script that something is wrong with.
fn problem(error: &ScriptError) -> Result<ScriptProblem, ApiError> {
    use ScriptProblemKind as Kind;

    let message = error.to_string();
    let (kind, line, column) = match *error {
        ScriptError::Unavailable { .. } => return Err(ApiError::new(Code::Unavailable, message)),
        ScriptError::Compile { line, column, .. } => (Kind::Compile, line, column),
        ScriptError::Runtime { line, column, .. } => (Kind::Runtime, line, column),
        ScriptError::Limit { .. } => (Kind::Limit, 0, 0),
        ScriptError::TimedOut { .. } => (Kind::TimedOut, 0, 0),
        ScriptError::Crashed { .. } => (Kind::Crashed, 0, 0),
        ScriptError::NotRepresentable { .. } => (Kind::NotRepresentable, 0, 0),
    };
    let known = |number: usize| (number > 0).then_some(number);
    Ok(ScriptProblem { kind, message, line: known(line), column: known(column) })
}
