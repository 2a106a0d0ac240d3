//! Hands histories to `check_history.py`, which knows nothing of our code.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use kantoku_domain::Id;
use kantoku_streams::Bus;
use serde_json::{Value, json};
use uuid::Uuid;

/// An export of all events, as `ktk events export` writes it. Removed with this.
pub(crate) struct Export {
    path: PathBuf,
}

/// What was said, and the exit code.
pub(crate) struct Verdict {
    pub(crate) code: i32,
    pub(crate) said: String,
}

impl Export {
    /// Everything that the stream holds by now.
    pub(crate) async fn of(bus: &Bus) -> Self {
        let mut lines = vec![json!({"export": "kantoku/v1"})];
        let mut replay = bus.replay(1).await.expect("the stream answers");
        while let Some(page) = replay.next_page().await.expect("a page") {
            for event in page {
                let event = event.expect("an event");
                lines.push(serde_json::to_value(event).expect("JSON"));
            }
        }
        Self::write(&lines)
    }

    fn write(lines: &[Value]) -> Self {
        let path = std::env::temp_dir().join(format!("ktk-history-{}.jsonl", Uuid::new_v4()));
        let mut file = BufWriter::new(File::create(&path).expect("created"));
        for line in lines {
            writeln!(file, "{line}").expect("written");
        }
        file.flush().expect("written");
        Self { path }
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.path).expect("readable");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub(crate) fn judge(&self, arguments: &[&str]) -> Verdict {
        let path = self.path.to_str().expect("UTF-8");
        check_history(&[&[path], arguments].concat())
    }

    /// Every task of the context ended ok, and nothing contradicts that it rightly did.
    #[track_caller]
    pub(crate) fn assert_ok(&self, context_id: Id, tasks: usize) {
        let (context, tasks) = (context_id.to_string(), tasks.to_string());
        let verdict = self.judge(&["--context", &context, "--expect-tasks", &tasks, "--expect-ok"]);
        assert_eq!(verdict.code, 0, "{}", verdict.said);
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's temporary directory.
        std::fs::remove_file(&self.path).ok();
    }
}

fn check_history(arguments: &[&str]) -> Verdict {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("check_history.py");
    let output = Command::new("python3")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .args(arguments)
        .output();
    let output = output.expect("python3 runs");
    let said = [output.stdout, output.stderr].concat();
    Verdict {
        code: output.status.code().expect("not killed"),
        said: String::from_utf8(said).expect("UTF-8"),
    }
}

/// Proves that `export`, which is sound, is found wanting without any one event of `context_id`.
pub(crate) fn assert_no_event_can_be_missed(export: &Export, context_id: Id) {
    let lines = export.lines();
    let context = context_id.to_string();
    let of_context = |line: &Value| line["metadata"]["correlation_id"] == context.as_str();
    // One that was announced twice is claimed once: nothing needs the other announcement.
    let claimed: HashSet<_> =
        lines.iter().filter_map(|l| l["data"]["ready_seq"].as_u64()).collect();
    let is_needed = |line: &Value| {
        line["type"] != "TaskReady"
            || line["stream_seq"].as_u64().is_some_and(|seq| claimed.contains(&seq))
    };
    let places = (0..lines.len()).filter(|p| of_context(&lines[*p]) && is_needed(&lines[*p]));
    let places: Vec<_> = places.collect();
    assert!(places.len() > 10, "{} events", places.len());
    for place in places {
        let mut rest = lines.clone();
        let event = rest.remove(place);
        let verdict = Export::write(&rest).judge(&["--context", &context]);
        assert_eq!(verdict.code, 7, "without {event}:\n{}", verdict.said);
    }
}

#[test]
fn the_judge_passes_what_is_sound_and_finds_every_tampering() {
    let verdict = check_history(&["--self-test"]);
    assert_eq!(verdict.code, 0, "{}", verdict.said);
    let unreadable = check_history(&["/no/such/file"]);
    assert_eq!(unreadable.code, 1, "{}", unreadable.said);
}

#[test]
fn the_checker_finds_whatever_breaks_a_rule() {
    let output = Command::new("python3")
        .args(["-m", "unittest", "discover", "--start-directory", "checker/tests"])
        .args(["--top-level-directory", "."])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("OK"), "{said}");
}
