//! The user's editor.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use crate::error::{CommandError, Exit};

/// Where its name may stand, in this order.
const VARIABLES: [&str; 3] = ["KTK_EDITOR", "VISUAL", "EDITOR"];

/// A command as a shell reads it, which opens the file that is named behind it.
pub(super) struct Editor(String);

impl Editor {
    pub(super) fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|command| !command.trim().is_empty());
        Self(VARIABLES.into_iter().find_map(set).unwrap_or_else(|| "vi".to_owned()))
    }

    /// Returns when the user is done with it.
    pub(super) async fn open(&self, path: &Path) -> Result<(), CommandError> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{} \"$1\"", self.0)).arg("sh").arg(path);
        // The terminal is the editor's, and stdout is for data.
        let status = shell.stdin(Stdio::inherit()).stdout(std::io::stderr()).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(&status.to_string())),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    fn failed(&self, how: &str) -> CommandError {
        let message = format!("nothing was applied: the editor {:?} ended with {how}", self.0);
        CommandError::new(Exit::Error, message).advise("KTK_EDITOR=… names another")
    }
}
