//! Regular expressions that mean the same here and in Postgres.
//!
//! What is written is read as Rust's `regex` reads it, with `\d`, `\w` and `\s` of ASCII, and written
//! anew with nothing but literals, classes, groups, alternatives, greedy repetitions and the ends of
//! the text. That is what both are given: of it they have one notion.

use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};
use regex_syntax::{
    ast::{
        Ast, ClassAscii, ClassAsciiKind, ClassBracketed, ClassPerl, ClassPerlKind, ClassSet,
        ClassSetItem, parse::ParserBuilder,
    },
    hir::{Class, ClassUnicode, Hir, HirKind, Look, Repetition, translate::Translator},
};

use super::cost;

/// A pattern, as it was written and as it is looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Pattern {
    /// Reads a pattern. The error says what is wrong with it.
    pub fn new(source: &str) -> Result<Self, String> {
        let length = source.chars().count();
        if length > cost::PATTERN_LENGTH_MAX {
            let max = cost::PATTERN_LENGTH_MAX;
            return Err(format!("the pattern has {length} characters, more than {max}"));
        }
        let wrong = |error: &dyn std::fmt::Display| {
            format!("{source:?} is no pattern that can be looked for: {error}")
        };
        let parsed = ParserBuilder::new().nest_limit(cost::PATTERN_DEPTH_MAX).build().parse(source);
        let mut ast = parsed.map_err(|error| wrong(error.kind()))?;
        to_ascii(&mut ast).map_err(|error| wrong(&error))?;
        let hir = Translator::new().translate(source, &ast);
        let hir = hir.map_err(|error| wrong(error.kind()))?;
        if size(&hir) > cost::PATTERN_SIZE_MAX {
            let max = cost::PATTERN_SIZE_MAX;
            return Err(wrong(&format!("its repetitions come to more than {max} characters")));
        }
        let mut text = String::new();
        write(&hir, &mut text).map_err(|error| wrong(&error))?;
        Self::compile(source, &text).map_err(|error| wrong(&error))
    }

    /// The pattern of texts that have `literal` in them: at their beginning, at their end, or
    /// anywhere.
    pub fn literal(literal: &str, at_start: bool, at_end: bool) -> Result<Self, String> {
        let end = |is: bool, sign| if is { sign } else { "" };
        Self::new(&format!("{}{}{}", end(at_start, "^"), regex::escape(literal), end(at_end, "$")))
    }

    fn compile(source: &str, text: &str) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(cost::PATTERN_BYTES_MAX).dfa_size_limit(cost::PATTERN_BYTES_MAX);
        let regex = builder.build().map_err(|_| "it is too complex".to_owned())?;
        Ok(Self { source: source.to_owned(), regex })
    }

    /// What both are given.
    pub(super) fn text(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it is found in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// `\d`, `\s` and `\w` are of ASCII. The depth was bounded when it was parsed.
fn to_ascii(ast: &mut Ast) -> Result<(), String> {
    match ast {
        Ast::ClassPerl(perl) => {
            let (span, kind) = (perl.span, ClassSet::Item(ClassSetItem::Ascii(ascii(perl))));
            *ast = Ast::class_bracketed(ClassBracketed { span, negated: false, kind });
        }
        Ast::ClassUnicode(_) => return Err(UNICODE.into()),
        Ast::ClassBracketed(class) => set_to_ascii(&mut class.kind)?,
        Ast::Repetition(repetition) => to_ascii(&mut repetition.ast)?,
        Ast::Group(group) => to_ascii(&mut group.ast)?,
        Ast::Alternation(alternation) => alternation.asts.iter_mut().try_for_each(to_ascii)?,
        Ast::Concat(concat) => concat.asts.iter_mut().try_for_each(to_ascii)?,
        Ast::Empty(_) | Ast::Flags(_) | Ast::Literal(_) | Ast::Dot(_) | Ast::Assertion(_) => {}
    }
    Ok(())
}

const UNICODE: &str = "it names a class of Unicode; name the characters, as in [a-zäöü]";

fn set_to_ascii(set: &mut ClassSet) -> Result<(), String> {
    match set {
        ClassSet::Item(item) => item_to_ascii(item),
        ClassSet::BinaryOp(operation) => {
            set_to_ascii(&mut operation.lhs)?;
            set_to_ascii(&mut operation.rhs)
        }
    }
}

fn item_to_ascii(item: &mut ClassSetItem) -> Result<(), String> {
    match item {
        ClassSetItem::Perl(perl) => *item = ClassSetItem::Ascii(ascii(perl)),
        ClassSetItem::Unicode(_) => return Err(UNICODE.into()),
        ClassSetItem::Bracketed(class) => set_to_ascii(&mut class.kind)?,
        ClassSetItem::Union(union) => union.items.iter_mut().try_for_each(item_to_ascii)?,
        ClassSetItem::Empty(_)
        | ClassSetItem::Literal(_)
        | ClassSetItem::Range(_)
        | ClassSetItem::Ascii(_) => {}
    }
    Ok(())
}

fn ascii(perl: &ClassPerl) -> ClassAscii {
    let kind = match perl.kind {
        ClassPerlKind::Digit => ClassAsciiKind::Digit,
        ClassPerlKind::Space => ClassAsciiKind::Space,
        ClassPerlKind::Word => ClassAsciiKind::Word,
    };
    ClassAscii { span: perl.span, kind, negated: perl.negated }
}

/// How many characters it stands for, with all that is repeated.
fn size(hir: &Hir) -> usize {
    let subs = || hir.kind().subs().iter().map(size).fold(0, usize::saturating_add);
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            subs().max(1).saturating_mul(times as usize)
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => 1,
        HirKind::Capture(_) | HirKind::Concat(_) | HirKind::Alternation(_) => subs(),
    }
}

/// Writes it so that it can be read in one way only.
fn write(hir: &Hir, into: &mut String) -> Result<(), String> {
    match hir.kind() {
        HirKind::Empty => into.push_str("(?:)"),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| BYTES)?;
            text.chars().try_for_each(|character| write_char(character, into))?;
        }
        HirKind::Class(Class::Unicode(class)) => write_class(class, into)?,
        HirKind::Class(Class::Bytes(_)) => return Err(BYTES.into()),
        HirKind::Look(Look::Start) => into.push('^'),
        HirKind::Look(Look::End) => into.push('$'),
        HirKind::Look(_) => return Err("of places, it knows ^ and $ of the whole text only".into()),
        HirKind::Repetition(repetition) => write_repetition(repetition, into)?,
        HirKind::Capture(capture) => group(&capture.sub, into)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| match part.kind() {
            HirKind::Alternation(_) => group(part, into),
            _ => write(part, into),
        })?,
        HirKind::Alternation(parts) => {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    into.push('|');
                }
                write(part, into)?;
            }
        }
    }
    Ok(())
}

const BYTES: &str = "it names bytes; name characters";

fn group(hir: &Hir, into: &mut String) -> Result<(), String> {
    into.push_str("(?:");
    write(hir, into)?;
    into.push(')');
    Ok(())
}

fn write_repetition(repetition: &Repetition, into: &mut String) -> Result<(), String> {
    let Repetition { min, max, sub, .. } = repetition;
    if max.unwrap_or(*min) > cost::PATTERN_TIMES_MAX {
        return Err(format!("it repeats more than {} times", cost::PATTERN_TIMES_MAX));
    }
    if !sub.properties().look_set().is_empty() {
        return Err("it repeats ^ or $".into());
    }
    group(sub, into)?;
    let written = match (min, max) {
        (0, None) => write!(into, "*"),
        (1, None) => write!(into, "+"),
        (0, Some(1)) => write!(into, "?"),
        (min, None) => write!(into, "{{{min},}}"),
        (min, Some(max)) => write!(into, "{{{min},{max}}}"),
    };
    written.map_err(|error| error.to_string())
}

fn write_class(class: &ClassUnicode, into: &mut String) -> Result<(), String> {
    let mut class = class.clone();
    // What goes on to the last character is what leaves some out.
    let leaves_out = class.ranges().last().is_some_and(|range| range.end() == char::MAX);
    if leaves_out {
        class.negate();
    }
    if class.ranges().is_empty() {
        // Postgres has no class of nothing; of everything there is one of all but the NUL character,
        // which no text has.
        return if leaves_out {
            into.push_str("[\\u0001-\\U0010FFFF]");
            Ok(())
        } else {
            Err("a class of it has no characters".into())
        };
    }
    into.push_str(if leaves_out { "[^" } else { "[" });
    for range in class.ranges() {
        let start = range.start().max('\u{1}');
        if start > range.end() {
            // No text has it, so that leaving it out is leaving out what comes next to nothing.
            return Err(NUL.into());
        }
        write_char(start, into)?;
        if start != range.end() {
            into.push('-');
            write_char(range.end(), into)?;
        }
    }
    into.push(']');
    Ok(())
}

const NUL: &str = "it names the NUL character, which no text has";

fn write_char(character: char, into: &mut String) -> Result<(), String> {
    let written = match character {
        '\0' => return Err(NUL.into()),
        c if c.is_ascii_alphanumeric() => write!(into, "{c}"),
        c if (c as u32) < 0x1_0000 => write!(into, "\\u{:04X}", c as u32),
        c => write!(into, "\\U{:08X}", c as u32),
    };
    written.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_written_anew() {
        for (source, text) in [
            ("^a.b$", "^a[^\\u000A]b$"),
            ("(x|yy)+", "(?:(?:x|yy))+"),
            (r"\d{2,3}?", "(?:[0-9]){2,3}"),
            (r"[^\w-]", r"[^\u002D0-9A-Z\u005Fa-z]"),
            ("(?i)k", "[Kk\\u212A]"),
            ("(?s).", "[\\u0001-\\U0010FFFF]"),
            ("a||b", "a|(?:)|b"),
            ("ä/😀", "\\u00E4\\u002F\\U0001F600"),
        ] {
            assert_eq!(Pattern::new(source).unwrap().text(), text, "{source}");
        }
    }

    #[test]
    fn what_differs_or_costs_too_much_is_refused() {
        for source in [
            "(",
            r"\p{Greek}",
            r"[\pL]",
            r"\bx",
            "(?m)^x",
            r"a\0",
            r"(?-u:\xff)",
            "(^)*",
            "a{300}",
            "((a{50}){50}){2}",
            r"(a)\1",
            "(?=a)",
            "((((((((((((a))))))))))))",
            "[a&&b]",
        ] {
            let error = Pattern::new(source).unwrap_err();
            assert!(error.contains(&format!("{source:?}")), "{error}");
        }
        assert!(Pattern::new(&"a".repeat(300)).unwrap_err().contains("more than 256"));
    }

    #[test]
    fn a_literal_is_taken_as_it_is() {
        let pattern = Pattern::literal("a.b", true, false).unwrap();
        assert!(pattern.is_in("a.bc") && !pattern.is_in("axb") && !pattern.is_in("xa.b"));
        let pattern = Pattern::literal("(", false, true).unwrap();
        assert!(pattern.is_in("x(") && !pattern.is_in("(x"));
    }
}
