//! `tests/transcripts`: what every command says as a table, as JSON and when it goes wrong.
//!
//! `KTK_WRITE_TRANSCRIPTS=1 cargo test --workspace --test commands transcripts` writes what is said now.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use similar::TextDiff;

use crate::{
    stand::{Stand, stand, text},
    transcript::{self, Masks, Step},
};

/// Commands that end the stand which the others use, or are no client's: these tests run them.
const ELSEWHERE: [(&str, &str); 5] = [
    ("dev up", "tests/dev.rs"),
    ("dev down", "tests/dev.rs"),
    ("dev reset", "tests/dev.rs"),
    ("dev tools", "the build, before any test"),
    ("serve", "tests/serve"),
];

/// What a command does not say here, and why.
const NOT_HERE: [(&str, &str, &str); 11] = [
    ("completion", JSON, "it is a program of the shell"),
    ("man", JSON, "it is pages"),
    ("edit", JSON, "an editor is for people"),
    ("config view", JSON, "it is a file of YAML as it is"),
    ("events export", JSON, "it is a file of JSON lines as it is"),
    ("dev logs", JSON, "they are lines of text"),
    ("plugin list", ERROR, "nothing can go wrong with it"),
    ("events import", TABLE, "it wants an empty stream: tests/commands/verify.rs"),
    ("events import", JSON, "it wants an empty stream: tests/commands/verify.rs"),
    ("events reseal", TABLE, "it wants a stream that is another: tests of the API"),
    ("events reseal", JSON, "it wants a stream that is another: tests of the API"),
];
const TABLE: &str = "its table";
const JSON: &str = "its JSON";
const ERROR: &str = "an error";

/// Held by who makes tables anew, as the API does that for one at a time.
static UPKEEP: Mutex<()> = Mutex::new(());

pub(crate) fn upkeep() -> MutexGuard<'static, ()> {
    UPKEEP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many transcripts are followed at once.
const AT_ONCE: usize = 3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

/// The transcripts, by name.
fn transcripts() -> Vec<(String, PathBuf)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

/// A directory with what the transcripts and the examples of `--help` name.
pub(crate) fn world(stand: &Stand, name: &str) -> PathBuf {
    let dir = stand.dir().join(name);
    let world = folder().join("world");
    copy(&world, &dir);
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn every_command_says_what_its_transcript_shows() {
    let stand = stand!();
    pass_position_99(&stand);
    let left = Mutex::new(transcripts());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((name, path)) = left.lock().unwrap().pop() else { return };
                    if let Some(difference) = follow(&stand, &name, &path) {
                        wrong.lock().unwrap().push(difference);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sees to it that no position has less than three digits.
fn pass_position_99(stand: &Stand) {
    let steps: Vec<String> =
        (0..50).map(|number| format!("    s{number}: {{use: pass}}\n")).collect();
    let many = steps.concat();
    let manifest = format!(
        "apiVersion: kantoku/v1\nkind: Specification\nmetadata: {{name: pass}}\n\
         spec: {{executable: {{type: noop}}}}\n---\napiVersion: kantoku/v1\nkind: Pipeline\n\
         metadata: {{name: many}}\nspec:\n  tasks:\n{many}"
    );
    stand.ok(stand.input(&["apply", "-n", "warm", "-f", "-"], &manifest));
    stand.ok(stand.ktk(&["run", "many", "-n", "warm", "--wait"]));
}

/// Does what a transcript does, in a namespace and a home of its own; how what is said differs from
/// what it shows.
fn follow(stand: &Stand, name: &str, path: &Path) -> Option<String> {
    let dir = world(stand, name);
    let namespace = format!("shown-{name}");
    let _held = (name == "projections").then(upkeep);
    let mut masks = Masks::default();
    masks.places.push((dir.to_str().unwrap().to_owned(), "<home>"));
    masks.places.push((stand.dir().to_str().unwrap().to_owned(), "<stand>"));
    let shown = fs::read_to_string(path).unwrap();
    let mut steps = transcript::read(&shown);
    for step in &mut steps {
        let output = stand.sh(&step.command, &dir, &namespace);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code().unwrap_or(-1);
        if step.is_shown {
            step.said = transcript::said(&mut masks, &stdout, &stderr, code);
        } else if code != 0 {
            return Some(format!("{name}: % {}\n{stdout}{stderr}", step.command));
        }
    }
    let said = transcript::write(&steps);
    if std::env::var_os("KTK_WRITE_TRANSCRIPTS").is_some() {
        fs::write(path, said).unwrap();
        return None;
    }
    let difference = TextDiff::from_lines(&shown, &said);
    let difference = difference.unified_diff().header(name, "what it says").to_string();
    (shown != said).then_some(difference)
}

/// All commands that have none below them, in words.
pub(crate) fn leaves(stand: &Stand) -> BTreeSet<String> {
    let mut leaves = BTreeSet::new();
    let mut left = vec![String::new()];
    while let Some(command) = left.pop() {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let help = stand.ok(stand.ktk(&args));
        let below = commands_in(&help);
        if below.is_empty() {
            leaves.insert(command);
        } else {
            let words = below.into_iter().map(|word| format!("{command} {word}").trim().to_owned());
            left.extend(words);
        }
    }
    leaves
}

fn commands_in(help: &str) -> Vec<&str> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    list.lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
        .collect()
}

#[test]
fn every_command_has_a_transcript_of_its_table_its_json_and_an_error() {
    let stand = stand!();
    let steps: Vec<Step> = transcripts()
        .iter()
        .flat_map(|(_, path)| transcript::read(&fs::read_to_string(path).unwrap()))
        .filter(|step| step.is_shown)
        .collect();
    let leaves = leaves(&stand);
    assert!(leaves.len() > 50 && leaves.contains("events log"), "{leaves:?}");
    let mut missing = Vec::new();
    for leaf in &leaves {
        if ELSEWHERE.iter().any(|(command, _)| command == leaf) {
            continue;
        }
        let of_leaf = |step: &&Step| {
            let said = format!("{} ", step.command);
            said.contains(&format!("ktk {leaf} "))
        };
        let steps: Vec<&Step> = steps.iter().filter(of_leaf).collect();
        let is_json = |step: &Step| step.command.contains("-o json");
        let ends_well = |step: &Step| matches!(step.exit_code(), 0 | 5 | 7);
        let says = [
            (TABLE, steps.iter().any(|step| !is_json(step) && ends_well(step))),
            (JSON, steps.iter().any(|step| is_json(step) && ends_well(step))),
            (ERROR, steps.iter().any(|step| !ends_well(step) && step.complains())),
        ];
        for (what, is_said) in says {
            let is_excused = NOT_HERE.iter().any(|(of, not, _)| of == leaf && *not == what);
            assert!(!(is_said && is_excused), "{leaf}: {what} is there, and excused");
            if !is_said && !is_excused {
                missing.push(format!("{leaf}: {what}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
