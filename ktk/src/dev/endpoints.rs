//! Where a running stand is reached.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::process::ProcId;
use super::state::{StateDir, read_json, write_json};
use super::{DevError, DevOutput, state};

/// The URLs of a running stand. Those of NATS and Postgres hold passwords: print them only where they are
/// asked for, and never log them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Endpoints {
    /// The root of the API.
    pub api: String,
    /// The user interface, if this stand has one.
    pub ui: Option<String>,
    /// NATS, with user and password.
    pub nats: String,
    /// The database, with user and password.
    pub postgres: String,
    /// Metrics in Prometheus' format.
    pub metrics: String,
}

/// The endpoints of the stand in a state directory; `None` unless it is running and ready.
pub fn endpoints(state_dir: &Path) -> Option<Endpoints> {
    let state = StateDir::at(state_dir).ok()?;
    Some(Ready::of_running(&state)?.endpoints)
}

/// Written by a supervisor once its stand is ready.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Ready {
    supervisor: ProcId,
    endpoints: Endpoints,
}

impl Ready {
    /// Publishes that the stand of this process is ready.
    pub(super) fn publish(state: &StateDir, endpoints: Endpoints) -> Result<Self, DevError> {
        let supervisor = ProcId::of(std::process::id()).ok_or_else(|| {
            DevError::Unreachable(
                "/proc is not mounted here, so a stand cannot be supervised".into(),
            )
        })?;
        let ready = Self { supervisor, endpoints };
        write_json(&state.ready(), &ready)?;
        Ok(ready)
    }

    /// What the supervisor published, if exactly that process still runs.
    pub(super) fn of_running(state: &StateDir) -> Option<Self> {
        let ready: Self = read_json(&state.ready()).ok()??;
        ready.supervisor.is_alive().then_some(ready)
    }

    pub(super) fn pid(&self) -> u32 {
        self.supervisor.pid()
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What `ktk dev up` prints on stdout.
    pub(super) fn render(&self, state: &StateDir, output: DevOutput) -> String {
        match output {
            DevOutput::Json => self.document().to_string(),
            DevOutput::Text => self.summary(state),
        }
    }

    fn document(&self) -> serde_json::Value {
        serde_json::json!({ "endpoints": self.endpoints, "pid": self.pid() })
    }

    fn summary(&self, state: &StateDir) -> String {
        let Endpoints { api, ui, nats, postgres, metrics } = &self.endpoints;
        let mut text = format!("Kantoku is up (pid {})\n", self.pid());
        let mut line = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            writeln!(text, "  {name:<9} {value}").ok();
        };
        line("api", api);
        if let Some(ui) = ui {
            line("ui", ui);
        }
        line("metrics", metrics);
        line("nats", &without_password(nats));
        line("postgres", &without_password(postgres));
        line("state", &state.root().display().to_string());
        let down = if state.root() == state::default_state_dir() {
            "ktk dev down".to_owned()
        } else {
            format!("ktk dev down --state-dir '{}'", state.root().display())
        };
        write!(text, "Passwords: -o json.  Stop it: {down}").ok();
        text
    }
}

/// A URL fit for human eyes.
pub(super) fn without_password(url: &str) -> String {
    let masked = || {
        let (scheme, rest) = url.split_once("://")?;
        let (user_info, host) = rest.rsplit_once('@')?;
        let (user, _) = user_info.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{host}"))
    };
    masked().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::TempDir;
    use super::*;

    fn sample() -> Endpoints {
        Endpoints {
            api: "http://127.0.0.1:7300".into(),
            ui: None,
            nats: "nats://ktk:s3cret@127.0.0.1:12345".into(),
            postgres: "postgres://ktk:s3cret@127.0.0.1:12346/kantoku".into(),
            metrics: "http://127.0.0.1:7300/metrics".into(),
        }
    }

    #[test]
    fn a_stand_is_found_as_long_as_its_process_runs() {
        let dir = TempDir::new();
        let state = StateDir::at(dir.path()).unwrap();
        state.create().unwrap();
        assert!(endpoints(dir.path()).is_none());
        let ready = Ready::publish(&state, sample()).unwrap();
        assert_eq!(endpoints(dir.path()).unwrap().api, "http://127.0.0.1:7300");
        assert_eq!(ready.document()["pid"], std::process::id());

        let mut other = serde_json::to_value(&ready).unwrap();
        other["supervisor"]["boot_id"] = "an earlier boot".into();
        write_json(&state.ready(), &other).unwrap();
        assert!(endpoints(dir.path()).is_none());
    }

    #[test]
    fn the_summary_shows_no_password() {
        let dir = TempDir::new();
        let state = StateDir::at(dir.path()).unwrap();
        state.create().unwrap();
        let text = Ready::publish(&state, sample()).unwrap().render(&state, DevOutput::Text);
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("nats://ktk:***@127.0.0.1:12345"), "{text}");
    }
}
