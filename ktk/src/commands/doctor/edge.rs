//! What the API's process says of itself beside the API: readiness, metrics, its clock.

use std::{collections::BTreeMap, time::Duration};

use kantoku_domain::Timestamp;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::report::Report;
use crate::{output::now, session::Session};

/// A clock that is off by more makes times in documents misleading. Its answer is in whole seconds.
const SKEW_MAX: Duration = Duration::from_secs(3);
const BODY_MAX: usize = 16 * 1024 * 1024;
const DEAD_LETTERS: &str = "ktk_dead_letters_total";

#[derive(Deserialize)]
struct Readiness {
    missing: BTreeMap<String, String>,
}

/// A page, and the time by the clock of whoever gave it.
struct Page {
    body: String,
    date: Option<Timestamp>,
}

pub(super) async fn check(session: &Session, report: &mut Report) {
    match get(session, "readyz").await {
        Ok(page) => {
            readiness(&page.body, report);
            if let Some(date) = page.date {
                clock(date, now(), report);
            }
        }
        Err(error) => report.finding(
            "readiness",
            format!("/readyz does not answer: {error}"),
            "see whether a proxy stands before the API that does not pass it on",
        ),
    }
    if let Ok(page) = get(session, "metrics").await {
        dead_letters(&page.body, report);
    }
}

async fn get(session: &Session, path: &str) -> Result<Page, String> {
    let url = format!("{}/{path}", session.url().trim_end_matches('/'));
    let describe = |error: reqwest::Error| error.without_url().to_string();
    // Without one the library panics. No certificate is read where none is met.
    rustls::crypto::ring::default_provider().install_default().ok();
    let builder = reqwest::Client::builder().timeout(session.answer_timeout());
    let builder = match session.trust().map_err(|error| error.to_string())? {
        Some(trust) => builder.tls_backend_preconfigured(trust.config()),
        None if url.starts_with("https:") => builder,
        None => builder.tls_certs_only([]),
    };
    let mut answer = builder.build().map_err(describe)?.get(url).send().await.map_err(describe)?;
    let date = answer.headers().get(reqwest::header::DATE);
    let date = date
        .and_then(|date| OffsetDateTime::parse(date.to_str().ok()?, &Rfc2822).ok())
        .map(Timestamp::from);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(describe)? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(format!("the answer is longer than {BODY_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Page { body: String::from_utf8_lossy(&body).into_owned(), date })
}

fn readiness(body: &str, report: &mut Report) {
    let Ok(Readiness { missing }) = serde_json::from_str(body) else {
        report.finding(
            "readiness",
            "/readyz gave an answer that cannot be read",
            "see whether a proxy stands before the API that gives an answer of its own",
        );
        return;
    };
    if missing.is_empty() {
        report.fine("readiness", "every part of the API's process is ready");
    }
    for (part, reason) in missing {
        report.finding(
            "readiness",
            format!("{part} is not ready: {reason}"),
            match part.as_str() {
                "nats" => "start the NATS server, or check KTK_NATS_URL where the services run",
                "postgres" => "start Postgres, or check KTK_DATABASE_URL where the services run",
                _ => "see the log of that service; of a private stand: ktk dev logs",
            },
        );
    }
}

fn clock(theirs: Timestamp, ours: Timestamp, report: &mut Report) {
    let skew = theirs.since(ours).max(ours.since(theirs));
    if skew <= SKEW_MAX {
        report.fine("clock", "this machine's agrees with the server's");
    } else {
        report.finding(
            "clock",
            format!("this machine's and the server's differ by {} s", skew.as_secs()),
            "synchronise both with NTP: ages and durations are shown by this machine's clock",
        );
    }
}

/// The counters start with their process, so they tell of what happened lately.
fn dead_letters(metrics: &str, report: &mut Report) {
    let counts = metrics.lines().filter_map(|line| {
        let (labels, count) = line.strip_prefix(DEAD_LETTERS)?.rsplit_once(' ')?;
        Some((labels, count.parse::<f64>().ok().filter(|count| *count > 0.0)?))
    });
    let mut total = 0;
    for (labels, count) in counts {
        total += count as u64;
        report.finding(
            "handlers",
            format!("{count} messages could not be digested {labels}"),
            "see the service's log for the reason; the messages are kept in the stream KTK_DEAD",
        );
    }
    if total == 0 {
        report.fine("handlers", "no dead letters since the API's process was started");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(check: impl FnOnce(&mut Report)) -> Vec<String> {
        let mut report = Report::default();
        check(&mut report);
        report.found().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_missing_is_a_finding_each() {
        assert!(found(|report| readiness(r#"{"ready":true,"missing":{}}"#, report)).is_empty());
        let body = r#"{"ready":false,"missing":{"nats":"no answer","projector":"halted"}}"#;
        let expected = ["nats is not ready: no answer", "projector is not ready: halted"];
        assert_eq!(found(|report| readiness(body, report)), expected);
        assert_eq!(found(|report| readiness("<html>", report)).len(), 1);
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert!(found(|report| clock(at(10), at(12), report)).is_empty());
        for (theirs, ours) in [(10, 20), (20, 10)] {
            let expected = ["this machine's and the server's differ by 10 s"];
            assert_eq!(found(|report| clock(at(theirs), at(ours), report)), expected);
        }
    }

    #[test]
    fn dead_letters_are_found_by_consumer() {
        let metrics = "# HELP ktk_dead_letters_total x\nktk_dead_letters_total{consumer=\"a\"} 0\n\
            ktk_dead_letters_total{consumer=\"b\"} 2\nother_total 5\n";
        let expected = ["2 messages could not be digested {consumer=\"b\"}"];
        assert_eq!(found(|report| dead_letters(metrics, report)), expected);
        assert!(found(|report| dead_letters("other_total 5\n", report)).is_empty());
    }
}
