//! A tap on the wire to a nats-server: what a client publishes, message by message.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// Passes on what clients send, and counts the messages by the beginning of their subjects.
#[derive(Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<BTreeMap<&'static str, usize>>>);

/// The beginnings of subjects that are told apart, the first that fits counts.
const KINDS: [(&str, &str); 7] = [
    ("evt.", "append"),
    ("ready.", "append"),
    ("$JS.ACK.", "ack"),
    ("$JS.API.CONSUMER.MSG.NEXT.", "pull"),
    ("beat.", "beat"),
    ("log.", "log"),
    ("", "request"),
];

impl Tap {
    /// A tap before the server at `url`, and the URL by which to go through it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let (head, address) = url
            .rsplit_once('@')
            .map_or_else(
                || url.split_once("://").map(|(scheme, rest)| (format!("{scheme}://"), rest)),
                |(head, rest)| Some((format!("{head}@"), rest)),
            )
            .expect("a URL");
        let (tap, address) = (Self::default(), address.to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let this = tap.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Gone at the end of a test: then the client is turned away.
                if let Ok(server) = TcpStream::connect(&address).await {
                    tokio::spawn(this.clone().pass(client, server));
                }
            }
        });
        (tap, format!("{head}127.0.0.1:{port}"))
    }

    /// What was published since the last call.
    pub(crate) fn take(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.0.lock().expect("whole"))
    }

    async fn pass(self, client: TcpStream, server: TcpStream) {
        let (from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let down = async {
            tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        };
        let up = async {
            let mut from_client = BufReader::new(from_client);
            let mut piece = Vec::new();
            while let Ok(1..) = from_client.read_until(b'\n', &mut piece).await {
                let line = String::from_utf8_lossy(&piece).into_owned();
                let mut words = line.split_ascii_whitespace();
                if matches!(words.next(), Some("PUB" | "HPUB")) {
                    self.count(words.next().expect("a subject"));
                    let length: usize = words.last().expect("a length").parse().expect("a number");
                    // With the line break at its end.
                    let start = piece.len();
                    piece.resize(start + length + 2, 0);
                    if from_client.read_exact(&mut piece[start..]).await.is_err() {
                        return;
                    }
                }
                if to_server.write_all(&piece).await.is_err() {
                    return;
                }
                piece.clear();
            }
        };
        tokio::select! {
            () = down => {}
            () = up => {}
        }
    }

    fn count(&self, subject: &str) {
        let kind = KINDS.iter().find(|(head, _)| subject.starts_with(head));
        let (_, kind) = kind.expect("the last fits all");
        *self.0.lock().expect("whole").entry(*kind).or_default() += 1;
    }
}
