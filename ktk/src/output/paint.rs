//! Colour, which only repeats what the text says.

use std::io::{self, IsTerminal as _};

/// Colours texts where they are looked at on a terminal and `NO_COLOR` is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// No colour, wherever it goes.
    pub(crate) const OFF: Self = Self { on: false };
    /// Colour wherever it goes.
    #[cfg(test)]
    pub(crate) const ON: Self = Self { on: true };

    /// For what is printed on stdout.
    pub(crate) fn stdout() -> Self {
        Self { on: io::stdout().is_terminal() && is_allowed() }
    }

    /// For what is printed on stderr.
    pub(crate) fn stderr() -> Self {
        Self { on: io::stderr().is_terminal() && is_allowed() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// See <https://no-color.org>.
fn is_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
