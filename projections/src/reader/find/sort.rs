//! The order of a list.

use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};

use super::invalid;
use crate::{
    Error,
    query::{Catalogue, Field, Kind},
    reader::bad_cursor,
};

/// In which order records are listed; those that are equal in it, in the order of their ids. What is
/// not there comes before all that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what; `None` for the time of change.
    field: Option<Field>,
    /// The last first.
    pub(super) descending: bool,
}

impl Default for Sort {
    /// The last changed first.
    fn default() -> Self {
        Self { field: None, descending: true }
    }
}

impl Sort {
    /// Reads `FIELD`, or `-FIELD` for the last first.
    pub fn parse(catalogue: &Catalogue, written: &str) -> Result<Self, Error> {
        let (name, descending) = match written.strip_prefix('-') {
            Some(name) => (name, true),
            None => (written, false),
        };
        if name == "updated_at" {
            return Ok(Self { field: None, descending });
        }
        let field = catalogue.field(&Catalogue::keys(name));
        let field = field.map_err(|message| invalid("sort", message))?;
        if matches!(field.kind, Kind::Any | Kind::Bool) {
            let message = format!("{name:?} has no order: write updated_at, created_at or status");
            return Err(invalid("sort", message));
        }
        Ok(Self { field: Some(field), descending })
    }

    /// Whether it is by time of change, of which there are indexes.
    pub(super) fn is_of_change(&self) -> bool {
        self.field.is_none()
    }

    /// What is sorted by: a text, or a number as JSON.
    pub(super) fn push_key(&self, sql: &mut QueryBuilder<Postgres>) {
        let Some(field) = &self.field else {
            sql.push("updated_at");
            return;
        };
        let path = field.path.clone();
        match (field.kind, field.column.filter(|_| !field.is_label)) {
            (Kind::Number, _) => {
                sql.push("COALESCE(document #> ").push_bind(path).push(", 'null')");
            }
            (Kind::Time, _) => {
                sql.push("COALESCE(rtrim(document #>> ").push_bind(path);
                sql.push(", 'Z'), '') COLLATE \"C\"");
            }
            (_, Some(column)) => {
                sql.push(format!("COALESCE({column}::text, '') COLLATE \"C\""));
            }
            (_, None) => {
                sql.push("COALESCE(document #>> ").push_bind(path).push(", '') COLLATE \"C\"");
            }
        }
    }

    /// The key of a cursor.
    pub(super) fn push_value(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        key: &str,
    ) -> Result<(), Error> {
        match &self.field {
            Some(field) if field.kind == Kind::Number => {
                let number: Value = serde_json::from_str(key).map_err(|_| bad_cursor())?;
                sql.push_bind(Json(number));
            }
            _ => {
                sql.push_bind(key.to_owned());
            }
        }
        Ok(())
    }
}
