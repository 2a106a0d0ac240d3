//! The three pipes of a process.

use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
};

use crate::redact::Stream;

/// What stdout may hold, in bytes.
pub(super) const STDOUT_MAX: usize = 64 * 1024 * 1024;
/// How much of the end of stderr is kept for the failure, in bytes.
pub(super) const TAIL_MAX: usize = 4 * 1024;
const CHUNK: usize = 16 * 1024;

/// The ends that are ours.
pub(super) struct Pipes {
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// What came out of them.
pub(super) struct Said {
    pub(super) stdout: Vec<u8>,
    stderr: Stderr,
}

/// What was written to stderr, without secrets.
struct Stderr {
    redacted: Stream,
    /// Its end.
    tail: Vec<u8>,
}

impl Pipes {
    /// Those of `child`, which was started with all three.
    pub(super) fn of(child: &mut Child) -> Option<Self> {
        Some(Self {
            stdin: child.stdin.take()?,
            stdout: child.stdout.take()?,
            stderr: child.stderr.take()?,
        })
    }

    /// Writes the inputs, and reads into `said` until both of the others are closed. May be
    /// dropped before: what was read until then is in `said`.
    pub(super) async fn pump(
        self,
        inputs: &Map<String, Value>,
        said: &mut Said,
        on_stderr: &mut (dyn FnMut(&[u8]) + Send),
    ) {
        let Self { mut stdin, stdout, stderr } = self;
        let document = serde_json::to_vec(inputs).expect("the keys of a map are texts");
        let feed = async move {
            // A process that does not read its inputs is no error.
            stdin.write_all(&document).await.ok();
        };
        let (output, said) = (&mut said.stdout, &mut said.stderr);
        let read = async move {
            // One byte more than allowed tells that it is too much.
            let mut limited = stdout.take(STDOUT_MAX as u64 + 1);
            while let Ok(1..) = limited.read_buf(output).await {}
        };
        tokio::join!(feed, read, follow(stderr, said, on_stderr));
    }
}

impl Said {
    /// Nothing yet; `redacted` keeps secrets out of what is written to stderr.
    pub(super) fn new(redacted: Stream) -> Self {
        Self { stdout: Vec::new(), stderr: Stderr { redacted, tail: Vec::new() } }
    }

    /// Nothing more comes: what was held back, as it might have become a secret, goes on.
    pub(super) fn end(&mut self, on_stderr: &mut (dyn FnMut(&[u8]) + Send)) {
        let Stderr { redacted, tail } = &mut self.stderr;
        pass(redacted.end(), tail, on_stderr);
    }

    /// The end of stderr as text.
    pub(super) fn tail(&self) -> String {
        String::from_utf8_lossy(&self.stderr.tail).into_owned()
    }
}

async fn follow(
    mut stderr: impl AsyncRead + Unpin,
    said: &mut Stderr,
    on_stderr: &mut (dyn FnMut(&[u8]) + Send),
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        pass(said.redacted.push(&chunk[..length]), &mut said.tail, on_stderr);
    }
}

fn pass(clear: &[u8], tail: &mut Vec<u8>, on_stderr: &mut (dyn FnMut(&[u8]) + Send)) {
    if clear.is_empty() {
        return;
    }
    on_stderr(clear);
    tail.extend_from_slice(clear);
    let surplus = tail.len().saturating_sub(TAIL_MAX);
    tail.drain(..surplus);
}
