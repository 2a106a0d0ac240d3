//! Log files of the stand: their ends, and keeping them small.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DevError;

/// A log is moved aside to `….1` when it is larger, so a stand never holds more than twice this per log.
const LOG_BYTES_MAX: u64 = 32 << 20;
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// No more of a log's end than this is ever read at once.
const TAIL_BYTES_MAX: u64 = 64 << 10;

/// Opens a log to be appended to.
pub(super) fn open(path: &Path) -> Result<File, DevError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(DevError::file("open the log", path))
}

/// The last `lines` of what was logged from byte `from` on; empty when nothing can be read.
pub(super) fn tail(path: &Path, from: u64, lines: usize) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let start = from.max(file.metadata()?.len().saturating_sub(TAIL_BYTES_MAX));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// How long the log is now; 0 when there is none.
pub(super) fn len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Keeps logs small for ever.
pub(super) async fn keep_small(paths: &[PathBuf]) {
    loop {
        for path in paths {
            if let Err(error) = shrink(path, LOG_BYTES_MAX) {
                tracing::warn!(path = %path.display(), %error, "the log could not be moved aside");
            }
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whoever writes the log keeps the file open to append, so its content is moved and not the file. What is
/// logged between the two steps is lost.
fn shrink(path: &Path, bytes_max: u64) -> io::Result<()> {
    if len(path) <= bytes_max {
        return Ok(());
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".1");
    std::fs::copy(path, aside)?;
    OpenOptions::new().write(true).open(path)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn the_tail_begins_at_the_mark() {
        let dir = TempDir::new();
        let path = dir.path().join("log");
        let mut log = open(&path).unwrap();
        log.write_all(b"old\n").unwrap();
        let mark = len(&path);
        log.write_all(b"1\n2\n3\n").unwrap();
        assert_eq!(tail(&path, mark, 9), "1\n2\n3");
        assert_eq!(tail(&path, 0, 2), "2\n3");
        assert_eq!(tail(&dir.path().join("none"), 0, 2), "");
    }

    #[test]
    fn a_writer_goes_on_in_the_emptied_log() {
        let dir = TempDir::new();
        let path = dir.path().join("log");
        let mut log = open(&path).unwrap();
        log.write_all(b"0123456789").unwrap();
        shrink(&path, 10).unwrap();
        assert_eq!(len(&path), 10);
        shrink(&path, 9).unwrap();
        log.write_all(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(dir.path().join("log.1")).unwrap(), "0123456789");
    }
}
