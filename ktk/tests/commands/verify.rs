//! `ktk events verify`, `export`, `import` and `replay`

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    failed_context,
    stand::{Stand, stand, text},
    task,
};

/// Where nobody listens: what works here needs no server.
const NOBODY: [&str; 4] = ["--api-url", "http://127.0.0.1:1", "--timeout", "500ms"];

/// A file that is removed again.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("ktk-{name}-{}.jsonl", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(&self.0).unwrap().lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        std::fs::write(&self.0, lines.join("\n") + "\n").unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn export(stand: &Stand, name: &str, more: &[&str]) -> File {
    let file = File::new(name);
    stand.ok(stand.ktk(&["events", "export", file.path()]).args(more));
    file
}

/// The rules that an export breaks.
#[track_caller]
fn rules(stand: &Stand, file: &File, code: i32) -> Vec<String> {
    let verify = ["events", "verify", "--file", file.path(), "-o", "json"];
    let output = stand.ends(stand.ktk(&verify).args(&NOBODY), code);
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = verdict["findings"].as_array().unwrap();
    assert_eq!(verdict["found"].as_u64().unwrap(), findings.len() as u64, "{verdict}");
    for finding in findings {
        assert!(finding["message"].is_string() && finding["advice"].is_string(), "{finding}");
    }
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_done_to_an_export_is_found_without_a_server() {
    let stand = stand!();
    failed_context(&stand, "tampered");
    let file = export(&stand, "tampered", &["-A"]);
    assert_eq!(rules(&stand, &file, 0), [""; 0]);
    let sound = file.lines();
    let of = |what: &str| sound.iter().position(|line| line.contains(what)).unwrap();

    let mut lines = sound.clone();
    let place = of("\"type\":\"TaskFinished\"");
    lines[place] = lines[place].replace("\"attempt\":1", "\"attempt\":2");
    file.write(&lines);
    let found = rules(&stand, &file, 7);
    assert!(
        found.contains(&"chain".to_owned()) && found.contains(&"transition".to_owned()),
        "{found:?}"
    );

    // What no rule forbids shows in the chain.
    let mut lines = sound.clone();
    lines[place] = lines[place].replace("\"actor\":\"", "\"actor\":\"mr. ");
    file.write(&lines);
    assert_eq!(rules(&stand, &file, 7), ["chain"]);

    let mut lines = sound.clone();
    lines.remove(of("\"type\":\"TaskReceived\""));
    file.write(&lines);
    let found = rules(&stand, &file, 7);
    assert!(
        found.contains(&"chain".to_owned()) && found.contains(&"guard".to_owned()),
        "{found:?}"
    );

    let mut lines = sound.clone();
    lines.swap(place, place + 1);
    file.write(&lines);
    let found = rules(&stand, &file, 7);
    assert!(
        found.contains(&"chain".to_owned()) && found.contains(&"order".to_owned()),
        "{found:?}"
    );

    let mut lines = sound.clone();
    lines.pop();
    file.write(&lines);
    assert_eq!(rules(&stand, &file, 7), ["file"]);

    let mut lines = sound.clone();
    lines[place] = "not JSON".into();
    file.write(&lines);
    let found = rules(&stand, &file, 7);
    assert!(found.contains(&"file".to_owned()) && found.contains(&"chain".to_owned()), "{found:?}");

    // For people, with the place and what to do.
    let output =
        stand.ends(stand.ktk(&["events", "verify", "--file", file.path()]).args(&NOBODY), 7);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.contains(&format!("line {}", place + 1)) && stdout.contains('→'), "{stdout}");
    assert!(stderr.contains("findings in"), "{stderr}");

    file.write(&["{\"export\":\"of others\"}".into()]);
    let output =
        stand.ends(stand.ktk(&["events", "verify", "--file", file.path()]).args(&NOBODY), 1);
    assert!(text(&output.stderr).contains("is no export of events"));
    stand.ends(stand.ktk(&["events", "verify", "--file", "/no/such/file"]).args(&NOBODY), 3);
}

#[test]
fn an_export_of_a_part_is_checked_as_far_as_it_goes() {
    let stand = stand!();
    let namespace = "partial";
    let context = failed_context(&stand, namespace);
    let file = export(&stand, "partial", &["-n", namespace, "--context", &context]);
    assert_eq!(rules(&stand, &file, 0), [""; 0]);
    let from = serde_json::from_str::<Value>(&file.lines()[4]).unwrap()["stream_seq"].to_string();
    let file =
        export(&stand, "partial", &["-n", namespace, "--context", &context, "--from-seq", &from]);
    assert_eq!(rules(&stand, &file, 0), [""; 0]);
    // It is no history that could be put back.
    let output = stand.ends(stand.ktk(&["events", "import", file.path()]).args(&NOBODY), 4);
    assert!(text(&output.stderr).contains("from its first event on"));
}

#[test]
fn the_history_of_a_stand_is_sound_and_sealed() {
    let stand = stand!();
    failed_context(&stand, "sound");
    let verdict = stand.ok_json(stand.ktk(&["events", "verify", "-o", "json"]));
    assert_eq!(verdict["found"], 0, "{verdict}");
    assert!(verdict["events"].as_u64().unwrap() > 10, "{verdict}");

    // The sealer follows: seals that are kept elsewhere are those of an export.
    let mut sealed = 0;
    for _ in 0..200 {
        let seals = stand.ok(stand.ktk(&["events", "seals", "-o", "jsonl"]));
        let last = seals.lines().last().map(|line| serde_json::from_str::<Value>(line).unwrap());
        sealed = last.map_or(0, |seal| seal["stream_seq"].as_u64().unwrap());
        if sealed >= verdict["last_seq"].as_u64().unwrap() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(sealed >= verdict["last_seq"].as_u64().unwrap(), "{sealed} {verdict}");
    let (kept, file) = (File::new("seals"), export(&stand, "sealed", &["-A"]));
    kept.write(&[stand.ok(stand.ktk(&["events", "seals", "-o", "jsonl"])).trim_end().to_owned()]);
    let verify = ["events", "verify", "--file", file.path(), "--seals", kept.path()];
    let output = stand.ends(stand.ktk(&verify).args(&NOBODY), 0);
    assert!(text(&output.stderr).contains("confirmed by"), "{}", text(&output.stderr));
    let table = stand.ok(stand.ktk(&["get", "seals"]));
    assert!(table.starts_with("SEAL"), "{table}");

    let mut lines = file.lines();
    lines[1] = lines[1].replace("\"actor\":\"", "\"actor\":\"mr. ");
    file.write(&lines);
    let output = stand.ends(stand.ktk(&verify).args(&NOBODY), 7);
    assert!(text(&output.stdout).contains("positions 1 to"), "{}", text(&output.stdout));
}

#[test]
fn what_there_was_is_shown_as_of_a_position() {
    let stand = stand!();
    let namespace = "replay";
    let context = failed_context(&stand, namespace);
    let second = task(&stand, namespace, &context, "second");
    let get = ["get", "task", &second, "-n", namespace, "-o", "json"];
    let mut now = stand.ok_json(stand.ktk(&get));
    // What it waits for is worked out when it is asked for.
    now["dependencies"] = json!([]);
    let of = format!("task/{second}");
    let replay = ["events", "replay", "--of", &of, "-n", namespace];
    let replayed = stand.ok_json(stand.ktk(&replay).args(&["-o", "json"]));
    assert_eq!(replayed, now, "a replay of all of it is what there is now");

    // Every change of it, one after another; and as of one of them.
    let film = stand.ok(stand.ktk(&replay).args(&["--from-seq", "1", "-o", "jsonl"]));
    let film: Vec<Value> = film.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = film.iter().map(|task| task["status"].as_str().unwrap()).collect();
    assert_eq!(statuses.first(), Some(&"initialized"), "{statuses:?}");
    assert_eq!(film.last(), Some(&now));
    let received = film.iter().find(|task| task["status"] == "received").unwrap();
    let to = received["stream_seq"].to_string();
    let then = stand.ok_json(stand.ktk(&replay).args(&["--to", &to, "-o", "json"]));
    assert_eq!(&then, received);

    // The same from a file, without a server.
    let file = export(&stand, "replay", &["-n", namespace]);
    let offline = ["events", "replay", file.path(), "--of", &of, "--to", &to, "-o", "json"];
    assert_eq!(&stand.ok_json(stand.ktk(&offline).args(&NOBODY)), received);
    let all = ["events", "replay", file.path(), "-o", "json"];
    let contexts = stand.ok_json(stand.ktk(&all).args(&NOBODY));
    assert_eq!(contexts["items"][0]["id"], context.as_str(), "{contexts}");
    let unknown = ["events", "replay", file.path(), "--of", "task/ffff"];
    stand.ends(stand.ktk(&unknown).args(&NOBODY), 3);
}

/// A second stand beside the one that the tests share.
struct Second<'a> {
    stand: &'a Stand,
    dir: PathBuf,
}

impl Second<'_> {
    fn up(&self, only: &str) -> String {
        let dir = self.dir.to_str().unwrap();
        let up = ["dev", "up", "--detach", "--state-dir", dir, "--only", only, "-o", "json"];
        let up = self.stand.ok_json(self.stand.ktk(&up));
        up["endpoints"]["api"].as_str().unwrap().to_owned()
    }

    fn down(&self) {
        self.stand.ok(self.stand.ktk(&["dev", "down", "--state-dir", self.dir.to_str().unwrap()]));
    }
}

impl Drop for Second<'_> {
    fn drop(&mut self) {
        let down = ["dev", "down", "--state-dir", self.dir.to_str().unwrap()];
        Command::new(env!("CARGO_BIN_EXE_ktk")).args(down).output().ok();
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

#[test]
fn an_exported_history_is_put_back_into_an_empty_stream() {
    let stand = stand!();
    failed_context(&stand, "imported");
    let file = export(&stand, "imported", &["-A"]);
    let lines = file.lines();
    let last = serde_json::from_str::<Value>(lines.last().unwrap()).unwrap();
    // Where things happen it is refused.
    let output = stand.ends(stand.ktk(&["events", "import", file.path()]), 4);
    assert!(text(&output.stderr).contains("stop all but api, projector and sealer"));

    let second = Second { stand: &stand, dir: stand.dir().join("restored") };
    let api = second.up("api,projector,sealer");
    let at = ["--api-url", &api];
    let import = ["events", "import", file.path(), "-o", "json"];

    // One that was interrupted, and is run again from its beginning.
    let part = File::new("imported-part");
    let half = lines.len() / 2;
    let trailer = trailer(&lines[1..half]);
    part.write(&[&lines[..half], &[trailer]].concat());
    let done = stand.ok_json(stand.ktk(&["events", "import", part.path(), "-o", "json"]).args(&at));
    assert_eq!(done["appended"], half - 1);
    let done = stand.ok_json(stand.ktk(&import).args(&at));
    assert_eq!((&done["events"], &done["chain"]), (&last["events"], &last["chain"]), "{done}");
    assert_eq!(done["appended"], lines.len() - half - 1);
    let done = stand.ok_json(stand.ktk(&import).args(&at));
    assert_eq!(done["appended"], 0, "a third time changes nothing");

    // It is the same history: the chain, every document, the read model.
    let verdict = stand.ok_json(stand.ktk(&["events", "verify", "--deep", "-o", "json"]).args(&at));
    assert_eq!((&verdict["found"], &verdict["chain"]), (&json!(0), &last["chain"]), "{verdict}");
    let again = File::new("imported-again");
    stand.ok(stand.ktk(&["events", "export", "-A", again.path()]).args(&at));
    assert_eq!(again.lines()[1..], lines[1..]);
    let get = ["get", "tasks", "-n", "imported", "-o", "json"];
    let sorted = |list: &Value| {
        let mut items = list["items"].as_array().unwrap().clone();
        items.sort_by_key(|item| item["id"].as_str().unwrap().to_owned());
        items
    };
    let min_seq = last["last_seq"].to_string();
    let there = stand.ok_json(stand.ktk(&get).args(&["--min-seq", &min_seq]).args(&at));
    assert_eq!(sorted(&there), sorted(&stand.ok_json(stand.ktk(&get))));

    // Another history does not fit behind it.
    let mut other = lines.clone();
    other.remove(1);
    let count = other.len() - 1;
    other[count] = self::trailer(&other[1..count]);
    part.write(&other);
    let output = stand.ends(stand.ktk(&["events", "import", part.path()]).args(&at), 4);
    assert!(text(&output.stderr).contains("another message at position 1"));
    second.down();
}

/// The trailer of an export of these lines, by other means than those of `ktk`.
fn trailer(lines: &[String]) -> String {
    let script = "import hashlib, json, sys
chain, events, last = bytes(32), 0, 0
for line in sys.stdin.buffer.read().splitlines():
    chain, events = hashlib.sha256(chain + line).digest(), events + 1
    last = json.loads(line)['stream_seq']
print(json.dumps({'events': events, 'last_seq': last, 'chain': chain.hex()}))";
    let file = File::new("lines");
    file.write(lines);
    let input = std::fs::File::open(&file.0).unwrap();
    let output = Command::new("python3").args(["-c", script]).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

/// What the page about exports shows in Python is all that it takes.
#[test]
fn ten_lines_of_python_check_an_export() {
    let stand = stand!();
    failed_context(&stand, "python");
    let file = export(&stand, "python", &["-A"]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/export.md");
    let page = std::fs::read_to_string(page).unwrap();
    let script = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(script.lines().filter(|line| !line.is_empty()).count() <= 10, "{script}");
    let run = || {
        let output = Command::new("python3").args(["-c", script, file.path()]).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    let mut lines = file.lines();
    lines[2] = lines[2].replace("\"actor\":\"", "\"actor\":\"mr. ");
    file.write(&lines);
    let (code, said) = run();
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn there_are_no_dead_letters_where_all_is_well() {
    let stand = stand!();
    let letters = stand.ok_json(stand.ktk(&["get", "dl", "-o", "json"]));
    assert_eq!(letters["items"], json!([]));
    let output = stand.ends(stand.ktk(&["events", "redeliver", "--all"]), 0);
    assert!(text(&output.stderr).contains("no dead letters"));
    stand.ends(stand.ktk(&["describe", "dl/7"]), 3);
    stand.ends(stand.ktk(&["events", "redeliver", "7"]), 3);
    stand.ends(stand.ktk(&["events", "redeliver"]), 2);
}
