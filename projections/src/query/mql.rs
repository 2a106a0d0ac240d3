//! Filters written as JSON, with the operators of `MongoDB`.

use serde_json::{Map, Value};

use super::{
    cost,
    error::{Invalid, Place, unknown},
    fields::{Catalogue, Field},
    literal::{self, Literal},
    pattern::Pattern,
    tree::{Condition, Order, Relation},
};

/// Operators on fields.
const OPERATORS: [&str; 12] = [
    "$eq",
    "$ne",
    "$in",
    "$nin",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$exists",
    "$regex",
    "$includes",
    "$not",
];
/// Operators on conditions.
const COMBINATORS: [&str; 4] = ["$and", "$or", "$nor", "$not"];

/// Reads a filter of records of this kind, and refuses what costs too much.
pub fn parse(catalogue: &Catalogue, filter: &Map<String, Value>) -> Result<Condition, Invalid> {
    let condition = Reading { catalogue, place: Vec::new() }.object(filter)?;
    cost::check(&condition)?;
    Ok(condition)
}

/// Where the reading is.
struct Reading<'a> {
    catalogue: &'a Catalogue,
    place: Vec<String>,
}

impl Reading<'_> {
    /// What `read` makes of what stands at `key`.
    fn at<T>(
        &mut self,
        key: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        self.place.push(key.into());
        // Each level of conditions has two keys at most, and what holds values one more.
        cost::within("levels of conditions", self.place.len() / 2, cost::DEPTH_MAX)?;
        let read = read(self)?;
        self.place.pop();
        Ok(read)
    }

    /// Says what is wrong here.
    fn wrong(&self, message: impl Into<String>) -> Invalid {
        Invalid { place: Place::Keys(self.place.clone()), message: message.into() }
    }

    /// What was made here, or why it could not be.
    fn made<T>(&self, made: Result<T, String>) -> Result<T, Invalid> {
        made.map_err(|message| self.wrong(message))
    }

    fn object(&mut self, filter: &Map<String, Value>) -> Result<Condition, Invalid> {
        let mut parts = Vec::new();
        for (key, value) in filter {
            parts.push(self.at(key, |here| here.entry(key, value))?);
        }
        Ok(Condition::all(parts))
    }

    fn entry(&mut self, key: &str, value: &Value) -> Result<Condition, Invalid> {
        match key {
            "$and" => Ok(Condition::all(self.objects(value)?)),
            "$or" => Ok(Condition::any(self.objects(value)?)),
            "$nor" => Ok(Condition::any(self.objects(value)?).negated()),
            "$not" => match value {
                Value::Object(filter) => Ok(self.object(filter)?.negated()),
                _ => Err(self.wrong("write {\"$not\": {…}} with a filter in it")),
            },
            _ if key.starts_with('$') => self.relation(key, value),
            _ => {
                let field = self.made(self.catalogue.field(&Catalogue::keys(key)))?;
                self.field(&field, value)
            }
        }
    }

    fn objects(&mut self, value: &Value) -> Result<Vec<Condition>, Invalid> {
        let advice = "write a list of filters: [{…}, {…}]";
        let Value::Array(filters) = value else { return Err(self.wrong(advice)) };
        if filters.is_empty() {
            return Err(self.wrong(format!("there is nothing in the list; {advice}")));
        }
        let mut parts = Vec::new();
        for (index, filter) in filters.iter().enumerate() {
            parts.push(self.at(index.to_string(), |here| match filter {
                Value::Object(filter) => here.object(filter),
                _ => Err(here.wrong("this is no filter: write {…}")),
            })?);
        }
        Ok(parts)
    }

    fn relation(&self, key: &str, value: &Value) -> Result<Condition, Invalid> {
        let Catalogue { kind, relations, .. } = self.catalogue;
        let relations: &[Relation] = relations;
        let Some(relation) = relations.iter().find(|it| key[1..] == *it.name()) else {
            let names: Vec<String> = relations.iter().map(|it| format!("${}", it.name())).collect();
            let known = COMBINATORS.into_iter().chain(names.iter().map(String::as_str));
            if OPERATORS.contains(&key) {
                let message = format!("{key} is asked of a field: {{\"FIELD\": {{{key:?}: …}}}}");
                return Err(self.wrong(message));
            }
            return Err(self.wrong(unknown(
                &format!("a filter of a {kind} has no operator"),
                key,
                known,
            )));
        };
        let id = value.as_str().and_then(|text| text.parse().ok());
        let advice = || self.wrong(format!("write {{{key:?}: \"ID\"}} with all of an id"));
        Ok(Condition::Related(*relation, id.ok_or_else(advice)?))
    }

    fn field(&mut self, field: &Field, value: &Value) -> Result<Condition, Invalid> {
        let Value::Object(operators) = value else {
            return self.equals(field, value);
        };
        if operators.is_empty() {
            return Err(self.wrong("there is no operator in it: write {\"$eq\": …}"));
        }
        let mut parts = Vec::new();
        for (operator, value) in operators {
            if operator == "$options" && operators.contains_key("$regex") {
                continue;
            }
            let options = operators.get("$options");
            parts.push(self.at(operator, |here| here.test(field, operator, value, options))?);
        }
        Ok(Condition::all(parts))
    }

    fn test(
        &mut self,
        field: &Field,
        operator: &str,
        value: &Value,
        options: Option<&Value>,
    ) -> Result<Condition, Invalid> {
        let own = field.clone();
        let order = |here: &Self, order| {
            let value = here.scalar(value)?;
            here.made(literal::ordered(own.clone(), order, value))
        };
        match operator {
            "$eq" => self.equals(field, value),
            "$ne" => Ok(self.equals(field, value)?.negated()),
            "$in" => self.listed(field, value),
            "$nin" => Ok(self.listed(field, value)?.negated()),
            "$gt" => order(self, Order::Greater),
            "$gte" => order(self, Order::GreaterOrEqual),
            "$lt" => order(self, Order::Less),
            "$lte" => order(self, Order::LessOrEqual),
            "$exists" => match value {
                Value::Bool(is) => {
                    let exists = Condition::Field(own, super::Test::Exists);
                    Ok(if *is { exists } else { exists.negated() })
                }
                _ => Err(self.wrong("write true or false")),
            },
            "$regex" => {
                let Value::String(pattern) = value else {
                    return Err(self.wrong("write a pattern in quotes"));
                };
                let pattern = with_options(pattern, options).and_then(|it| Pattern::new(&it));
                self.made(literal::matches(own, pattern))
            }
            "$includes" => {
                let value = self.scalar(value)?;
                self.made(literal::includes(own, value))
            }
            "$not" => Ok(self.field(field, value)?.negated()),
            _ => Err(self.wrong(unknown("a field has no operator", operator, OPERATORS))),
        }
    }

    fn equals(&self, field: &Field, value: &Value) -> Result<Condition, Invalid> {
        let value = self.scalar(value)?;
        self.made(literal::equals(field.clone(), value))
    }

    fn listed(&self, field: &Field, value: &Value) -> Result<Condition, Invalid> {
        let Value::Array(values) = value else {
            return Err(self.wrong("write a list of values: [\"a\", \"b\"]"));
        };
        let values = values.iter().map(|value| self.scalar(value)).collect::<Result<_, _>>()?;
        self.made(literal::is_in(field.clone(), values))
    }

    fn scalar(&self, value: &Value) -> Result<Literal, Invalid> {
        match value {
            Value::Null => Ok(Literal::Null),
            Value::Bool(is) => Ok(Literal::Bool(*is)),
            Value::Number(number) => Ok(Literal::Number(number.clone())),
            Value::String(text) => Ok(Literal::Text(text.clone())),
            Value::Array(_) => Err(self.wrong("this is a list: write {\"$in\": […]}")),
            Value::Object(_) => Err(self.wrong("write a text, a number, true, false or null")),
        }
    }
}

fn with_options(pattern: &str, options: Option<&Value>) -> Result<String, String> {
    match options {
        None => Ok(pattern.to_owned()),
        Some(Value::String(options)) if options == "i" => Ok(format!("(?i){pattern}")),
        Some(Value::String(options)) if options.is_empty() => Ok(pattern.to_owned()),
        Some(_) => Err("of options, it knows \"i\" only, for letters in any case".into()),
    }
}
