//! References in pipelines: `$params.url`, `$words.words`, `$["a.b"]["c.d"]`.

use std::fmt;

/// What a reference points to: an output of a step, or a parameter (the owner is `params`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The step, or `params`.
    pub owner: String,
    /// Its output, or the parameter.
    pub name: String,
}

impl Reference {
    /// The owner of parameters.
    pub const PARAMS: &'static str = "params";

    /// Whether a text is meant as a reference: it starts with `$`, and not with `$$`, which stands
    /// for a plain dollar sign.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with('$') && !text.starts_with("$$")
    }

    /// Reads a reference; the error says how one is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let advice = || {
            format!(
                "{text:?} is not a reference: write $step.output or $params.name, and \
                 $[\"a.b\"].output for a name with a dot; a text that starts with $ is written $$"
            )
        };
        let rest = text.strip_prefix('$').ok_or_else(advice)?;
        let (owner, rest) = part(rest).ok_or_else(advice)?;
        let (name, rest) = part(rest.strip_prefix('.').unwrap_or(rest)).ok_or_else(advice)?;
        if rest.is_empty() { Ok(Self { owner, name }) } else { Err(advice()) }
    }

    /// Whether it points to a parameter.
    pub fn is_param(&self) -> bool {
        self.owner == Self::PARAMS
    }
}

/// Takes a bare or a quoted name off the front.
fn part(text: &str) -> Option<(String, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        let mut quoted = serde_json::Deserializer::from_str(inner).into_iter::<String>();
        let name = quoted.next()?.ok()?;
        let rest = inner[quoted.byte_offset()..].strip_prefix(']')?;
        return Some((name, rest));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let name = &text[..end];
    is_bare(name).then(|| (name.to_owned(), &text[end..]))
}

/// Whether `name` can be written without quotes.
fn is_bare(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
    !name.is_empty() && name.chars().all(plain)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for (index, name) in [&self.owner, &self.name].into_iter().enumerate() {
            if is_bare(name) {
                write!(f, "{}{name}", if index == 0 { "" } else { "." })?;
            } else {
                write!(f, "[{}]", serde_json::Value::from(name.as_str()))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        for (text, owner, name) in [
            ("$params.url", "params", "url"),
            ("$words.words", "words", "words"),
            (r#"$["a.b"].out"#, "a.b", "out"),
            (r#"$x["p2.fits"]"#, "x", "p2.fits"),
            (r#"$["a.b"]["c.d"]"#, "a.b", "c.d"),
            (r##"$["A:B"]["#x \"y\""]"##, "A:B", "#x \"y\""),
        ] {
            let reference = Reference::parse(text).expect(text);
            assert_eq!((reference.owner.as_str(), reference.name.as_str()), (owner, name));
            assert_eq!(reference.to_string(), text);
        }
        for wrong in ["", "$", "$a", "$a.", "$a.b.c", "$a b.c", "words", "$[a].b"] {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
