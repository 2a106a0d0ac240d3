//! The `http` executable: a POST of the inputs, answered with the result document.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use kantoku_domain::task::Failure;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use serde_json::{Map, Value};

use crate::{failure, redact::Redactor};

/// What an answer may hold, in bytes.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// How much of the end of a refusal is shown, in bytes.
const TAIL_MAX: usize = 2 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A peer that vanished is noticed within about three of these.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The clients of all attempts, each made with the first that needs it.
#[derive(Default)]
pub(crate) struct Http {
    secure: OnceLock<Client>,
    /// Trusts no certificate, as it meets none: a machine need not have any to speak plain HTTP.
    plain: OnceLock<Client>,
}

/// Whom to ask, and for what attempt.
pub(crate) struct Post<'a> {
    pub(crate) url: &'a str,
    /// Added to ours.
    pub(crate) headers: &'a BTreeMap<String, String>,
    /// The same names as in the environment of a process.
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    /// Keeps out of errors what must not be said.
    pub(crate) redactor: &'a Redactor,
}

impl Http {
    /// Sends `inputs`; the answer. The caller limits how long that may take.
    pub(crate) async fn post(
        &self,
        post: &Post<'_>,
        inputs: &Map<String, Value>,
    ) -> Result<Value, Failure> {
        let url = read_url(post.url)?;
        let place = place(&url);
        let body = serde_json::to_vec(inputs).expect("the keys of a map are texts");
        let sent = self.client(&url)?.post(url).headers(post.headers()?).body(body).send().await;
        // Shown without its URL, which may hold secrets.
        let lost = |error: reqwest::Error| {
            let error = describe(&error.without_url());
            failure::http(format!("POST {place} failed: {error}"), true)
        };
        let answer = sent.map_err(lost)?;
        let status = answer.status();
        let Body { bytes, is_whole } =
            read(answer, (!status.is_success()).then_some(post.redactor)).await.map_err(lost)?;
        if !status.is_success() {
            let tail = String::from_utf8_lossy(&bytes);
            let message = format!("POST {place} was answered with {status}: {}", tail.trim());
            return Err(failure::http(message, is_retryable(status)));
        }
        if !is_whole {
            let what = format!("the answer of {place} is over {ANSWER_MAX} bytes");
            return Err(failure::result(what));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(Map::new()));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| failure::result(format!("the answer of {place} is not JSON: {error}")))
    }

    fn client(&self, url: &Url) -> Result<&Client, Failure> {
        let is_secure = url.scheme() == "https";
        let kept = if is_secure { &self.secure } else { &self.plain };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        // Without one the library panics; one that was installed before stays.
        rustls::crypto::ring::default_provider().install_default().ok();
        let builder = Client::builder()
            // A POST that is sent on becomes a GET, and headers would go to strangers.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .tcp_keepalive(KEEPALIVE)
            .user_agent(concat!("kantoku/", env!("CARGO_PKG_VERSION")));
        let builder = if is_secure { builder } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(|error| failure::infrastructure(describe(&error)))?;
        Ok(kept.get_or_init(|| client))
    }
}

impl Post<'_> {
    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers {
            let wrong = || failure::start(format!("header {name:?} is not one that HTTP allows"));
            let key = HeaderName::try_from(name).map_err(|_| wrong())?;
            headers.insert(key, HeaderValue::try_from(value).map_err(|_| wrong())?);
        }
        let ours = [
            ("idempotency-key", format!("{}/{}", self.task_id, self.attempt)),
            ("kantoku-task-id", self.task_id.clone()),
            ("kantoku-attempt", self.attempt.to_string()),
            ("kantoku-fence", self.fence.to_string()),
        ];
        for (name, value) in ours {
            let value = HeaderValue::try_from(value).map_err(failure::infrastructure)?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }
}

fn read_url(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|error| failure::start(format!("the URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(failure::start(format!("the URL is neither http nor https: {}", url.scheme())));
    }
    Ok(url)
}

/// The URL without what may be secret: user, password and query.
fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// Whether the same request may succeed later.
fn is_retryable(status: StatusCode) -> bool {
    let passing =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || passing.contains(&status)
}

struct Body {
    bytes: Vec<u8>,
    is_whole: bool,
}

/// Reads the body of a success up to the limit, and of what is to be shown the end, without secrets.
async fn read(mut answer: Response, shown: Option<&Redactor>) -> Result<Body, reqwest::Error> {
    let mut redacted = shown.map(Redactor::stream);
    let mut bytes = Vec::new();
    let mut taken = 0;
    while let Some(chunk) = answer.chunk().await? {
        taken += chunk.len();
        if taken > ANSWER_MAX {
            return Ok(Body { bytes, is_whole: false });
        }
        match &mut redacted {
            None => bytes.extend_from_slice(&chunk),
            Some(redacted) => {
                bytes.extend_from_slice(redacted.push(&chunk));
                bytes.drain(..bytes.len().saturating_sub(TAIL_MAX));
            }
        }
    }
    if let Some(redacted) = &mut redacted {
        bytes.extend_from_slice(redacted.end());
    }
    Ok(Body { bytes, is_whole: true })
}

/// An error with its causes, which are where the reason is.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
