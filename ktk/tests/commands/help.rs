//! What `--help` shows as an example runs.

use std::{collections::BTreeSet, path::Path, process::Output};

use crate::{
    stand::{Stand, stand, text},
    transcripts::{upkeep, world},
};

const NAMESPACE: &str = "help";

/// Commands whose examples are no client's, and what runs them instead.
const ELSEWHERE: [(&str, &str); 2] = [("dev", "tests/dev.rs"), ("serve", "tests/serve")];

/// Lines that no test can run.
const NOT_RUN: [(&str, &str); 6] = [
    ("ktk cancel -l team=search --yes --wait", "runs give their labels to no task"),
    ("ktk cancel operation/0193a5c2-…", "an operation over few tasks has ended by then"),
    ("ktk create secret db-password", "it asks a person for the value"),
    ("ktk events import history.jsonl", "it wants an empty stream"),
    (". <(ktk completion bash)", "it is for bash, not for sh"),
    ("man ./man1/ktk-get.1", "there may be no man here"),
];

/// What has to be there before the examples of a command.
const BEFORE: [(&str, &str); 15] = [
    ("approve", RELEASE),
    ("attempts", FAILED),
    ("cancel", RELEASE),
    (
        "completion",
        "mkdir -p .zfunc .config/fish/completions .local/share/bash-completion/completions",
    ),
    ("delete", DELETED),
    ("describe", FAILED),
    ("get", FAILED),
    ("edit", "ktk apply -f b.yaml"),
    ("logs", SPAWNED),
    ("pause", RELEASE),
    ("restart", FAILED),
    ("resume", RELEASE),
    ("spawn", SECRET),
    ("tree", FAILED),
    ("why", SPAWNED),
];
const RELEASE: &str = "ktk run release -l team=search && ktk wait task/@last/build";
const FAILED: &str = "ktk run sad --wait; test $? = 5";
const SPAWNED: &str = "ktk run sad --wait; ktk spawn text/read --wait";
const DELETED: &str = "ktk create secret db-password --replace --from-file key.pem; \
                       ktk apply -f b.yaml -f policies.yaml";
const SECRET: &str = "ktk create secret db-password --replace --from-file key.pem";
/// For the others.
const DONE: &str = "ktk run top-words -p page=word --wait; ktk run sad --wait; \
                    ktk run top-words -p page=word --wait";

/// Commands after which there is nothing left to do it to once more.
const CONSUME: [&str; 5] = ["approve", "cancel", "delete", "pause", "restart"];

/// What goes on until it is interrupted, and is let go on for so many seconds.
const FOLLOWS: [&str; 4] = [" -w", " tail -f", "ktk watch  ", "ktk logs @last -f"];
const FOLLOWED_FOR: u32 = 2;
const GIVE_UP_AFTER: u32 = 60;
/// What `timeout` ends with when the time is over.
const TIME_IS_OVER: i32 = 124;

/// The lines under "Examples:" in the help of a command.
fn examples(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Example"));
    let lines = lines.skip(1).take_while(|line| line.starts_with("  "));
    lines.map(str::trim_start).filter(|line| line.contains("ktk")).collect()
}

/// A command without what is said about it.
fn command(line: &str) -> &str {
    line.split("  ").next().unwrap_or(line)
}

/// Runs a line in a home and the namespace, for so many seconds at most.
fn sh(stand: &Stand, dir: &Path, line: &str, seconds: u32) -> Output {
    let quoted = line.replace('\'', r"'\''");
    let line = format!("env EDITOR=true timeout {seconds} sh -c '{quoted}'");
    stand.sh(&line, dir, NAMESPACE)
}

/// The first line that a command prints.
fn first_line(stand: &Stand, dir: &Path, line: &str) -> String {
    let output = sh(stand, dir, line, GIVE_UP_AFTER);
    text(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

/// Puts what there is in the place of what the examples call by name.
fn filled_in(stand: &Stand, dir: &Path, group: &str, line: &str) -> String {
    let mut line = line.to_owned();
    let mut fill = |shown: &str, ask: &str| {
        if line.contains(shown) {
            line = line.replace(shown, &first_line(stand, dir, ask));
        }
    };
    fill("http://127.0.0.1:7300", "ktk dev status | grep -o 'http://[0-9.:]*' | head -1");
    fill("context/0193a5c2", "ktk get contexts @last -o name");
    let read = "ktk spawn text/read --wait >&2; ktk get resources --where 'output == \"page\" && \
                status == \"ready\"' -o jsonpath='{.items[0].id}'";
    fill("0193a5c2-1b2c-7aaa-8000-000000000001", read);
    let which = match group {
        "approve" | "cancel" | "pause" | "resume" => "step == \"ship\"",
        "restart" => "sub_status == \"failed\"",
        _ => "status == \"finished\"",
    };
    let last = format!(
        "ktk get tasks --where 'context_id == \"'$(ktk get contexts @last -o jsonpath='{{.id}}')'\" && \
         {which}' -o jsonpath='{{.items[0].id}}'"
    );
    fill("0193a5c2", &last);
    fill(" --at 10m", "date -u '+ --at %FT%T.%NZ'");
    let last_position = "printf ' '; ktk get events -o jsonpath='{.items[-1:].stream_seq}'";
    fill(" 4711", last_position);
    fill(" 42", last_position);
    for (shown, instead) in [("code --wait", "true"), ("pass show db", "printf longenough")] {
        line = line.replace(shown, instead);
    }
    line
}

#[test]
fn what_help_shows_as_examples_runs() {
    let stand = stand!();
    let dir = world(&stand, "help-first");
    let apply = "ktk apply -f examples/ -f b.yaml && ktk apply -n other -f examples/ && \
                 sed -i 's/How many/Count how many/' pipeline.yaml && ktk apply -f pipeline.yaml";
    let output = sh(&stand, &dir, apply, GIVE_UP_AFTER);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (mut run, mut wrong) = (0, Vec::new());
    let mut groups = words(&stand);
    groups.retain(|group| !ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == group));
    for group in &groups {
        let dir = world(&stand, &format!("help-{group}"));
        let before = BEFORE.iter().find(|(of, _)| of == group).map_or(DONE, |(_, before)| before);
        sh(&stand, &dir, before, GIVE_UP_AFTER);
        let _held = (group == "projections").then(upkeep);
        let mut is_fresh = true;
        let help = stand.ok(stand.ktk(&[group, "--help"]));
        let shown = examples(&help);
        assert!(!shown.is_empty(), "ktk {group} --help shows no example");
        for line in shown {
            if NOT_RUN.iter().any(|(not, _)| command(line) == *not) {
                continue;
            }
            if !is_fresh && CONSUME.contains(&group.as_str()) && !line.contains("--plan") {
                let before = if line.contains("--from") { DONE } else { before };
                sh(&stand, &dir, before, GIVE_UP_AFTER);
            }
            is_fresh = false;
            let goes_on = FOLLOWS.iter().any(|follows| line.contains(follows));
            let command = filled_in(&stand, &dir, group, command(line));
            let seconds = if goes_on { FOLLOWED_FOR } else { GIVE_UP_AFTER };
            let output = sh(&stand, &dir, &command, seconds);
            if group == "pause" {
                let resume = command.replace("ktk pause", "ktk resume");
                sh(&stand, &dir, resume.split(" --reason").next().unwrap(), GIVE_UP_AFTER);
            }
            let code = output.status.code().unwrap_or(-1);
            let is_well = matches!(code, 0 | 5 | 7) || (goes_on && code == TIME_IS_OVER);
            if !is_well {
                let said = text(&output.stderr);
                wrong.push(format!("{line}\n  {command}\n  exit code {code}: {said}"));
            }
            run += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run > 100, "{run} examples are too few: the help was not understood");
}

/// The words that commands begin with.
fn words(stand: &Stand) -> BTreeSet<String> {
    let leaves = crate::transcripts::leaves(stand);
    leaves.iter().filter_map(|leaf| leaf.split(' ').next()).map(str::to_owned).collect()
}
