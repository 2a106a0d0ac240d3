//! The words of a filter that is written as a text.

use serde_json::Number;

use super::error::{Invalid, Place};

/// A word, and the column where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) token: Token,
    pub(super) column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name of a field, of a function, or `in`, `true`, `now`.
    Name(String),
    Text(String),
    Number(Number),
    /// `==`, `(` and the like.
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 21] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", ".", "-", "+", "=",
    "&", "|", "?",
];

impl Token {
    /// As it is told to people.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Name(name) => format!("{name:?}"),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Number(number) => format!("the number {number}"),
            Self::Sign(sign) => format!("{sign:?}"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// The words of `text`, and its end.
pub(super) fn words(text: &str) -> Result<Vec<Word>, Invalid> {
    let mut rest = Rest { text: text.chars().collect(), at: 0 };
    let mut words = Vec::new();
    loop {
        while rest.peek().is_some_and(char::is_whitespace) {
            rest.at += 1;
        }
        let column = rest.at + 1;
        let token = rest.token()?;
        let is_end = token == Token::End;
        words.push(Word { token, column });
        if is_end {
            return Ok(words);
        }
    }
}

struct Rest {
    text: Vec<char>,
    at: usize,
}

impl Rest {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self, message: impl Into<String>) -> Invalid {
        Invalid { place: Place::Column(self.at + 1), message: message.into() }
    }

    fn token(&mut self) -> Result<Token, Invalid> {
        match self.peek() {
            None => Ok(Token::End),
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(c) if c.is_ascii_digit() => self.number(),
            Some(c) if is_of_name(c) => Ok(Token::Name(self.take_while(is_of_name))),
            Some(c) => {
                let begins = |sign: &&&str| {
                    let there = &self.text[self.at..self.text.len().min(self.at + sign.len())];
                    sign.chars().eq(there.iter().copied())
                };
                let sign = *SIGNS.iter().find(begins).ok_or_else(|| {
                    self.wrong(format!("{c:?} means nothing here; texts stand in quotes"))
                })?;
                self.at += sign.len();
                Ok(Token::Sign(sign))
            }
        }
    }

    fn take_while(&mut self, is: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| is(*c)) {
            taken.push(c);
            self.at += 1;
        }
        taken
    }

    fn number(&mut self) -> Result<Token, Invalid> {
        let start = self.at;
        let mut text = self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            self.at += 1;
            text.push('.');
            text += &self.take_while(|c| c.is_ascii_digit());
        }
        if let Some(e @ ('e' | 'E')) = self.peek() {
            self.at += 1;
            text.push(e);
            if let Some(sign @ ('-' | '+')) = self.peek() {
                self.at += 1;
                text.push(sign);
            }
            text += &self.take_while(|c| c.is_ascii_digit());
        }
        text += &self.take_while(is_of_name);
        serde_json::from_str(&text).map(Token::Number).map_err(|_| {
            let place = Place::Column(start + 1);
            Invalid { place, message: format!("{text:?} is no number; write 3, 0.5 or 1e6") }
        })
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Invalid> {
        let start = self.at;
        let mut text = String::new();
        loop {
            self.at += 1;
            match self.peek() {
                None => {
                    let place = Place::Column(start + 1);
                    let message = format!("this text has no end; write {quote} behind it");
                    return Err(Invalid { place, message });
                }
                Some(c) if c == quote => break,
                Some('\\') => text.push(self.escaped()?),
                Some(c) => text.push(c),
            }
        }
        self.at += 1;
        Ok(Token::Text(text))
    }

    fn escaped(&mut self) -> Result<char, Invalid> {
        self.at += 1;
        match self.peek() {
            Some(c @ ('"' | '\'' | '\\')) => Ok(c),
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('u') => {
                let digits: String = self.text.iter().skip(self.at + 1).take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                let wrong = || self.wrong("write \\u and four digits of a character: \\u00e4");
                let c = code.and_then(char::from_u32).ok_or_else(wrong)?;
                self.at += 4;
                Ok(c)
            }
            _ => Err(self.wrong("write \\\\ for a backslash, or \\n, \\t, \\r, \\\", \\u00e4")),
        }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
