//! `ktk dev logs`.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{LogSource, LogsArgs};
use super::{DevError, logs, print};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// No more of a log is read at one look.
const CHUNK_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn show(args: &LogsArgs) -> Result<(), DevError> {
    let state = args.state.dir()?;
    let sources = match args.server {
        Some(source) => vec![source],
        None => vec![LogSource::Nats, LogSource::Postgres, LogSource::Ktk],
    };
    let mut followed: Vec<Followed> = sources
        .iter()
        .map(|source| {
            let prefix =
                if sources.len() > 1 { format!("{:<8} | ", source.name()) } else { String::new() };
            Followed::new(state.log(source.name()), prefix)
        })
        .collect();
    if !args.follow && followed.iter().all(|log| !log.path.exists()) {
        let root = state.root().display();
        let text = format!("there are no logs in {root}; `ktk dev up` starts a stand there");
        return Err(DevError::Usage(text));
    }
    for log in &followed {
        log.print(&logs::tail(&log.path, 0, args.tail))?;
    }
    if !args.follow {
        return Ok(());
    }
    loop {
        for log in &mut followed {
            let new = log.take().map_err(DevError::file("read", &log.path))?;
            log.print(&new)?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A log, and how far it has been shown.
struct Followed {
    path: PathBuf,
    prefix: String,
    position: u64,
}

impl Followed {
    fn new(path: PathBuf, prefix: String) -> Self {
        let position = logs::len(&path);
        Self { path, prefix, position }
    }

    fn print(&self, text: &str) -> Result<(), DevError> {
        text.lines().try_for_each(|line| print(&format!("{}{line}", self.prefix)))
    }

    /// The whole lines that are new. A log that has become shorter was emptied, and is read from its start.
    fn take(&mut self) -> io::Result<String> {
        let len = logs::len(&self.path);
        if len < self.position {
            self.position = 0;
        }
        if len == self.position {
            return Ok(String::new());
        }
        let chunk = read(&self.path, self.position)?;
        let whole = chunk.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        // A line longer than a chunk is shown in pieces.
        let end =
            if whole == 0 && chunk.len() as u64 == CHUNK_BYTES_MAX { chunk.len() } else { whole };
        self.position += end as u64;
        Ok(String::from_utf8_lossy(&chunk[..end]).into_owned())
    }
}

fn read(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut chunk = Vec::new();
    file.take(CHUNK_BYTES_MAX).read_to_end(&mut chunk)?;
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn only_whole_new_lines_are_shown_also_after_the_log_was_emptied() {
        let dir = TempDir::new();
        let path = dir.path().join("log");
        let mut log = logs::open(&path).unwrap();
        log.write_all(b"before\n").unwrap();
        let mut followed = Followed::new(path.clone(), String::new());
        log.write_all(b"one\ntw").unwrap();
        assert_eq!(followed.take().unwrap(), "one\n");
        assert_eq!(followed.take().unwrap(), "");
        log.write_all(b"o\n").unwrap();
        assert_eq!(followed.take().unwrap(), "two\n");
        log.set_len(0).unwrap();
        log.write_all(b"new\n").unwrap();
        assert_eq!(followed.take().unwrap(), "new\n");
    }
}
