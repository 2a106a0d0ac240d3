//! What passes between the pool and a worker: byte strings, each after its length (u32, big
//! endian).
//!
//! The pool sends [`Limits`](crate::Limits) as JSON, and an empty frame answers it: the worker is
//! ready. Then for each run the pool sends two frames, the source and the scope as JSON, and the
//! worker one, a [`Reply`] as JSON.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::ScriptError;

/// Bytes of a frame's length.
pub(crate) const HEAD_BYTES: usize = 4;

/// Bytes that a [`Reply`] may take without a value.
pub(crate) const REPLY_SPARE_BYTES: usize = 16 * 1024;

/// Bytes of a [`Reply`] around a value: `{"value":}`.
pub(crate) const REPLY_VALUE_BYTES: usize = 10;

/// What came of a run.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply<V> {
    Value(V),
    Error(ScriptError),
}

/// Appends `payload` to `frames` as one frame.
pub(crate) fn push(frames: &mut Vec<u8>, payload: &[u8]) {
    frames.extend_from_slice(&head(payload.len()));
    frames.extend_from_slice(payload);
}

/// Appends `value` to `frames` as one frame of JSON.
///
/// # Errors
/// Of kind io when the JSON would be longer than `bytes_max`; `frames` is unusable then.
pub(crate) fn push_json(
    frames: &mut Vec<u8>,
    value: &impl Serialize,
    bytes_max: usize,
) -> Result<(), serde_json::Error> {
    let start = frames.len() + HEAD_BYTES;
    frames.extend_from_slice(&[0; HEAD_BYTES]);
    let mut bounded = Bounded { len_max: start.saturating_add(bytes_max), bytes: frames };
    serde_json::to_writer(&mut bounded, value)?;
    let length = head(frames.len() - start);
    frames[start - HEAD_BYTES..start].copy_from_slice(&length);
    Ok(())
}

/// The length that a frame's head announces.
///
/// # Errors
/// When it is more than `bytes_max`, before anything is allocated for it.
pub(crate) fn length(head: [u8; HEAD_BYTES], bytes_max: usize) -> io::Result<usize> {
    let length = u32::from_be_bytes(head) as usize;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes, of at most {bytes_max}"),
        ));
    }
    Ok(length)
}

/// Reads one frame.
pub(crate) fn read(from: &mut impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut head = [0; HEAD_BYTES];
    from.read_exact(&mut head)?;
    let mut payload = vec![0; length(head, bytes_max)?];
    from.read_exact(&mut payload)?;
    Ok(payload)
}

fn head(length: usize) -> [u8; HEAD_BYTES] {
    u32::try_from(length).expect("frames are bounded by limits, far below 4 GiB").to_be_bytes()
}

/// A writer that stops at a length, so that too large a value is never built.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    len_max: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.len_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_read() {
        let mut frames = Vec::new();
        push(&mut frames, b"raw");
        push_json(&mut frames, &[1, 2], 5).unwrap();
        let mut from = frames.as_slice();
        assert_eq!(read(&mut from, 3).unwrap(), b"raw");
        assert_eq!(read(&mut from, 5).unwrap(), b"[1,2]");
        assert_eq!(read(&mut from, 5).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_frame_is_bounded_on_both_sides() {
        assert!(push_json(&mut Vec::new(), &[1, 2], 4).unwrap_err().is_io());
        let announced = u32::MAX.to_be_bytes();
        let error = read(&mut announced.as_slice(), 1024).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_reply_takes_as_much_around_its_value_as_it_says() {
        let reply = serde_json::to_string(&Reply::Value(1)).unwrap();
        assert_eq!(reply.len(), REPLY_VALUE_BYTES + 1);
    }
}
