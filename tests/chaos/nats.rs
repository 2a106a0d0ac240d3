//! The few words of NATS' own protocol that faults and their judge need: apart from the client
//! whose use is put to the test.

use std::{io, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};
use uuid::Uuid;

const ANSWER_MAX: Duration = Duration::from_secs(5);
const PAYLOAD_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(crate) const EVENTS: &str = "KTK_EVENTS";
pub(crate) const DEAD: &str = "KTK_DEAD";

/// One connection, one request at a time.
pub(crate) struct Nats {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    sid: u64,
}

/// A message as it came.
pub(crate) struct Message {
    /// Raw, with the version line.
    pub(crate) headers: String,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    pub(crate) fn json(&self) -> io::Result<Value> {
        serde_json::from_slice(&self.payload).map_err(io::Error::other)
    }
}

/// `nats://user:password@host:port` taken apart.
fn address(url: &str) -> io::Result<(&str, &str, &str)> {
    let parts = || {
        let (login, address) = url.strip_prefix("nats://")?.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        Some((user, password, address))
    };
    parts().ok_or_else(|| io::Error::other("the URL of NATS has no user, password or address"))
}

impl Nats {
    pub(crate) async fn connect(url: &str) -> io::Result<Self> {
        let (user, password, address) = address(url)?;
        let login = json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true,
            "user": user, "pass": password, "name": "chaos", "lang": "text", "version": "1",
        });
        let connect = async {
            let (read, write) = TcpStream::connect(address).await?.into_split();
            let mut nats = Self { read: BufReader::new(read), write, sid: 0 };
            nats.line().await?;
            nats.write.write_all(format!("CONNECT {login}\r\nPING\r\n").as_bytes()).await?;
            loop {
                let line = nats.line().await?;
                if line.starts_with("PONG") {
                    return Ok(nats);
                }
                if line.starts_with("-ERR") {
                    return Err(io::Error::other(line));
                }
            }
        };
        timeout(ANSWER_MAX, connect).await?
    }

    /// Publishes with headers and waits for the one answer.
    pub(crate) async fn request(
        &mut self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) -> io::Result<Message> {
        self.sid += 1;
        let (sid, inbox) = (self.sid, format!("_INBOX.{}", Uuid::new_v4().simple()));
        let mut head = String::from("NATS/1.0\r\n");
        for (name, value) in headers {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        }
        head.push_str("\r\n");
        let total = head.len() + payload.len();
        let command = format!(
            "SUB {inbox} {sid}\r\nUNSUB {sid} 1\r\nHPUB {subject} {inbox} {} {total}\r\n{head}",
            head.len()
        );
        let exchange = async {
            self.write.write_all(command.as_bytes()).await?;
            self.write.write_all(payload).await?;
            self.write.write_all(b"\r\n").await?;
            self.answer(sid).await
        };
        timeout(ANSWER_MAX, exchange).await?
    }

    /// Asks the API of `JetStream`; its refusal is an error.
    pub(crate) async fn api(&mut self, method: &str, payload: &Value) -> io::Result<Value> {
        let payload = if payload.is_null() { String::new() } else { payload.to_string() };
        let answer = self.request(&format!("$JS.API.{method}"), &[], payload.as_bytes()).await?;
        let answer = answer.json()?;
        match answer.get("error") {
            Some(error) => Err(io::Error::other(format!("{method}: {error}"))),
            None => Ok(answer),
        }
    }

    /// The last position of a stream.
    pub(crate) async fn last_seq(&mut self, stream: &str) -> io::Result<u64> {
        let info = self.api(&format!("STREAM.INFO.{stream}"), &Value::Null).await?;
        info["state"]["last_seq"].as_u64().ok_or_else(|| io::Error::other("no last position"))
    }

    /// The durables on a stream.
    pub(crate) async fn consumers(&mut self, stream: &str) -> io::Result<Vec<String>> {
        let page = self.api(&format!("CONSUMER.NAMES.{stream}"), &json!({"offset": 0})).await?;
        let names = page["consumers"].as_array().into_iter().flatten();
        Ok(names.filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// The message at a position; `None` when there is none.
    pub(crate) async fn at(&mut self, stream: &str, seq: u64) -> io::Result<Option<Message>> {
        let payload = json!({"seq": seq}).to_string();
        let subject = format!("$JS.API.DIRECT.GET.{stream}");
        let message = self.request(&subject, &[], payload.as_bytes()).await?;
        let is_missing = message.headers.starts_with("NATS/1.0 404");
        Ok((!is_missing).then_some(message))
    }

    async fn answer(&mut self, sid: u64) -> io::Result<Message> {
        loop {
            let line = self.line().await?;
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let number = |word: &&str| word.parse::<usize>().map_err(io::Error::other);
            let (of, head, total) = match words[..] {
                ["PING"] => {
                    self.write.write_all(b"PONG\r\n").await?;
                    continue;
                }
                ["MSG", _, of, total] => (of.to_owned(), 0, number(&total)?),
                ["HMSG", _, of, head, total] => (of.to_owned(), number(&head)?, number(&total)?),
                ["-ERR", ..] => return Err(io::Error::other(line)),
                _ => continue,
            };
            if total > PAYLOAD_BYTES_MAX {
                return Err(io::Error::other(format!("a message of {total} bytes")));
            }
            let mut bytes = vec![0; total + 2];
            self.read.read_exact(&mut bytes).await?;
            if of == sid.to_string() {
                let headers = String::from_utf8_lossy(&bytes[..head]).into_owned();
                return Ok(Message { headers, payload: bytes[head..total].to_vec() });
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.read.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }
}
