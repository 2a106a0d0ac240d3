//! An export in a file: a header, a line for each event, a trailer.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use kantoku_api::contract::{ExportHeader, ExportTrailer};
use kantoku_streams::Line;

use crate::{
    audit::Chained,
    error::{CommandError, Exit},
};

/// Longer lines are none: the largest event is shorter.
const LINE_BYTES_MAX: u64 = 160 * 1024 * 1024;

/// What a line after the header is.
pub(crate) enum Part {
    /// An event, on the line of this number.
    Event(Line, u64),
    /// No JSON: why.
    Broken(String, u64),
}

/// Reads an export from its beginning to its end, line by line.
pub(crate) struct HistoryFile {
    lines: Lines,
    /// The first line.
    pub(crate) header: ExportHeader,
    /// Read ahead, as only the end tells which line is the last.
    next: Option<String>,
    trailer: Option<ExportTrailer>,
}

impl HistoryFile {
    /// Opens `path`, or stdin for `-`, and reads the header.
    pub(crate) fn open(path: &Path) -> Result<Self, CommandError> {
        let mut lines = Lines::open(path)?;
        let header = header(path, &lines.next()?.unwrap_or_default())?;
        let next = lines.next()?;
        Ok(Self { lines, header, next, trailer: None })
    }

    /// The next event; `None` at the end, when [`Self::trailer`] is known.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, CommandError> {
        let Some(text) = self.next.take() else { return Ok(None) };
        let number = self.lines.number;
        self.next = self.lines.next()?;
        if self.next.is_none()
            && let Ok(trailer) = serde_json::from_str::<ExportTrailer>(&text)
        {
            self.trailer = Some(trailer);
            return Ok(None);
        }
        Ok(Some(match Line::parse(text) {
            Ok(line) => Part::Event(line, number),
            Err(error) => Part::Broken(error.to_string(), number),
        }))
    }

    /// The next event, taken in by `chained`; what is broken before it goes to the findings.
    pub(crate) fn next_into(
        &mut self,
        chained: &mut Chained,
    ) -> Result<Option<Line>, CommandError> {
        while let Some(part) = self.next()? {
            match part {
                Part::Event(line, number) => {
                    chained.take(&line, &format!("line {number}"));
                    return Ok(Some(line));
                }
                Part::Broken(why, number) => {
                    let message = format!("line {number} is no JSON: {why}");
                    chained.findings.add_at("file", None, message);
                }
            }
        }
        Ok(None)
    }

    /// The last line, once all others were read; `None` when it is missing.
    pub(crate) fn trailer(&self) -> Option<&ExportTrailer> {
        self.trailer.as_ref()
    }

    /// How many bytes were read, and how many there are; 0 where that is not known.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.lines.bytes, self.lines.bytes_total)
    }
}

struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    bytes: u64,
    bytes_total: u64,
    /// Of the line that was read last, from 1 on.
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, CommandError> {
        let failed = |error: io::Error| unreadable(path, &error);
        let (reader, bytes_total): (Box<dyn BufRead + Send>, u64) = if path == Path::new("-") {
            (Box::new(BufReader::new(io::stdin())), 0)
        } else {
            let file = File::open(path).map_err(failed)?;
            let bytes_total = file.metadata().map_err(failed)?.len();
            (Box::new(BufReader::with_capacity(1024 * 1024, file)), bytes_total)
        };
        Ok(Self { path: path.to_owned(), reader, bytes: 0, bytes_total, number: 0 })
    }

    /// The next line without its newline.
    fn next(&mut self) -> Result<Option<String>, CommandError> {
        let mut text = String::new();
        let mut limited = (&mut self.reader).take(LINE_BYTES_MAX);
        let read = limited.read_line(&mut text).map_err(|error| unreadable(&self.path, &error))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if read as u64 == LINE_BYTES_MAX {
            let (path, number) = (self.path.display(), self.number);
            let text = format!("line {number} of {path} is too long to be an event");
            return Err(CommandError::new(Exit::Error, text));
        }
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(Some(text))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Error,
    };
    CommandError::new(exit, format!("cannot read {}: {error}", path.display()))
}

fn header(path: &Path, line: &str) -> Result<ExportHeader, CommandError> {
    let none = |why: String| {
        let text = format!("{} is no export of events: {why}", path.display());
        CommandError::new(Exit::Error, text).advise("ktk events export FILE")
    };
    let header: ExportHeader = serde_json::from_str(line)
        .map_err(|error| none(format!("its first line is no header: {error}")))?;
    if header.kantoku != ExportHeader::FORMAT {
        let (found, known) = (&header.kantoku, ExportHeader::FORMAT);
        return Err(none(format!("it is of the form {found:?}, and this program reads {known:?}")));
    }
    Ok(header)
}
