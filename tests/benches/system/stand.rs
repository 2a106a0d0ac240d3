//! A private stand, started with the `ktk` binary of the same build.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use kantoku_api::Client;
use serde_json::Value;
use uuid::Uuid;

pub(crate) struct Stand {
    dir: PathBuf,
    api_url: String,
}

impl Stand {
    pub(crate) fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("ktk-bench-{}", Uuid::new_v4()));
        let output = ktk(&dir, &["up", "--detach", "-o", "json"])
            .stderr(Stdio::inherit())
            .output()
            .expect("ktk runs");
        assert!(output.status.success(), "the stand does not start: {}", output.status);
        let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        let api_url = document["endpoints"]["api"].as_str().expect("the API's URL").to_owned();
        Self { dir, api_url }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.api_url, Duration::from_secs(120)).await.expect("the API answers")
    }

    pub(crate) fn stop(self) {
        let status = ktk(&self.dir, &["down"]).status().expect("ktk runs");
        assert!(status.success(), "the stand does not stop: {status}");
        std::fs::remove_dir_all(&self.dir).expect("removed");
    }
}

fn ktk(dir: &Path, arguments: &[&str]) -> Command {
    let bench = std::env::current_exe().expect("a bench runs");
    let program = bench.ancestors().nth(2).expect("target directory").join("ktk");
    assert!(program.exists(), "{} is missing: use `make bench`", program.display());
    let mut command = Command::new(program);
    command.arg("dev").args(arguments).arg("--state-dir").arg(dir);
    command
}
