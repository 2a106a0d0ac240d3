//! One path: `.a.b`, `['a.b']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `..a`, `[?(@.a == 1)]`.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::wrong;

/// A path into a JSON document. [`serde_json_path`] follows it; what `kubectl` writes otherwise than
/// RFC 9535 is read here.
#[derive(Debug)]
pub(super) struct Path {
    steps: JsonPath,
    /// Whether it begins at the document even inside of a loop.
    is_absolute: bool,
}

impl Path {
    /// Reads `text[begin..end]`. The leading `$`, `@` or dot may be missing.
    pub(super) fn read(text: &str, begin: usize, end: usize) -> Result<Self, String> {
        let mut at = begin;
        let is_absolute = text[at..end].starts_with('$');
        if is_absolute || text[at..end].starts_with('@') {
            at += 1;
        }
        let mut steps = String::from("$");
        let mut is_first = true;
        while at < end {
            let step = match &text[at..end] {
                rest if rest.starts_with('[') => bracket(text, at, end)?,
                rest if rest.starts_with("..") => descent(text, at, end)?,
                "." if is_first => Step { rfc: String::new(), end },
                rest if rest.starts_with('.') => name(text, at + 1, end, "")?,
                _ if is_first && !is_absolute => name(text, at, end, "")?,
                _ => return Err(wrong(text, at, "a dot or a bracket is missing")),
            };
            // Each by itself, so that it is known which one makes no sense.
            if JsonPath::parse(&format!("${}", step.rfc)).is_err() {
                return Err(wrong(text, at, "this is no step of a path"));
            }
            steps.push_str(&step.rfc);
            (at, is_first) = (step.end, false);
        }
        let steps =
            JsonPath::parse(&steps).map_err(|error| wrong(text, begin, &error.to_string()))?;
        Ok(Self { steps, is_absolute })
    }

    /// The values that it leads to: from `document` if it begins with `$`, else from `here`.
    pub(super) fn find<'a>(&self, document: &'a Value, here: &'a Value) -> Vec<&'a Value> {
        self.steps.query(if self.is_absolute { document } else { here }).all()
    }
}

/// A step as RFC 9535 writes it, and where the text goes on.
struct Step {
    rfc: String,
    end: usize,
}

/// `[…]`, in which quotes may hide a bracket.
fn bracket(text: &str, begin: usize, end: usize) -> Result<Step, String> {
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for (offset, character) in text[begin..end].char_indices() {
        match (quote, character) {
            _ if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth == 1 => {
                let end = begin + offset + 1;
                return Ok(Step { rfc: text[begin..end].to_owned(), end });
            }
            (None, ']') => depth -= 1,
            (Some(_) | None, _) => {}
        }
    }
    Err(wrong(text, begin, "this [ is not closed"))
}

/// `..name`, `..*` and `..[…]`
fn descent(text: &str, begin: usize, end: usize) -> Result<Step, String> {
    let at = begin + 2;
    if text[at..end].starts_with('[') {
        let step = bracket(text, at, end)?;
        return Ok(Step { rfc: format!("..{}", step.rfc), ..step });
    }
    name(text, at, end, "..")
}

/// A name up to the next dot or bracket, in which `\.` stands for a dot.
fn name(text: &str, begin: usize, end: usize, lead: &str) -> Result<Step, String> {
    let (mut name, mut is_escaped, mut stop) = (String::new(), false, end);
    for (offset, character) in text[begin..end].char_indices() {
        match character {
            _ if is_escaped => {
                is_escaped = false;
                name.push(character);
            }
            '\\' => is_escaped = true,
            '.' | '[' => {
                stop = begin + offset;
                break;
            }
            _ => name.push(character),
        }
    }
    let rfc = match name.as_str() {
        "" => return Err(wrong(text, begin, "a name is missing")),
        "*" => format!("{lead}[*]"),
        name => format!("{lead}[{}]", Value::from(name)),
    };
    Ok(Step { rfc, end: stop })
}

/// A value as a text: texts as they are, all others as JSON.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str) -> Vec<Value> {
        let document = json!({
            "items": [
                {"id": "a", "n": 1, "labels": {"app.io/name": "x", "my-team": "search"}},
                {"id": "b", "n": 2, "labels": {}},
                {"id": "c", "n": 3},
            ],
        });
        let path = Path::read(path, 0, path.len()).unwrap();
        path.find(&document, &document).into_iter().cloned().collect()
    }

    #[test]
    fn paths_of_kubectl_lead_to_values() {
        for (path, expected) in [
            (".items[0].id", json!(["a"])),
            ("items[0].id", json!(["a"])),
            ("$.items[-1].id", json!(["c"])),
            ("@.items[*].n", json!([1, 2, 3])),
            (".items[0:2].n", json!([1, 2])),
            (".items[::2]['id']", json!(["a", "c"])),
            (".items[0].labels.my-team", json!(["search"])),
            (r".items[0].labels.app\.io/name", json!(["x"])),
            (".items[0].labels['app.io/name']", json!(["x"])),
            ("..n", json!([1, 2, 3])),
            (".items[?(@.n > 1)].id", json!(["b", "c"])),
            (".items[?(@.id==\"a\")].n", json!([1])),
            (".items[2].*", json!(["c", 3])),
            (".missing.too", json!([])),
        ] {
            assert_eq!(Value::from(found(path)), expected, "{path}");
        }
        assert_eq!(found(".").len(), 1);
        assert_eq!(found("").len(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (path, character) in [
            (".items[", 7),
            (".items[0]id", 10),
            (".items..", 9),
            (".items[a b].id", 7),
            (".a..b[].c", 6),
            (".a.", 4),
        ] {
            let error = Path::read(path, 0, path.len()).unwrap_err();
            assert!(error.contains(&format!("at character {character} of")), "{path}: {error}");
        }
    }
}
