//! `ktk dev status`.

use std::fmt::Write as _;

use serde::Serialize;

use super::args::StateArgs;
use super::endpoints::{Endpoints, Ready, without_password};
use super::process::ProcId;
use super::state::StateDir;
use super::{DevError, DevOutput, Server, print, supervisor};

/// The document of `ktk dev status -o json`.
#[derive(Serialize)]
struct Status {
    state: Phase,
    state_dir: String,
    pid: Option<u32>,
    endpoints: Option<Endpoints>,
    servers: Vec<ServerStatus>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Stopped,
    /// Starting, or draining.
    Changing,
    Running,
}

#[derive(Serialize)]
struct ServerStatus {
    name: &'static str,
    /// `null` while it is down, or when it is the user's own.
    pid: Option<u32>,
}

pub(super) fn status(args: &StateArgs, output: DevOutput) -> Result<(), DevError> {
    let status = Status::look(&args.dir()?);
    print(&match output {
        DevOutput::Json => serde_json::json!(status).to_string(),
        DevOutput::Text => status.summary(),
    })
}

impl Status {
    fn look(state: &StateDir) -> Self {
        let running_pid =
            |name| ProcId::read(&state.proc_id(name)).filter(ProcId::is_alive).map(|id| id.pid());
        let ready = Ready::of_running(state);
        let supervisor = supervisor::running(state);
        Self {
            state: match (&ready, &supervisor) {
                (Some(_), _) => Phase::Running,
                (None, Some(_)) => Phase::Changing,
                (None, None) => Phase::Stopped,
            },
            state_dir: state.root().display().to_string(),
            pid: supervisor.map(|id| id.pid()),
            endpoints: ready.map(|ready| ready.endpoints().clone()),
            servers: Server::ALL
                .map(|server| ServerStatus { name: server.name(), pid: running_pid(server.name()) })
                .into(),
        }
    }

    fn summary(&self) -> String {
        let head = match self.state {
            Phase::Stopped => "no stand is running; `ktk dev up` starts one",
            Phase::Changing => "the stand is starting or stopping; `ktk dev logs -f` shows how",
            Phase::Running => "the stand is running",
        };
        let mut text = head.to_owned();
        let mut line = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            write!(text, "\n  {name:<9} {value}").ok();
        };
        line("state", &self.state_dir);
        let Some(endpoints) = &self.endpoints else {
            return text;
        };
        let server = |url: &str, index: usize| {
            let pid = self.servers.get(index).and_then(|server| server.pid);
            let pid = pid.map_or_else(String::new, |pid| format!("  (pid {pid})"));
            format!("{}{pid}", without_password(url))
        };
        line("ktk", &self.pid.map_or_else(String::new, |pid| format!("pid {pid}")));
        line("api", &endpoints.api);
        line("metrics", &endpoints.metrics);
        line("nats", &server(&endpoints.nats, 0));
        line("postgres", &server(&endpoints.postgres, 1));
        text
    }
}
