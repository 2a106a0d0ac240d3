//! `ktk scripts`

mod cases;
mod test;

use std::path::PathBuf;

use clap::Subcommand;
use kantoku_api::contract::{
    ScriptCheck, ScriptCheckParams, ScriptProblem, ScriptRan, ScriptRun, ScriptRunParams,
};
use serde_json::{Map, Value, json};

use crate::{
    assignment::{self, Assignment},
    error::{CommandError, Exit},
    manifest::{Source, read_sources},
    output::{Format, print_document, print_line},
    session::Session,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk scripts check words.rhai other.rhai    exit 7 if one does not compile
  ktk scripts run words.rhai -p 'words:=[\"a\", \"bcde\"]'
  echo 'a + b' | ktk scripts run - -p a:=1 -p b:=2
  ktk scripts test words.rhai                the cases in words.yaml; exit 7 if one fails

A file of cases:
  cases:
    - {name: short words go, input: {words: [a, bcde]}, expected: [bcde]}
    - {name: no words, input: {}, error: not found}

Scripts run on the server, as those of tasks do: in the same sandbox, under the same limits.";

/// Scripts, tried out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong with scripts, without running them
    Check {
        /// The scripts, or - for stdin
        #[arg(required = true, value_name = "FILE|-")]
        file: Vec<PathBuf>,
    },
    /// Run a script and show its value
    Run {
        /// The script, or - for stdin
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
        /// A variable: a text, or any JSON value. Repeatable
        #[arg(short, long = "param", value_name = "KEY=TEXT|KEY:=JSON")]
        param: Vec<Assignment>,
    },
    /// Run the cases of a script and compare
    Test {
        /// The script
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its cases [default: the file of the same name that ends in .yaml]
        #[arg(long, value_name = "FILE|-")]
        cases: Option<PathBuf>,
    },
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<(), CommandError> {
    match args.command {
        Command::Check { file } => check(file, session).await,
        Command::Run { file, param } => {
            let input = assignment::collect(param)?.into_iter().collect();
            run_once(file, input, session).await
        }
        Command::Test { file, cases } => test::run(file, cases, session).await,
    }
}

async fn check(files: Vec<PathBuf>, session: &Session) -> Result<(), CommandError> {
    let mut items = Vec::new();
    let mut wrong = 0;
    let sources = read(files).await?;
    let count = sources.len();
    for source in sources {
        let params = ScriptCheckParams { script: source.text, namespace: session.namespace() };
        let problem = session.call::<ScriptCheck>(&params).await?.problem;
        wrong += usize::from(problem.is_some());
        let told = problem.as_ref().map(|problem| told(&source.name, problem));
        match (session.output(), told) {
            (Format::Table | Format::Wide, None) => {
                print_line(&format!("{} is sound", source.name))?;
            }
            (Format::Table | Format::Wide | Format::Name, Some(told)) => print_line(&told)?,
            (Format::Name, None) => {}
            _ => items.push(json!({ "file": source.name, "problem": problem })),
        }
    }
    print_items(&items, session)?;
    found(wrong, &format!("of {count} scripts are wrong"))
}

async fn run_once(
    file: PathBuf,
    input: Map<String, Value>,
    session: &Session,
) -> Result<(), CommandError> {
    let script = one(file).await?;
    let ran = call(&script.text, input, session).await?;
    if let Some(problem) = &ran.problem {
        return Err(CommandError::new(Exit::Error, told(&script.name, problem)));
    }
    match session.output() {
        Format::Table | Format::Wide | Format::Name => {
            print_document(Format::Json, &ran.value.unwrap_or_default())
        }
        format => print_document(format, &ran),
    }
}

/// Runs `script` once.
async fn call(
    script: &str,
    input: Map<String, Value>,
    session: &Session,
) -> Result<ScriptRan, CommandError> {
    let params =
        ScriptRunParams { script: script.to_owned(), input, namespace: session.namespace() };
    session.call_within::<ScriptRun>(session.work_timeout(), &params).await
}

/// `FILE:LINE:COLUMN: message`, as far as the place is known.
fn told(file: &str, problem: &ScriptProblem) -> String {
    let message = &problem.message;
    match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {message}"),
        (Some(line), None) => format!("{file}:{line}: {message}"),
        (None, _) => format!("{file}: {message}"),
    }
}

/// The items for programs; nothing where they were printed one by one for people.
fn print_items(items: &[Value], session: &Session) -> Result<(), CommandError> {
    match session.output() {
        Format::Table | Format::Wide | Format::Name => Ok(()),
        Format::Jsonl => items.iter().try_for_each(|item| print_document(Format::Jsonl, item)),
        format => print_document(format, &json!({ "items": items })),
    }
}

/// An error if there are findings.
fn found(count: usize, what: &str) -> Result<(), CommandError> {
    match count {
        0 => Ok(()),
        count => Err(CommandError::new(Exit::Findings, format!("{count} {what}"))),
    }
}

/// Reads files. Stdin may let one wait: on a thread of its own, so that Ctrl-C is heard meanwhile.
async fn read(files: Vec<PathBuf>) -> Result<Vec<Source>, CommandError> {
    tokio::task::spawn_blocking(move || read_sources(&files))
        .await
        .map_err(|error| CommandError::new(Exit::Error, format!("cannot read: {error}")))?
}

/// Reads one file.
async fn one(file: PathBuf) -> Result<Source, CommandError> {
    let name = file.display().to_string();
    let mut sources = read(vec![file]).await?;
    match (sources.pop(), sources.is_empty()) {
        (Some(source), true) => Ok(source),
        _ => Err(CommandError::usage(format!("{name} is not one file"))),
    }
}
