//! A text with paths in it: `{range .items[*]}{.id}{"\n"}{end}`.

use std::str::FromStr;

use serde_json::Value;

use super::{
    path::{Path, shown},
    wrong,
};

/// How deep loops may stand in each other.
const DEPTH_MAX: usize = 16;
/// How long a text may become, as loops in loops multiply.
const TEXT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A text with paths in it.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Values(Path),
    Range(Path, Vec<Part>),
}

impl Template {
    /// The text with the values of `document`.
    pub(super) fn text(&self, document: &Value) -> String {
        let mut text = String::new();
        write(&self.0, document, document, &mut text);
        text
    }
}

fn write(parts: &[Part], document: &Value, here: &Value, text: &mut String) {
    for part in parts {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Values(path) => {
                let values: Vec<String> =
                    path.find(document, here).into_iter().map(shown).collect();
                text.push_str(&values.join(" "));
            }
            Part::Range(path, parts) => {
                for item in path.find(document, here) {
                    write(parts, document, item, text);
                }
            }
        }
    }
}

impl FromStr for Template {
    type Err = String;

    /// A text without braces that begins like a path is one.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('{') && text.starts_with(['.', '$', '[', '@']) {
            return Ok(Self(vec![Part::Values(Path::read(text, 0, text.len())?)]));
        }
        // The parts so far of every loop that is open, and where it begins.
        let mut open: Vec<(Path, usize, Vec<Part>)> = Vec::new();
        let mut parts = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let Some(length) = text[at..].find('{') else {
                parts.push(Part::Text(text[at..].to_owned()));
                break;
            };
            if length > 0 {
                parts.push(Part::Text(text[at..at + length].to_owned()));
            }
            let (begin, end) = braces(text, at + length)?;
            at = end + 1;
            match text[begin..end].trim() {
                "end" => {
                    let Some((path, _, before)) = open.pop() else {
                        return Err(wrong(text, begin, "there is no range that could end here"));
                    };
                    let inner = std::mem::replace(&mut parts, before);
                    parts.push(Part::Range(path, inner));
                }
                word if word.starts_with("range ") => {
                    if open.len() == DEPTH_MAX {
                        return Err(wrong(text, begin, "ranges stand too deep in each other"));
                    }
                    let (begin, end) = trimmed(
                        text,
                        begin + text[begin..end].len() - text[begin..end].trim_start().len()
                            + "range ".len(),
                        end,
                    );
                    let path = Path::read(text, begin, end)?;
                    open.push((path, begin, std::mem::take(&mut parts)));
                }
                word if word.starts_with(['"', '\'']) => {
                    let literal = literal(word)
                        .ok_or_else(|| wrong(text, begin, "this is no text in quotes"))?;
                    parts.push(Part::Text(literal));
                }
                _ => {
                    let (begin, end) = trimmed(text, begin, end);
                    parts.push(Part::Values(Path::read(text, begin, end)?));
                }
            }
        }
        match open.pop() {
            Some((_, begin, _)) => Err(wrong(text, begin, "this range has no {end}")),
            None => Ok(Self(parts)),
        }
    }
}

/// `text[begin..end]` without the space around it.
fn trimmed(text: &str, begin: usize, end: usize) -> (usize, usize) {
    let part = &text[begin..end];
    let begin = begin + part.len() - part.trim_start().len();
    (begin, begin + part.trim().len())
}

/// What stands between the braces of which the first is at `open`.
fn braces(text: &str, open: usize) -> Result<(usize, usize), String> {
    let (mut quote, mut is_escaped) = (None, false);
    for (offset, character) in text[open..].char_indices().skip(1) {
        match (quote, character) {
            _ if is_escaped => is_escaped = false,
            (_, '\\') => is_escaped = true,
            (Some(mark), _) if character == mark => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '}') => return Ok((open + 1, open + offset)),
            _ => {}
        }
    }
    Err(wrong(text, open, "this { is not closed"))
}

/// A text in quotes, in which `\n` and `\t` stand for what they do elsewhere.
fn literal(word: &str) -> Option<String> {
    let mark = word.chars().next()?;
    let inner = word.strip_prefix(mark)?.strip_suffix(mark)?;
    let mut literal = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        literal.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            },
            _ => character,
        });
    }
    Some(literal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(template: &str) -> String {
        let document = json!({
            "as_of_seq": 7,
            "items": [{"id": "a", "needs": ["x", "y"]}, {"id": "b", "needs": []}],
        });
        template.parse::<Template>().unwrap().text(&document)
    }

    #[test]
    fn texts_paths_and_loops_come_in_their_order() {
        for (template, expected) in [
            ("{.items[*].id}", "a b"),
            (".items[*].id", "a b"),
            ("at {.as_of_seq}: {.items[0].id}", "at 7: a"),
            ("{range .items[*]}{.id}{\"\\t\"}{.needs[*]}{\"\\n\"}{end}", "a\tx y\nb\t\n"),
            ("{range .items[*]}{range .needs[*]}{@}-{end}{$.as_of_seq} {end}", "x-y-7 7 "),
            ("{ range  .items[*] }{ .id }{'}'}{ end }", "a}b}"),
            ("{.items[0]}", "{\"id\":\"a\",\"needs\":[\"x\",\"y\"]}"),
            ("{.missing}", ""),
            ("no path", "no path"),
        ] {
            assert_eq!(text(template), expected, "{template}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (template, what) in [
            ("{.a", "this { is not closed, at character 1 "),
            ("{end}", "no range that could end here, at character 2 "),
            ("é {range .a}", "this range has no {end}, at character 10 "),
            ("é {.a[}", "this [ is not closed, at character 6 "),
            ("{\"a}", "this { is not closed, at character 1 "),
        ] {
            let error = template.parse::<Template>().unwrap_err();
            assert!(error.contains(what), "{template}: {error}");
        }
        let deep = "{range .a}".repeat(DEPTH_MAX + 1);
        assert!(deep.parse::<Template>().unwrap_err().contains("too deep"));
    }
}
