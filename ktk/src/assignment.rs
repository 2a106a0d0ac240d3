//! `-p KEY=TEXT` and `-p KEY:=JSON`.

use std::{collections::BTreeMap, str::FromStr};

use serde_json::Value;

use crate::{
    error::{CommandError, Exit},
    manifest::read_json,
};

/// What to do about an error of the API about values: `command` shows which are wanted.
pub(crate) fn advise(error: CommandError, command: &str) -> CommandError {
    let is_no_text = error.api().is_some_and(|error| error.message.contains("got string"));
    match error.exit {
        Exit::Refused if is_no_text => {
            error.or_advise(|| "KEY:=JSON, as KEY=TEXT is always a text".into())
        }
        Exit::Refused => error.or_advise(|| command.to_owned()),
        _ => error,
    }
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write KEY=TEXT or KEY:=JSON")?;
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, read_json(value)?),
            None => (name, Value::from(value)),
        };
        if name.is_empty() {
            return Err("the name before the = is missing".into());
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

/// All assignments by name, each name once.
pub(crate) fn collect(given: Vec<Assignment>) -> Result<BTreeMap<String, Value>, CommandError> {
    let mut values = BTreeMap::new();
    for Assignment { name, value } in given {
        if values.contains_key(&name) {
            return Err(CommandError::usage(format!("{name:?} is given twice")));
        }
        values.insert(name, value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_json_are_told_apart() {
        let read = |text: &str| text.parse().map(|Assignment { name, value }| (name, value));
        assert_eq!(read("a=1"), Ok(("a".into(), json!("1"))));
        assert_eq!(read("a:=1"), Ok(("a".into(), json!(1))));
        assert_eq!(read("a=b=c"), Ok(("a".into(), json!("b=c"))));
        assert_eq!(read("a="), Ok(("a".into(), json!(""))));
        assert_eq!(read("a:={\"b\": [1, null]}"), Ok(("a".into(), json!({"b": [1, null]}))));
        for wrong in ["a", "=1", ":=1", "a:=", "a:=[1", "a:=b", "a:=1 2", "a:=99999999999999999999"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let given = ["a=1", "a:=2"].map(|text| text.parse().unwrap());
        assert_eq!(collect(given.into()).unwrap_err().exit_code(), 2);
    }
}
