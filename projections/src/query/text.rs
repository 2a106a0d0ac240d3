//! Filters written as a text, for people: a part of the Common Expression Language.

use super::{
    Test, cost,
    error::{Invalid, Place, unknown},
    fields::{Catalogue, Field},
    lexer::{Token, Word, words},
    literal::{self, Literal},
    pattern::Pattern,
    tree::{Condition, Order, When},
};

/// What can be asked of a text: `name.matches("^a")`.
const METHODS: [&str; 4] = ["matches", "startsWith", "endsWith", "contains"];

const UNKNOWN: &str = "there is no function";

/// Reads a filter of records of this kind, and refuses what costs too much.
pub fn parse(catalogue: &Catalogue, text: &str) -> Result<Condition, Invalid> {
    cost::within("bytes", text.len(), cost::TEXT_BYTES_MAX)?;
    let mut reading = Reading { catalogue, words: words(text)?, at: 0, depth: 0 };
    let condition = reading.any()?;
    if reading.peek() != &Token::End {
        let found = reading.peek().show();
        return Err(reading.wrong(format!("{found} cannot follow here; write && or ||")));
    }
    cost::check(&condition)?;
    Ok(condition)
}

struct Reading<'a> {
    catalogue: &'a Catalogue,
    words: Vec<Word>,
    at: usize,
    depth: usize,
}

/// What stands on a side of a comparison.
enum Side {
    Field(Field, usize),
    Value(Literal),
    /// It is a condition already.
    Whole(Condition),
}

impl Reading<'_> {
    fn word(&self) -> &Word {
        &self.words[self.at.min(self.words.len() - 1)]
    }

    fn peek(&self) -> &Token {
        &self.word().token
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let takes = matches!(self.peek(), Token::Sign(found) if *found == sign);
        self.at += usize::from(takes);
        takes
    }

    fn expect(&mut self, sign: &str) -> Result<(), Invalid> {
        if self.takes(sign) {
            return Ok(());
        }
        let found = self.peek().show();
        Err(self.wrong(format!("{found} stands where {sign:?} was expected")))
    }

    /// Says what is wrong with the next word.
    fn wrong(&self, message: impl Into<String>) -> Invalid {
        wrong_at(self.word().column, message)
    }

    fn any(&mut self) -> Result<Condition, Invalid> {
        let mut parts = vec![self.all()?];
        while self.takes("||") {
            parts.push(self.all()?);
        }
        Ok(Condition::any(parts))
    }

    fn all(&mut self) -> Result<Condition, Invalid> {
        let mut parts = vec![self.unary()?];
        while self.takes("&&") {
            parts.push(self.unary()?);
        }
        Ok(Condition::all(parts))
    }

    fn unary(&mut self) -> Result<Condition, Invalid> {
        self.depth += 1;
        cost::within("levels of conditions", self.depth, cost::DEPTH_MAX)?;
        let condition = if self.takes("!") {
            self.unary()?.negated()
        } else if self.takes("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, Invalid> {
        let column = self.word().column;
        let left = self.side()?;
        if let Side::Whole(condition) = left {
            return Ok(condition);
        }
        if matches!(self.peek(), Token::Name(name) if name == "in") {
            self.at += 1;
            return self.is_in(left, column);
        }
        let operator = match self.peek() {
            Token::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => *sign,
            Token::Sign("=") => return Err(self.wrong("write == for what is equal")),
            _ => return self.alone(left, column),
        };
        self.at += 1;
        let right = self.side()?;
        let (field, at, value, flipped) = match (left, right) {
            (Side::Field(field, at), Side::Value(value)) => (field, at, value, false),
            (Side::Value(value), Side::Field(field, at)) => (field, at, value, true),
            _ => return Err(wrong_at(column, "compare a field with a value: status == \"ready\"")),
        };
        let order = |order: Order| if flipped { order.flipped() } else { order };
        let made = match operator {
            "==" => literal::equals(field, value),
            "!=" => literal::equals(field, value).map(Condition::negated),
            "<" => literal::ordered(field, order(Order::Less), value),
            "<=" => literal::ordered(field, order(Order::LessOrEqual), value),
            ">" => literal::ordered(field, order(Order::Greater), value),
            _ => literal::ordered(field, order(Order::GreaterOrEqual), value),
        };
        made.map_err(|message| wrong_at(at, message))
    }

    /// A field of its own is true or false.
    fn alone(&self, side: Side, column: usize) -> Result<Condition, Invalid> {
        if let Side::Field(field, at) = side {
            let made = literal::equals(field, Literal::Bool(true));
            return made.map_err(|message| wrong_at(at, message));
        }
        let found = self.peek().show();
        let message = format!("a value is no condition; compare it, before {found}");
        Err(wrong_at(column, message))
    }

    /// `FIELD in [VALUE, …]`, or `VALUE in FIELD` where that is a list.
    fn is_in(&mut self, left: Side, column: usize) -> Result<Condition, Invalid> {
        match left {
            Side::Field(field, at) => {
                let values = self.list()?;
                literal::is_in(field, values).map_err(|message| wrong_at(at, message))
            }
            Side::Value(value) => match self.side()? {
                Side::Field(list, at) => {
                    literal::includes(list, value).map_err(|message| wrong_at(at, message))
                }
                Side::Value(_) | Side::Whole(_) => {
                    Err(wrong_at(column, "write a field: status in [\"ready\"]"))
                }
            },
            Side::Whole(_) => Err(wrong_at(column, "write a field: status in [\"ready\"]")),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, Invalid> {
        self.expect("[")?;
        let mut values = Vec::new();
        while !self.takes("]") {
            if !values.is_empty() {
                self.expect(",")?;
                if self.takes("]") {
                    break;
                }
            }
            let column = self.word().column;
            match self.side()? {
                Side::Value(value) => values.push(value),
                _ => return Err(wrong_at(column, "write values: [\"a\", \"b\"]")),
            }
        }
        Ok(values)
    }

    fn side(&mut self) -> Result<Side, Invalid> {
        let column = self.word().column;
        match self.next() {
            Token::Text(text) => Ok(Side::Value(Literal::Text(text))),
            Token::Number(number) => Ok(Side::Value(Literal::Number(number))),
            Token::Sign("-") => match self.next() {
                Token::Number(number) => {
                    let number = serde_json::from_str(&format!("-{number}"));
                    let number = number.map_err(|error| wrong_at(column, error.to_string()))?;
                    Ok(Side::Value(Literal::Number(number)))
                }
                _ => Err(wrong_at(column, "a number was expected behind -")),
            },
            Token::Name(name) => self.named(name, column),
            Token::End => Err(wrong_at(column, "the text ends where a condition was expected")),
            token @ Token::Sign(_) => {
                let message = format!("{} stands where a field was expected", token.show());
                Err(wrong_at(column, message))
            }
        }
    }

    fn named(&mut self, name: String, column: usize) -> Result<Side, Invalid> {
        match name.as_str() {
            "true" => return Ok(Side::Value(Literal::Bool(true))),
            "false" => return Ok(Side::Value(Literal::Bool(false))),
            "null" => return Ok(Side::Value(Literal::Null)),
            "now" => return Ok(Side::Value(Literal::Time(self.now()?))),
            "in" => return Err(wrong_at(column, "a field was expected before \"in\"")),
            _ => {}
        }
        if self.takes("(") {
            return self.call(&name, column);
        }
        let (keys, method) = self.keys(name)?;
        let field = self.catalogue.field(&keys).map_err(|message| wrong_at(column, message))?;
        match method {
            Some(method) => self.method(field, &method, column).map(Side::Whole),
            None => Ok(Side::Field(field, column)),
        }
    }

    /// `now`, and what is added to it.
    fn now(&mut self) -> Result<When, Invalid> {
        let is_past = match self.peek() {
            Token::Sign("-") => true,
            Token::Sign("+") => false,
            _ => return Ok(When::Now(0)),
        };
        self.at += 1;
        let column = self.word().column;
        let advice = || wrong_at(column, "write now - duration(\"1h\")");
        if self.next() != Token::Name("duration".into()) || !self.takes("(") {
            return Err(advice());
        }
        let length = self.text_of_call(column, "duration")?;
        literal::from_now(&length, is_past).map_err(|message| wrong_at(column, message))
    }

    /// The keys that lead to a field, and what is called on it.
    fn keys(&mut self, first: String) -> Result<(Vec<String>, Option<String>), Invalid> {
        let mut keys = vec![first];
        loop {
            let column = self.word().column;
            if self.takes(".") {
                let Token::Name(key) = self.next() else {
                    let message = "a name was expected behind the dot; others are written \
                                   labels[\"a-b\"]";
                    return Err(wrong_at(column + 1, message));
                };
                if self.takes("(") {
                    return Ok((keys, Some(key)));
                }
                keys.push(key);
            } else if self.takes("[") {
                match self.next() {
                    Token::Text(key) => keys.push(key),
                    Token::Number(index) => keys.push(index.to_string()),
                    _ => return Err(wrong_at(column + 1, "write a name in quotes: [\"a-b\"]")),
                }
                self.expect("]")?;
            } else {
                return Ok((keys, None));
            }
        }
    }

    fn call(&mut self, function: &str, column: usize) -> Result<Side, Invalid> {
        let relation = self.catalogue.relations.iter().find(|it| it.name() == function);
        if let Some(relation) = relation {
            let id = self.text_of_call(column, function)?.parse();
            let advice =
                |_| wrong_at(column, format!("write {function}(\"ID\") with all of an id"));
            return Ok(Side::Whole(Condition::Related(*relation, id.map_err(advice)?)));
        }
        match function {
            "has" => {
                let column = self.word().column;
                let Token::Name(first) = self.next() else {
                    return Err(wrong_at(column, "write a field: has(error)"));
                };
                let (keys, method) = self.keys(first)?;
                if method.is_some() {
                    return Err(wrong_at(column, "write nothing but a field: has(error)"));
                }
                self.expect(")")?;
                let field = self.catalogue.field(&keys);
                let field = field.map_err(|message| wrong_at(column, message))?;
                Ok(Side::Whole(Condition::Field(field, Test::Exists)))
            }
            "timestamp" => {
                let when = literal::timestamp(&self.text_of_call(column, function)?);
                let when = when.map_err(|message| wrong_at(column, message))?;
                Ok(Side::Value(Literal::Time(when)))
            }
            _ => {
                let relations = self.catalogue.relations.iter().map(|it| it.name());
                let known = ["has", "timestamp", "duration"].into_iter().chain(relations);
                Err(wrong_at(column, unknown(UNKNOWN, function, known)))
            }
        }
    }

    fn method(&mut self, field: Field, method: &str, column: usize) -> Result<Condition, Invalid> {
        if !METHODS.contains(&method) {
            return Err(wrong_at(column, unknown(UNKNOWN, method, METHODS)));
        }
        let text = self.text_of_call(column, method)?;
        let pattern = match method {
            "matches" => Pattern::new(&text),
            "startsWith" => Pattern::literal(&text, true, false),
            "endsWith" => Pattern::literal(&text, false, true),
            _ => Pattern::literal(&text, false, false),
        };
        literal::matches(field, pattern).map_err(|message| wrong_at(column, message))
    }

    /// The text in the parentheses that were opened.
    fn text_of_call(&mut self, column: usize, function: &str) -> Result<String, Invalid> {
        let Token::Text(text) = self.next() else {
            return Err(wrong_at(column, format!("{function} takes a text in quotes")));
        };
        self.expect(")")?;
        Ok(text)
    }
}

fn wrong_at(column: usize, message: impl Into<String>) -> Invalid {
    Invalid { place: Place::Column(column), message: message.into() }
}
