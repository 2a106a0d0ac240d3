//! A filter → SQL. Nothing of the filter becomes text of the statement, the names of fields included:
//! all of it is bound. Nothing is cast that could fail.
//!
//! SQL knows three answers, the filter two: it holds where the SQL is true. `NOT` is written
//! `IS NOT TRUE`, so that what is unknown further in does not hold.

use kantoku_domain::{Id, Timestamp};
use serde_json::Value;
use sqlx::{
    Encode, Postgres, QueryBuilder, Type,
    postgres::PgHasArrayType,
    types::{Json, time::OffsetDateTime},
};
use uuid::Uuid;

use super::{
    evaluate::time_key,
    fields::{Field, Kind},
    tree::{Condition, Known, Scalar, Test, When},
};

type Sql = QueryBuilder<Postgres>;

/// Writes the condition, in parentheses.
pub(crate) fn push(sql: &mut Sql, condition: &Condition, known: &Known) {
    match condition {
        Condition::All(parts) => push_parts(sql, parts, "true", " AND ", known),
        Condition::Any(parts) => push_parts(sql, parts, "false", " OR ", known),
        Condition::Not(inner) => {
            sql.push("(");
            push(sql, inner, known);
            sql.push(" IS NOT TRUE)");
        }
        Condition::Field(field, test) => {
            sql.push("(");
            push_test(sql, field, test, known.now);
            sql.push(")");
        }
        Condition::Related(relation, id) => {
            let ids = known.related.get(&(*relation, *id)).into_iter().flatten();
            let ids: Vec<Uuid> = ids.map(|id| id.uuid()).collect();
            sql.push("(id = ANY(").push_bind(ids).push("))");
        }
    }
}

fn push_parts(sql: &mut Sql, parts: &[Condition], none: &str, between: &str, known: &Known) {
    sql.push("(");
    if parts.is_empty() {
        sql.push(none);
    }
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            sql.push(between);
        }
        push(sql, part, known);
    }
    sql.push(")");
}

fn push_test(sql: &mut Sql, field: &Field, test: &Test, now: Timestamp) {
    let written = match field.column {
        Some(column) if field.is_presence => push_presence(sql, column, test),
        Some("labels") => push_label(sql, field, test),
        Some(column) => push_column(sql, column, field, test, now),
        None => false,
    };
    if !written {
        push_path(sql, field, test, now);
    }
}

/// Whether there is something; the column is never null.
fn push_presence(sql: &mut Sql, column: &'static str, test: &Test) -> bool {
    match test {
        // Not bound: so that the planner knows which it is.
        Test::Exists | Test::Equals(Scalar::Bool(true)) => sql.push(column),
        Test::Equals(Scalar::Bool(false)) => sql.push("NOT ").push(column),
        Test::In(values) => {
            let values: Vec<bool> = values.iter().filter_map(bool).collect();
            sql.push(column).push(" = ANY(").push_bind(values).push(")")
        }
        _ => sql.push("false"),
    };
    true
}

/// Labels have an index for what is equal.
fn push_label(sql: &mut Sql, field: &Field, test: &Test) -> bool {
    let (Test::Equals(Scalar::Text(text)), Some(name)) = (test, field.path.last()) else {
        return false;
    };
    let label = Value::Object([(name.clone(), Value::String(text.clone()))].into_iter().collect());
    // Only those that have labels are in the index.
    sql.push("labels <> '{}' AND labels @> ").push_bind(Json(label));
    true
}

fn push_column(
    sql: &mut Sql,
    column: &'static str,
    field: &Field,
    test: &Test,
    now: Timestamp,
) -> bool {
    let time = |value: &Scalar| time(value, now);
    match field.kind {
        Kind::Text => push_typed(sql, column, " COLLATE \"C\"", test, text),
        Kind::Number => push_typed(sql, column, "", test, integer),
        Kind::Bool => push_typed(sql, column, "", test, bool),
        Kind::Id => push_typed(sql, column, "", test, uuid),
        Kind::Time => push_typed(sql, column, "", test, time),
        Kind::Any => false,
    }
}

/// False, and nothing is written, where a value is none that the column could have.
fn push_typed<T>(
    sql: &mut Sql,
    column: &'static str,
    collation: &'static str,
    test: &Test,
    typed: impl Fn(&Scalar) -> Option<T>,
) -> bool
where
    T: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + Send + 'static,
    Vec<T>: for<'q> Encode<'q, Postgres> + Type<Postgres>,
{
    match test {
        Test::Exists => {
            sql.push(column).push(" IS NOT NULL");
        }
        Test::Equals(value) => {
            let Some(value) = typed(value) else { return false };
            sql.push(column).push(" = ").push_bind(value);
        }
        Test::In(values) => {
            let values: Option<Vec<T>> = values.iter().map(typed).collect();
            let Some(values) = values else { return false };
            sql.push(column).push(" = ANY(").push_bind(values).push(")");
        }
        Test::Ordered(order, value) => {
            let Some(value) = typed(value) else { return false };
            sql.push(column).push(collation).push(" ").push(order.symbol()).push(" ");
            sql.push_bind(value);
        }
        Test::Matches(pattern) => {
            sql.push(column).push(" COLLATE \"C\" ~ ").push_bind(pattern.text().to_owned());
        }
        Test::Includes(_) => return false,
    }
    true
}

/// In the document. What is there is compared as JSON: that has numbers of any length, and never
/// fails. Texts are ordered by their bytes, not as a language has it.
fn push_path(sql: &mut Sql, field: &Field, test: &Test, now: Timestamp) {
    match (test, field.kind) {
        (Test::Exists, _) => {
            push_type(sql, field);
            sql.push(" <> 'null'");
        }
        (Test::Equals(value), Kind::Time) => {
            push_time(sql, field);
            sql.push(" = ").push_bind(time_text(value, now));
        }
        (Test::In(values), Kind::Time) => {
            let values: Vec<String> = values.iter().map(|value| time_text(value, now)).collect();
            push_time(sql, field);
            sql.push(" = ANY(").push_bind(values).push(")");
        }
        (Test::Ordered(order, value), Kind::Time) => {
            push_time(sql, field);
            sql.push(" ").push(order.symbol()).push(" ").push_bind(time_text(value, now));
        }
        (Test::Equals(value), _) => {
            push_value(sql, "#>", field);
            sql.push(" = ").push_bind(Json(json(value)));
        }
        (Test::In(values), _) => {
            let values: Vec<Json<Value>> = values.iter().map(|value| Json(json(value))).collect();
            push_value(sql, "#>", field);
            sql.push(" = ANY(").push_bind(values).push(")");
        }
        (Test::Ordered(order, Scalar::Number(number)), _) => {
            push_type(sql, field);
            sql.push(" = 'number' AND ");
            push_value(sql, "#>", field);
            let number = Json(Value::Number(number.clone()));
            sql.push(" ").push(order.symbol()).push(" ").push_bind(number);
        }
        (Test::Ordered(order, value), _) => {
            push_text(sql, field);
            let text = json(value).as_str().unwrap_or_default().to_owned();
            sql.push(" ").push(order.symbol()).push(" ").push_bind(text);
        }
        (Test::Matches(pattern), _) => {
            push_text(sql, field);
            sql.push(" ~ ").push_bind(pattern.text().to_owned());
        }
        (Test::Includes(value), _) => {
            push_type(sql, field);
            sql.push(" = 'array' AND ");
            push_value(sql, "#>", field);
            sql.push(" @> ").push_bind(Json(json(value)));
        }
    }
}

fn push_value(sql: &mut Sql, operator: &'static str, field: &Field) {
    sql.push("(document ").push(operator).push(" ").push_bind(field.path.clone()).push(")");
}

fn push_type(sql: &mut Sql, field: &Field) {
    sql.push("jsonb_typeof");
    push_value(sql, "#>", field);
}

/// What is there, if it is a text; otherwise null.
fn push_text(sql: &mut Sql, field: &Field) {
    sql.push("CASE WHEN ");
    push_type(sql, field);
    sql.push(" = 'string' THEN ");
    push_value(sql, "#>>", field);
    sql.push(" END COLLATE \"C\"");
}

/// The part of a time that is ordered as the time is.
fn push_time(sql: &mut Sql, field: &Field) {
    sql.push("rtrim(");
    push_value(sql, "#>>", field);
    sql.push(", 'Z') COLLATE \"C\"");
}

fn text(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn integer(value: &Scalar) -> Option<i64> {
    match value {
        Scalar::Number(number) => number.as_i64(),
        _ => None,
    }
}

fn bool(value: &Scalar) -> Option<bool> {
    match value {
        Scalar::Bool(is) => Some(*is),
        _ => None,
    }
}

fn uuid(value: &Scalar) -> Option<Uuid> {
    match value {
        Scalar::Id(id) => Some(Id::uuid(*id)),
        _ => None,
    }
}

fn time(value: &Scalar, now: Timestamp) -> Option<OffsetDateTime> {
    match value {
        Scalar::Time(when) => Some(when.at(now).to_offset()),
        _ => None,
    }
}

fn time_text(value: &Scalar, now: Timestamp) -> String {
    match value {
        Scalar::Time(when) => time_key(&when.at(now).to_string()).to_owned(),
        _ => String::new(),
    }
}

fn json(value: &Scalar) -> Value {
    match value {
        Scalar::Text(text) => Value::String(text.clone()),
        Scalar::Number(number) => Value::Number(number.clone()),
        Scalar::Bool(is) => Value::Bool(*is),
        Scalar::Id(id) => Value::String(id.to_string()),
        Scalar::Time(When::At(at)) => Value::String(at.to_string()),
        Scalar::Time(When::Now(_)) => Value::Null,
    }
}
