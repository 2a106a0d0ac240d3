//! What `ktk` does without a server: usage, bad manifests, and that nobody is there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use assert_cmd::assert::OutputAssertExt as _;

/// Where nobody listens: port 1 is never given out.
const NOBODY: &str = "http://127.0.0.1:1";
const SPECIFICATION: &str = "\
apiVersion: kantoku/v1
kind: Specification
metadata: {name: a}
spec: {executable: {type: noop}}
";

/// A command in an empty home, so that nothing of this machine's user is read or written.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ktk-offline-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn ktk(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ktk"));
        command.args(args).current_dir(&self.0).env("HOME", &self.0).env("KTK_API_URL", NOBODY);
        command.env("KTK_STATE_DIR", self.0.join("stand")).env("XDG_STATE_HOME", &self.0);
        command.stdin(Stdio::null());
        command
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Stdout and stderr of a command that ends with `code`.
#[track_caller]
fn ended(mut command: Command, code: i32) -> (String, String) {
    let output = command.assert().code(code).get_output().clone();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let home = Home::new();
    for args in [
        &["frobnicate"][..],
        &["get"],
        &["get", "taks"],
        &["get", "tasks", "-l", "team"],
        &["get", "tasks", "--timeout", "soon"],
        &["get", "pipelines", "--status", "ok"],
        &["get", "pipeline", "a b"],
        &["get", "pipeline", "a@first"],
        &["get", "task", "@first"],
        &["run"],
        &["run", "task/1"],
        &["run", "pipeline/a", "-p", "x"],
        &["run", "pipeline/a", "-p", "x:=[1"],
        &["run", "pipeline/a", "-p", "x=1", "-p", "x=2"],
        &["run", "pipeline/a", "--wait", "--watch"],
        &["spawn", "pipeline/a"],
        &["spawn", "a", "-r", "x=1"],
        &["wait", "pipeline/a"],
        &["cancel", "spec/a"],
        &["describe", "task"],
        &["apply"],
        &["get", "tasks", "-n", "a", "-A"],
        &["get", "pipelines", "-A"],
        &["describe", "task", "1", "-A"],
        &["cancel", "task/1", "-l", "team=search"],
        &["restart"],
        &["restart", "pipeline/a"],
        &["restart", "task/1", "--only-failed"],
        &["restart", "context/1", "--from", "a", "--only-failed"],
        &["restart", "context/1", "--outputs", "recycle"],
        &["restart", "context/1", "--version", "newest"],
        &["restart", "context/1", "--dry-run", "--wait"],
        &["pause", "pipeline/a"],
        &["resume", "type/a"],
        &["approve", "task/1"],
        &["approve", "spec/a", "go"],
        &["attempts", "context/1"],
        &["tree", "1", "--by", "luck"],
        &["wait", "task/1", "--for", "status=soon"],
        &["wait", "context/1", "--for", "status=ready"],
        &["delete", "pipeline/a"],
        &["delete", "policy/a@2"],
        &["delete", "a"],
    ] {
        let (stdout, stderr) = ended(home.ktk(args), 2);
        assert_eq!(stdout, "", "{args:?}");
        assert!(!stderr.is_empty(), "{args:?}");
    }
    let (_, stderr) = ended(home.ktk(&["get", "taks"]), 2);
    assert!(stderr.contains("did you mean \"task\"?"), "{stderr}");
}

#[test]
fn every_command_has_examples() {
    let home = Home::new();
    let (help, _) = ended(home.ktk(&["--help"]), 0);
    let commands = help.split("Commands:").nth(1).unwrap();
    let names: Vec<&str> = commands
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // What is indented more goes on with the line before.
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.contains(&"apply") && names.contains(&"run"), "{names:?}");
    for name in names {
        let (help, _) = ended(home.ktk(&[name, "--help"]), 0);
        assert!(help.contains("Example"), "ktk {name} --help");
    }
    assert!(help.contains("8 unreachable"), "{help}");
}

#[test]
fn a_server_that_is_not_there_ends_with_8_and_advice() {
    let home = Home::new();
    home.file("a.yaml", SPECIFICATION);
    for args in [
        &["get", "tasks"][..],
        &["version"],
        &["apply", "-f", "a.yaml"],
        &["run", "pipeline/a", "--wait"],
        &["describe", "task", "1"],
        &["wait", "task/1"],
        &["cancel", "task/1"],
        &["get", "tasks", "-w"],
        &["get", "policies"],
        &["restart", "task/1"],
        &["restart", "context/1/step"],
        &["pause", "namespace/a"],
        &["resume", "spec/a"],
        &["approve", "1/step", "go"],
        &["attempts", "1"],
        &["delete", "policy", "a"],
    ] {
        let (stdout, stderr) = ended(home.ktk(args), 8);
        assert_eq!(stdout, "", "{args:?}");
        assert!(stderr.contains(NOBODY) && stderr.contains("ktk dev up"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_server_that_never_answers_ends_with_8_within_the_timeout() {
    let home = Home::new();
    // It accepts connections, as the kernel does that for it, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let begun = Instant::now();
    let mut command = home.ktk(&["get", "tasks", "--timeout", "300ms"]);
    command.env("KTK_API_URL", &url);
    let (_, stderr) = ended(command, 8);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(stderr.contains("no answer within 300ms"), "{stderr}");
}

#[test]
fn the_flag_goes_before_the_environment() {
    let home = Home::new();
    let other = "http://127.0.0.1:2";
    let (_, stderr) = ended(home.ktk(&["get", "tasks", "--api-url", other]), 8);
    assert!(stderr.contains(other), "{stderr}");
    let (_, stderr) =
        ended(home.ktk(&["get", "tasks", "--api-url", "http://me:s3cret@127.0.0.1:1"]), 8);
    assert!(!stderr.contains("s3cret"), "{stderr}");
}

#[test]
fn bad_yaml_is_refused_with_its_place_before_any_server_is_asked() {
    let home = Home::new();
    home.file("good.yaml", SPECIFICATION);
    home.file("bad.yaml", "apiVersion: kantoku/v1\nkind: Type\n\tmetadata: {name: a}\n");
    let (stdout, stderr) = ended(home.ktk(&["apply", "-f", "good.yaml", "-f", "bad.yaml"]), 4);
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("bad.yaml:3:1: "), "{stderr}");
    assert!(stderr.contains("indent with spaces"), "{stderr}");
    assert!(stderr.contains("3 |  metadata: {name: a}\n  | ^"), "{stderr}");
    assert!(stderr.contains("nothing was applied"), "{stderr}");

    home.file("twice.yaml", "a: 1\nb: 2\na: 3\n1: 4\n");
    let (stdout, _) = ended(home.ktk(&["validate", "-f", "twice.yaml", "-o", "json"]), 4);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let places: Vec<_> = report["problems"].as_array().unwrap().iter().collect();
    assert_eq!(places.len(), 2, "{report}");
    assert_eq!((&places[0]["line"], &places[0]["column"]), (&3.into(), &1.into()));
    assert_eq!(places[0]["file"], "twice.yaml");
}

#[test]
fn a_plan_that_cannot_be_read_is_refused_before_any_server_is_asked() {
    let home = Home::new();
    let restart = ["restart", "context/1", "--plan", "plan.json"];
    let (_, stderr) = ended(home.ktk(&restart), 1);
    assert!(stderr.contains("cannot read plan.json"), "{stderr}");
    for text in ["", "{}", "{\"plan\": 3}", "plan: yaml"] {
        home.file("plan.json", text);
        let (stdout, stderr) = ended(home.ktk(&restart), 4);
        assert_eq!(stdout, "");
        assert!(stderr.contains("plan.json holds no plan"), "{text}: {stderr}");
        assert!(stderr.contains("try: ktk restart TARGET --dry-run"), "{stderr}");
    }
}

#[test]
fn manifests_come_over_stdin_too() {
    let home = Home::new();
    let mut command = home.ktk(&["apply", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a: [1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("-:"), "{output:?}");
}

#[test]
fn directories_are_searched_but_never_in_circles() {
    let home = Home::new();
    std::fs::create_dir_all(home.0.join("all/sub")).unwrap();
    std::fs::create_dir(home.0.join("all/.hidden")).unwrap();
    std::os::unix::fs::symlink("..", home.0.join("all/sub/up")).unwrap();
    home.file("all/b.yaml", "b: [\n");
    home.file("all/sub/a.json", "{\"a\": [}\n");
    home.file("all/.hidden/c.yaml", "c: [\n");
    home.file("all/readme.txt", "d: [\n");
    let (stdout, _) =
        ended(home.ktk(&["validate", "-f", "all", "-f", "all/b.yaml", "-o", "jsonl"]), 4);
    let files: Vec<String> = stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["file"].to_string())
        .collect();
    assert_eq!(files, ["\"all/b.yaml\"", "\"all/sub/a.json\""]);

    std::fs::create_dir(home.0.join("empty")).unwrap();
    let (_, stderr) = ended(home.ktk(&["apply", "-f", "empty"]), 1);
    assert!(stderr.contains("no .yaml, .yml or .json file in empty"), "{stderr}");
    let (_, stderr) = ended(home.ktk(&["apply", "-f", "gone.yaml"]), 1);
    assert!(stderr.contains("cannot read gone.yaml"), "{stderr}");
}

#[test]
fn what_is_too_large_or_no_text_is_refused() {
    let home = Home::new();
    home.file("large.yaml", &"# a comment\n".repeat(2 * 1024 * 1024));
    let (_, stderr) = ended(home.ktk(&["apply", "-f", "large.yaml"]), 4);
    assert!(stderr.contains("longer than 16 MiB"), "{stderr}");
    std::fs::write(home.0.join("latin.yaml"), b"a: 1\nb: \xe9\n").unwrap();
    let (_, stderr) = ended(home.ktk(&["apply", "-f", "latin.yaml"]), 4);
    assert!(stderr.contains("latin.yaml:2: this is not UTF-8"), "{stderr}");
    home.file("nothing.yaml", "# nothing\n---\n");
    let (_, stderr) = ended(home.ktk(&["apply", "-f", "nothing.yaml"]), 4);
    assert!(stderr.contains("no document in nothing.yaml"), "{stderr}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let mut command = home.ktk(&["version", "--client", "-o", "json"]);
    // Nobody can read from the write end's other side once it is closed.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn at_last_says_that_nothing_was_started() {
    let home = Home::new();
    let (_, stderr) = ended(home.ktk(&["describe", "context", "@last"]), 3);
    assert!(stderr.contains("nothing was started") && stderr.contains("try: "), "{stderr}");
}

#[test]
fn keys_do_not_go_over_the_network_in_the_clear_unless_that_is_said() {
    let home = Home::new();
    let servers =
        ["--nats-url", "nats://127.0.0.1:1", "--database-url", "postgres://127.0.0.1:1/a"];
    let serve = |more: &[&str]| {
        let mut command = home.ktk(&["serve", "--timeout", "100ms"]);
        command.args(servers).args(more);
        command
    };
    for address in ["0.0.0.0:0", "[::]:0"] {
        let (stdout, stderr) = ended(serve(&["--listen", address]), 2);
        assert_eq!(stdout, "");
        assert!(stderr.contains("--plaintext") && stderr.contains(address), "{stderr}");
    }
    // These come as far as the missing servers.
    for more in [
        &["--listen", "127.0.0.1:0"][..],
        &["--listen", "0.0.0.0:0", "--insecure"],
        &["--listen", "0.0.0.0:0", "--plaintext"],
        &["--listen", "0.0.0.0:0", "--only", "executor"],
    ] {
        ended(serve(more), 8);
    }
}

#[test]
fn fields_are_explained_without_a_server() {
    let home = Home::new();
    let (page, _) = ended(home.ktk(&["explain", "spec.spec.executable"]), 0);
    assert!(page.starts_with("KIND:     Specification\nVERSION:  kantoku/v1\n"), "{page}");
    assert!(page.contains("command <[]string> -required- (type: process)"), "{page}");
    let (json, _) = ended(home.ktk(&["explain", "task.status", "-o", "json"]), 0);
    let explained: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(explained["field"]["required"], true, "{json}");
    let (nothing, error) = ended(home.ktk(&["explain", "task.statsu"]), 3);
    assert_eq!(nothing, "");
    assert!(error.contains("did you mean \"status\"?"), "{error}");
    ended(home.ktk(&["explain", "taks"]), 2);
}
