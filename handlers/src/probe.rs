//! Asks the probes that tasks wait for, apart from everything else: however long the answers take,
//! nothing else waits for them.

use std::{sync::OnceLock, time::Duration};

use futures::{StreamExt as _, stream};
use kantoku_domain::dependency::{HttpProbe, Probed};
use kantoku_streams::now;
use reqwest::{Client, redirect};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use crate::metric;

/// How many are asked at once.
const ASKED_MAX: usize = 64;
/// How many more wait for that. What comes on top is dropped: the scheduler asks again.
const WAITING_MAX: usize = 4_096;
/// A probe that takes longer has no answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Where to put questions.
pub(crate) struct Probes {
    questions: mpsc::Sender<HttpProbe>,
}

/// Where answers come. All ends when this is dropped.
pub(crate) struct Answers {
    answers: mpsc::Receiver<(HttpProbe, Probed)>,
    _asking: JoinSet<()>,
}

/// Begins to ask.
pub(crate) fn start() -> (Probes, Answers) {
    let (questions, asked) = mpsc::channel(WAITING_MAX);
    let (answered, answers) = mpsc::channel(ASKED_MAX);
    let mut asking = JoinSet::new();
    asking.spawn(ask_all(asked, answered));
    (Probes { questions }, Answers { answers, _asking: asking })
}

impl Probes {
    pub(crate) fn ask(&self, probe: &HttpProbe) {
        if self.questions.try_send(probe.clone()).is_err() {
            tracing::warn!(waiting = WAITING_MAX, "too many probes wait, one is asked later");
        }
    }
}

impl Answers {
    /// The next answer. Never returns when there is none. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> (HttpProbe, Probed) {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

async fn ask_all(questions: mpsc::Receiver<HttpProbe>, answers: mpsc::Sender<(HttpProbe, Probed)>) {
    let prober = Prober::default();
    let questions = stream::unfold(questions, async |mut questions| {
        questions.recv().await.map(|probe| (probe, questions))
    });
    let ask = async |probe: HttpProbe| {
        let start = Instant::now();
        let probed = prober.ask(&probe).await;
        metric::carried_out("probe", start.elapsed());
        // Nobody listens any more only when all this is about to be dropped.
        answers.send((probe, probed)).await.ok();
    };
    questions.for_each_concurrent(ASKED_MAX, ask).await;
}

/// The clients of all probes, each made with the first that needs it.
#[derive(Default)]
struct Prober {
    secure: OnceLock<Client>,
    /// Trusts no certificate, as it meets none: a machine need not have any to speak plain HTTP.
    plain: OnceLock<Client>,
}

impl Prober {
    /// Asks once. Only the status is looked at: the body is not read, and a redirection is an
    /// answer like any other.
    async fn ask(&self, probe: &HttpProbe) -> Probed {
        let status = match self.get(&probe.url).await {
            Ok(status) => Some(status),
            Err(error) => {
                // Without its URL, which may hold what is no log's business.
                let error = error.without_url();
                tracing::debug!(%error, "a probe had no answer");
                None
            }
        };
        Probed { status, at: now() }
    }

    async fn get(&self, url: &str) -> Result<u16, reqwest::Error> {
        Ok(self.client(url)?.get(url).send().await?.status().as_u16())
    }

    fn client(&self, url: &str) -> Result<&Client, reqwest::Error> {
        let is_secure = url.starts_with("https:");
        let kept = if is_secure { &self.secure } else { &self.plain };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        // Without one the library panics; one that was installed before stays.
        rustls::crypto::ring::default_provider().install_default().ok();
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_MAX)
            .user_agent(concat!("kantoku/", env!("CARGO_PKG_VERSION")));
        let builder = if is_secure { builder } else { builder.tls_certs_only([]) };
        let client = builder.build()?;
        Ok(kept.get_or_init(|| client))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    fn probe(url: &str) -> HttpProbe {
        serde_json::from_value(serde_json::json!({ "url": url })).expect("a probe")
    }

    async fn next(answers: &mut Answers) -> (HttpProbe, Probed) {
        timeout(Duration::from_secs(30), answers.next()).await.expect("within the deadline")
    }

    /// Answers each connection with `status`.
    async fn serve(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                assert_ne!(stream.read(&mut request).await.expect("a request"), 0);
                let answer =
                    format!("HTTP/1.1 {status}\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.expect("answered");
            }
        });
        url
    }

    #[tokio::test]
    async fn the_status_is_the_answer_and_silence_is_one_too() {
        let (probes, mut answers) = start();
        for (status, expected) in [("200 OK", 200), ("302 Found", 302), ("503 Busy", 503)] {
            let asked = probe(&serve(status).await);
            probes.ask(&asked);
            let (of, probed) = next(&mut answers).await;
            assert_eq!((of, probed.status), (asked, Some(expected)));
        }
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", closed.local_addr().expect("bound"));
        drop(closed);
        probes.ask(&probe(&url));
        assert_eq!(next(&mut answers).await.1.status, None);
    }

    #[tokio::test]
    async fn those_that_hang_hold_up_no_other() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let silent = format!("http://{}/", silent.local_addr().expect("bound"));
        let (probes, mut answers) = start();
        for _ in 0..ASKED_MAX / 2 {
            probes.ask(&probe(&silent));
        }
        let quick = probe(&serve("200 OK").await);
        probes.ask(&quick);
        assert_eq!(next(&mut answers).await.0, quick);
    }
}
