//! What a page shows: files to write and commands to run, with what they say.

/// A block of a page that does something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// A file to write: its name, which the first line says (`# file: NAME`), and its text.
    File(String, String),
    /// Commands to run, one after another.
    Commands(Vec<Shown>),
}

/// A command as the page shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) command: String,
    /// Lines that have to be among what it says, in this order.
    pub(crate) says: Vec<String>,
    pub(crate) exit_code: i32,
}

impl Shown {
    /// The first line that is shown and not said.
    pub(crate) fn missing(&self, said: &str) -> Option<&str> {
        let mut lines = said.lines();
        let missing = self.says.iter().find(|line| !lines.any(|found| matches(line, found)));
        missing.map(String::as_str)
    }
}

/// Whether a line is as shown: `…` stands for anything, and it does not matter how far apart words
/// are.
fn matches(shown: &str, found: &str) -> bool {
    let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, found) = (tidy(shown), tidy(found));
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first.trim())) else {
        return false;
    };
    let mut last = None;
    for part in parts.map(str::trim) {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

/// The blocks of a page, in order. A fenced block is `yaml` with a file's name, or `console`.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match language {
            "yaml" => {
                let name = text.first().and_then(|first| first.strip_prefix("# file: "));
                blocks.extend(name.map(|name| Block::File(name.into(), text.join("\n") + "\n")));
            }
            "console" => blocks.push(Block::Commands(commands(&text))),
            _ => {}
        }
    }
    blocks
}

fn commands(lines: &[&str]) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(Shown { command: command.into(), ..Shown::default() });
        } else if let Some(shown) = commands.last_mut() {
            let code = line.strip_prefix("(exit code ").and_then(|it| it.strip_suffix(')'));
            match code.and_then(|code| code.parse().ok()) {
                Some(code) => shown.exit_code = code,
                None if line.is_empty() => {}
                None => shown.says.push((*line).to_owned()),
            }
        }
    }
    commands
}

#[test]
fn a_page_is_read_block_by_block() {
    let page = "text\n```yaml\n# file: a.yaml\nkind: X\n```\n```\npicture\n```\n```console\n\
                $ ktk get\nfirst …\n\n$ ktk wait\n(exit code 5)\n```\n";
    let shown = |command: &str, says: &[&str], exit_code| Shown {
        command: command.into(),
        says: says.iter().map(|line| (*line).to_owned()).collect(),
        exit_code,
    };
    assert_eq!(
        blocks(page),
        [
            Block::File("a.yaml".into(), "# file: a.yaml\nkind: X\n".into()),
            Block::Commands(vec![shown("ktk get", &["first …"], 0), shown("ktk wait", &[], 5)]),
        ]
    );
}

#[test]
fn a_line_is_as_shown_or_not() {
    for (shown, found) in
        [("a  b", " a b "), ("…", "anything"), ("…b…", "a b c"), ("a … c", "a b c"), ("a…", "abc")]
    {
        assert!(matches(shown, found), "{shown} {found}");
    }
    for (shown, found) in [("a", "a b"), ("…b", "a b c"), ("a…c", "b c"), ("…x…", "a b c")]
    {
        assert!(!matches(shown, found), "{shown} {found}");
    }
}
