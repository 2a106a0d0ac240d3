//! A transcript: what a person types, and all that is said in answer, with what differs from run to
//! run masked.
//!
//! ```text
//! % ktk apply -f world                 done first, and not shown; it has to end with 0
//! $ ktk get task @last                 what is shown
//! ID  STEP                             what it says on stdout
//! ! ktk: there is no task              and on stderr
//! (exit code 3)                        and how it ends, unless with 0
//! ```

use std::{fmt::Write as _, sync::LazyLock};

use regex::{Captures, Regex};

/// A command of a transcript.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    /// Unless it only prepares what follows.
    pub(crate) is_shown: bool,
    /// What it has said, masked; not kept of what only prepares.
    pub(crate) said: String,
}

impl Step {
    /// How it ended.
    pub(crate) fn exit_code(&self) -> i32 {
        let last = self.said.lines().last().unwrap_or_default();
        let code = last.strip_prefix("(exit code ").and_then(|rest| rest.strip_suffix(')'));
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Whether it has said something on stderr.
    pub(crate) fn complains(&self) -> bool {
        self.said.lines().any(|line| line.starts_with("! "))
    }
}

/// The commands of a transcript, in order.
pub(crate) fn read(transcript: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in transcript.lines() {
        let step = |command: &str, is_shown| Step {
            command: command.to_owned(),
            is_shown,
            said: String::new(),
        };
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(step(command, true));
        } else if let Some(command) = line.strip_prefix("% ") {
            steps.push(step(command, false));
        } else if let Some(step) = steps.last_mut().filter(|step| step.is_shown) {
            step.said.push_str(line);
            step.said.push('\n');
        }
    }
    for step in &mut steps {
        // The empty line before the next command is nobody's.
        step.said.truncate(step.said.trim_end().len());
    }
    steps
}

/// The text of a transcript.
pub(crate) fn write(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let sign = if step.is_shown { '$' } else { '%' };
        writeln!(text, "{sign} {}", step.command).unwrap();
        if !step.said.is_empty() {
            writeln!(text, "{}", step.said).unwrap();
        }
        if step.is_shown {
            text.push('\n');
        }
    }
    text
}

/// What a command has said, as a transcript shows it.
pub(crate) fn said(masks: &mut Masks, stdout: &str, stderr: &str, code: i32) -> String {
    let mut said = masks.mask(stdout);
    for line in masks.mask(stderr).lines() {
        writeln!(said, "! {line}").unwrap();
    }
    if code != 0 {
        writeln!(said, "(exit code {code})").unwrap();
    }
    said.truncate(said.trim_end().len());
    said
}

/// Puts names in the place of what is another in each run: ids, times, positions of the stream.
/// The same id has the same name all through a transcript.
#[derive(Default)]
pub(crate) struct Masks {
    /// Texts, and what stands for them.
    pub(crate) places: Vec<(String, &'static str)>,
    ids: Vec<String>,
}

impl Masks {
    fn mask(&mut self, text: &str) -> String {
        static PATTERNS: LazyLock<[(Regex, &str); 10]> = LazyLock::new(|| {
            let regex = |pattern: &str| Regex::new(pattern).unwrap();
            [
                (regex(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
                (regex(r"\bktk_[0-9A-Za-z]+_[0-9A-Za-z_-]+"), "<key>"),
                (regex(r"\b[0-9a-f]{64}\b"), "<digest>"),
                (regex(r":[0-9a-f]{32}@"), ":<password>@"),
                (regex("(\\brevision\"?:? )[0-9]+"), "$1<n>"),
                (regex(r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z"), "<time>"),
                (regex(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
                (regex(r"\b127\.0\.0\.1:\d+"), "localhost:<port>"),
                (regex(r"\bU[A-Z2-7]{55}\b"), "<nkey>"),
                (regex(r"\bevt\.([\w-]+)\.[0-9a-f]{2}\."), "evt.$1.<shard>."),
            ]
        });
        static ID: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"\b[0-9a-f]{16}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}(-[0-9a-f]{1,4}(-[0-9a-f]{4}-[0-9a-f]{12})?)?)?\b")
                .unwrap()
        });
        static WHILE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\b\d+(\.\d+)? ?(ns|µs|ms|s|min|h|d)\b").unwrap());
        static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d{3,}\b").unwrap());
        static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\S) {2,}").unwrap());
        static LEFT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^ +<n>").unwrap());
        static RIGHT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m) +$").unwrap());
        let mut text = text.to_owned();
        for (place, name) in &self.places {
            text = text.replace(place, name);
        }
        for (pattern, name) in PATTERNS.iter() {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        text = ID.replace_all(&text, |found: &Captures<'_>| self.id(&found[0])).into_owned();
        text = WHILE.replace_all(&text, "<while>").into_owned();
        // The stream is longer than 99 events before the first transcript begins, so that no position
        // is taken for a count.
        text = NUMBER.replace_all(&text, "<n>").into_owned();
        text = GAP.replace_all(&text, "$1  ").into_owned();
        text = LEFT.replace_all(&text, "  <n>").into_owned();
        RIGHT.replace_all(&text, "").into_owned()
    }

    /// The name of an id, or of one that begins like this.
    fn id(&mut self, found: &str) -> String {
        let known = self.ids.iter().position(|id| id.starts_with(found) || found.starts_with(id));
        let at = known.unwrap_or_else(|| {
            self.ids.push(found.to_owned());
            self.ids.len() - 1
        });
        if found.len() > self.ids[at].len() {
            found.clone_into(&mut self.ids[at]);
        }
        format!("<id {}>", at + 1)
    }
}

#[test]
fn a_transcript_is_read_as_it_is_written() {
    let text = "% ktk apply -f world\n$ ktk get tasks\nID  STEP\n\nx  y\n\n$ ktk nope\n! no\n\
                (exit code 2)\n\n";
    let steps = read(text);
    assert_eq!(write(&steps), text);
    let codes: Vec<i32> = steps.iter().map(Step::exit_code).collect();
    assert_eq!(codes, [0, 0, 2]);
    assert_eq!(steps[1].said, "ID  STEP\n\nx  y");
    assert!(steps[2].complains() && !steps[1].complains());
}

#[test]
fn what_differs_from_run_to_run_is_masked_and_nothing_else() {
    let mut masks = Masks::default();
    let full = "01a23191-68e4-7347-b362-df62ac3dcd0a";
    let text = format!(
        "context/{full} ok, 4 of 5 tasks ok, 82 ms\n      22  2026-12-01T12:25:42.889832Z  Opened\n\
         01a23191-68e4   x@1     1.5 s   \n     104  db4fa709 at http://127.0.0.1:7302, position 140\n"
    );
    assert_eq!(
        masks.mask(&text),
        "context/<id 1> ok, 4 of 5 tasks ok, <while>\n      22  <time>  Opened\n\
         <id 1>  x@1  <while>\n  <n>  <id 2> at http://localhost:<port>, position <n>\n"
    );
}
