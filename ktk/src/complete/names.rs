//! The names that the server knows.

use std::{ffi::OsString, time::Duration};

use clap::Parser;
use kantoku_api::contract::{
    ContextList, ListParams, Method, NamesParams, NoParams, OperationList, OperationListParams,
    PipelineList, PolicyList, ResourceList, SecretList, SecretListParams, ServiceList,
    SpecificationList, TaskList, TypeList,
};
use kantoku_projections::reader::Page;
use tokio::runtime;

use crate::{
    error::CommandError,
    kind::Kind,
    output::Row,
    profile,
    session::{GlobalArgs, Session},
};

/// How long a shell may wait.
const WITHIN: Duration = Duration::from_millis(700);
/// How many names are asked for.
const NAMES_MAX: u32 = 500;
/// The flags that say whom to ask.
const FLAGS: [(&str, &str); 4] = [
    ("-n", "--namespace"),
    ("--namespace", "--namespace"),
    ("--api-url", "--api-url"),
    ("--profile", "--profile"),
];

/// The global flags alone.
#[derive(Parser)]
struct Globals {
    #[command(flatten)]
    global: GlobalArgs,
}

/// The names of a kind; none if the server does not say them in time.
pub(super) fn of(kind: Kind) -> Vec<String> {
    let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let names = runtime.block_on(async {
        let session = session().ok()?;
        tokio::time::timeout(WITHIN, ask(kind, &session)).await.ok()?.ok()
    });
    runtime.shutdown_background();
    names.unwrap_or_default()
}

/// What the user has typed, the name of this program first.
pub(super) fn words() -> Vec<String> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    words.map(|word: OsString| word.to_string_lossy().into_owned()).collect()
}

/// As the flags say that have been typed so far.
fn session() -> Result<Session, CommandError> {
    let globals = Globals::try_parse_from(flags(&words()));
    let Globals { global } = globals.map_err(|error| CommandError::usage(error.to_string()))?;
    let profile = profile::read()?.pick(global.profile())?;
    Session::new(global, profile)
}

fn flags(words: &[String]) -> Vec<String> {
    let mut flags = vec!["ktk".to_owned()];
    for (at, word) in words.iter().enumerate() {
        for (written, long) in FLAGS {
            let joined = word.strip_prefix(written).and_then(|rest| rest.strip_prefix('='));
            let value = match joined {
                Some(value) => Some(value.to_owned()),
                None if word == written => words.get(at + 1).cloned(),
                None => None,
            };
            flags.extend(value.map(|value| format!("{long}={value}")));
        }
    }
    flags
}

async fn ask(kind: Kind, session: &Session) -> Result<Vec<String>, CommandError> {
    match kind {
        Kind::Task => records::<TaskList, _>(session).await,
        Kind::Context => records::<ContextList, _>(session).await,
        Kind::Resource => records::<ResourceList, _>(session).await,
        Kind::Specification => definitions::<SpecificationList, _>(session).await,
        Kind::Type => definitions::<TypeList, _>(session).await,
        Kind::Pipeline => definitions::<PipelineList, _>(session).await,
        Kind::Policy => definitions::<PolicyList, _>(session).await,
        Kind::Service => {
            let services = session.call::<ServiceList>(&NoParams {}).await?.items;
            Ok(services.iter().map(Row::name).collect())
        }
        Kind::Operation => {
            let (limit, namespace) = (Some(NAMES_MAX), session.namespace());
            let params = OperationListParams { limit, namespace, ..OperationListParams::default() };
            Ok(session.call::<OperationList>(&params).await?.items.iter().map(Row::name).collect())
        }
        Kind::Secret => {
            let params = SecretListParams { namespace: session.namespace() };
            let secrets = session.call::<SecretList>(&params).await?.items;
            Ok(secrets.iter().map(Row::name).collect())
        }
        Kind::Namespace | Kind::Event | Kind::DeadLetter | Kind::Seal => Ok(Vec::new()),
    }
}

/// The last changed first.
async fn records<L, T>(session: &Session) -> Result<Vec<String>, CommandError>
where
    L: Method<Params = ListParams, Answer = Page<T>>,
    T: Row,
{
    let (limit, namespace) = (Some(NAMES_MAX), session.namespace());
    let params = ListParams { limit, namespace, ..ListParams::default() };
    Ok(session.call::<L>(&params).await?.items.iter().map(Row::name).collect())
}

async fn definitions<L, T>(session: &Session) -> Result<Vec<String>, CommandError>
where
    L: Method<Params = NamesParams, Answer = Page<T>>,
    T: Row,
{
    let params = NamesParams {
        limit: Some(NAMES_MAX),
        namespace: session.namespace(),
        ..NamesParams::default()
    };
    Ok(session.call::<L>(&params).await?.items.iter().map(Row::name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_that_say_whom_to_ask_are_found() {
        let words = ["ktk", "get", "-n", "search", "--api-url=http://a", "-o", "json", "pl"];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        assert_eq!(flags(&words), ["ktk", "--namespace=search", "--api-url=http://a"]);
        assert_eq!(flags(&["ktk".into(), "--profile".into()]), ["ktk"]);
    }
}
