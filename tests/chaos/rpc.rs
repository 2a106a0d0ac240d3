//! JSON-RPC by POST, one connection per call: what was never sent, refused and left unanswered are
//! told apart.

use std::{fmt, io, net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longer than the server itself tries.
const ANSWER_MAX: Duration = Duration::from_secs(40);

const UNKNOWN_OUTCOME: i64 = 1008;
const INTERNAL: i64 = -32603;

/// Why a call has no result.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// It may have been carried out.
    pub(crate) is_unknown: bool,
    /// The same call may do better later.
    pub(crate) is_retryable: bool,
    pub(crate) code: Option<i64>,
    pub(crate) message: String,
    pub(crate) reason: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?} {})", self.message, self.code, self.reason)
    }
}

impl Failed {
    fn never_sent(error: impl fmt::Display) -> Self {
        Self {
            is_unknown: false,
            is_retryable: true,
            code: None,
            message: error.to_string(),
            reason: "never_sent".into(),
        }
    }

    fn unanswered(error: impl fmt::Display) -> Self {
        Self { is_unknown: true, reason: "unanswered".into(), ..Self::never_sent(error) }
    }

    fn said(error: &Value) -> Self {
        let code = error["code"].as_i64();
        Self {
            is_unknown: matches!(code, Some(UNKNOWN_OUTCOME | INTERNAL)),
            is_retryable: error["data"]["retryable"].as_bool().unwrap_or(false),
            code,
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            reason: error["data"]["reason"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// Calls a method of the API on this port of the loopback.
pub(crate) async fn call(port: u16, method: &str, params: &Value) -> Result<Value, Failed> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let connect = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let stream = match timeout(CONNECT_MAX, connect).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Failed::never_sent(error)),
        Err(late) => return Err(Failed::never_sent(late)),
    };
    let head = format!(
        "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    match timeout(ANSWER_MAX, exchange(stream, &format!("{head}{body}"))).await {
        Ok(Ok((status, body))) => read(status, &body),
        Ok(Err(error)) => Err(Failed::unanswered(error)),
        Err(late) => Err(Failed::unanswered(late)),
    }
}

/// What a GET of `path` on this port says: status and body.
pub(crate) async fn get(port: u16, path: &str) -> io::Result<(u16, String)> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    timeout(CONNECT_MAX, exchange(stream, &head)).await?
}

async fn exchange(mut stream: TcpStream, request: &str) -> io::Result<(u16, String)> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let parts = || {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    };
    parts().ok_or_else(|| io::Error::other("the answer broke off"))
}

fn read(status: u16, body: &str) -> Result<Value, Failed> {
    match serde_json::from_str::<Value>(body) {
        Ok(answer) if answer.get("result").is_some() => Ok(answer["result"].clone()),
        Ok(answer) if answer.get("error").is_some() => Err(Failed::said(&answer["error"])),
        // The process is there, the API is not yet: nobody looked at the request.
        _ if status == 503 => Err(Failed::never_sent(body.trim())),
        _ => Err(Failed::unanswered(format!("status {status}: {body}"))),
    }
}
