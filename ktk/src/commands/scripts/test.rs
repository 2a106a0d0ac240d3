//! `ktk scripts test`

use std::path::PathBuf;

use kantoku_api::contract::ScriptRan;
use serde_json::{Value, json};

use super::{
    call,
    cases::{self, Wanted},
    found, one, print_items, told,
};
use crate::{
    error::CommandError,
    output::{Format, Paint, print_line},
    session::Session,
};

pub(super) async fn run(
    file: PathBuf,
    cases: Option<PathBuf>,
    session: &Session,
) -> Result<(), CommandError> {
    let cases = cases.unwrap_or_else(|| file.with_extension("yaml"));
    let script = one(file).await?;
    let cases = cases::read(one(cases).await?)?;
    let (mut items, mut failed) = (Vec::new(), 0);
    for (index, case) in cases.iter().enumerate() {
        let ran = call(&script.text, case.input.clone(), session).await?;
        let wrong = case.wanted().and_then(|wanted| wrong(&wanted, &ran, &script.name));
        failed += usize::from(wrong.is_some());
        let title = case.title(index).to_string();
        match session.output() {
            Format::Table | Format::Wide => print_case(&title, wrong.as_deref())?,
            Format::Name => {
                if wrong.is_some() {
                    print_line(&title)?;
                }
            }
            _ => items.push(json!({
                "name": title,
                "ok": wrong.is_none(),
                "wrong": wrong,
                "value": ran.value,
                "problem": ran.problem,
            })),
        }
    }
    print_items(&items, session)?;
    found(failed, &format!("of {} cases failed", cases.len()))
}

/// How what came of a case differs from what was wanted.
fn wrong(wanted: &Wanted<'_>, ran: &ScriptRan, file: &str) -> Option<String> {
    match (wanted, &ran.value, &ran.problem) {
        (Wanted::Value(_), _, Some(problem)) => Some(told(file, problem)),
        (Wanted::Error(part), _, Some(problem)) => (!problem.message.contains(part))
            .then(|| format!("it failed otherwise: {}", told(file, problem))),
        (Wanted::Value(wanted), value, None) => {
            let value = value.as_ref().unwrap_or(&Value::Null);
            (value != *wanted).then(|| format!("expected {wanted}, got {value}"))
        }
        (Wanted::Error(part), value, None) => {
            let value = value.as_ref().unwrap_or(&Value::Null);
            Some(format!("expected an error with {part:?}, got {value}"))
        }
    }
}

fn print_case(title: &str, wrong: Option<&str>) -> Result<(), CommandError> {
    let paint = Paint::stdout();
    match wrong {
        None => print_line(&format!("{}  {title}", paint.green("ok    "))),
        Some(wrong) => print_line(&format!("{}  {title}: {wrong}", paint.red("failed"))),
    }
}
