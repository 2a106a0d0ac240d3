//! Text that fits: durations, ids, and lines cut to a width.

use std::{borrow::Cow, time::Duration};

use console::measure_text_width;
use kantoku_domain::Id;

/// A duration in at most six characters, e.g. `12 ms`, `3.1 s`, `2m05s`, `1h02m`, `3d04h`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The beginning of an id, long enough to be unique among some thousands. Drawn ids begin with the
/// time; derived ones are random throughout.
pub(crate) fn short_id(id: Id) -> String {
    const DRAWN: usize = 7;
    let length = if id.uuid().get_version_num() == DRAWN { 18 } else { 8 };
    id.to_string()[..length].to_owned()
}

/// The first line of a text that somebody else wrote, without what a terminal would obey.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    printable(text.trim_start().lines().next().unwrap_or_default().trim_end())
}

/// A line that somebody else wrote, without what a terminal would obey.
pub(crate) fn printable(line: &str) -> Cow<'_, str> {
    if line.contains(char::is_control) {
        Cow::Owned(line.chars().filter(|c| !c.is_control()).collect())
    } else {
        Cow::Borrowed(line)
    }
}

/// Cuts `text`, which has no colours, to `width` columns; an ellipsis says that it was cut.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    console::truncate_str(text, width, "…")
}

/// Cuts or fills `text` to exactly `width` columns.
pub(super) fn column(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let missing = width.saturating_sub(measure_text_width(&text));
    format!("{text}{:missing$}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let shown = [0, 12, 999, 1_000, 3_149, 59_999, 125_000, 3_720_000, 273_600_000]
            .map(|millis| duration(Duration::from_millis(millis)));
        let expected =
            ["0 ms", "12 ms", "999 ms", "1.0 s", "3.1 s", "59.9 s", "2m05s", "1h02m", "3d04h"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn columns_are_exact_whatever_is_in_them() {
        for text in ["", "short", "exactly ten", "a much longer text", "日本語のテキスト"] {
            assert_eq!(measure_text_width(&column(text, 10)), 10, "{text}");
        }
        assert_eq!(column("a much longer text", 10), "a much lo…");
    }

    #[test]
    fn a_foreign_text_cannot_command_the_terminal() {
        assert_eq!(one_line("\n  boom \x1b[2J\x07\r\nsecond"), "boom [2J");
    }
}
