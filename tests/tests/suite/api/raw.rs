//! HTTP as it stands on the wire, one request per connection.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = headers.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub(crate) fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().expect("an error with a code")
    }
}

/// POSTs a body to `/rpc` as JSON.
pub(crate) async fn post(address: SocketAddr, body: &str) -> Answer {
    let headers = format!("Host: {address}\r\nContent-Type: application/json");
    send(address, "POST", &headers, body).await
}

/// Sends a request to `/rpc` with these headers.
pub(crate) async fn send(address: SocketAddr, method: &str, headers: &str, body: &str) -> Answer {
    send_to(address, &format!("{method} /rpc"), headers, body).await
}

/// Sends a request with these headers; `to` is a method and a path.
pub(crate) async fn send_to(address: SocketAddr, to: &str, headers: &str, body: &str) -> Answer {
    let head = format!(
        "{to} HTTP/1.1\r\n{headers}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    exchange(address, &[&head, body]).await
}

/// Sends these texts, and reads the answer.
pub(crate) async fn exchange(address: SocketAddr, texts: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for text in texts {
        stream.write_all(text.as_bytes()).await.expect("sent");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("received");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (head, body) = (head.to_owned(), body.to_owned());
    Answer { status: status.expect("a status"), head, body }
}
