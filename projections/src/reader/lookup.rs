//! One document: by id, by the beginning of an id, by name and version.

use kantoku_domain::{Id, Name, Namespace};
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Found, Page, Reader, check_limit};
use crate::{
    Error,
    document::{Record, TaskDocument, Versioned},
};

impl Reader {
    /// A task, with the status of its dependencies.
    pub async fn task(&self, namespace: &Namespace, id: Id) -> Result<Found<TaskDocument>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let document = record::<TaskDocument>(&mut tx, namespace, id, as_of_seq).await?;
        let mut tasks = [document];
        super::dependencies::complete(&mut tx, &mut tasks).await?;
        let [document] = tasks;
        Ok(Found { document, as_of_seq })
    }

    /// A context, a resource, or a task as it is stored.
    pub async fn record<T: Record>(
        &self,
        namespace: &Namespace,
        id: Id,
    ) -> Result<Found<T>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let document = record(&mut tx, namespace, id, as_of_seq).await?;
        Ok(Found { document, as_of_seq })
    }

    /// Those of these contexts, resources, or tasks that there are, in no order, and the position
    /// that they are as of.
    pub async fn some_records<T: Record>(
        &self,
        namespace: &Namespace,
        ids: &[Id],
    ) -> Result<(Vec<T>, u64), Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let rows: Vec<Json<T>> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT document FROM {} WHERE id = ANY($1) AND namespace = $2",
            T::TABLE
        )))
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .bind(namespace.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("reading records"))?;
        Ok((rows.into_iter().map(|Json(row)| row).collect(), as_of_seq))
    }

    /// The one id in the table of `T` that starts with `prefix`: hexadecimal digits, dashes are
    /// ignored.
    pub async fn resolve<T: Record>(
        &self,
        namespace: &Namespace,
        prefix: &str,
    ) -> Result<Id, Error> {
        let (first, last) = range(prefix).ok_or_else(|| Error::Query {
            field: "id",
            message: format!("{prefix:?} is no beginning of an id: write 1 to 32 digits 0-9 a-f"),
        })?;
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let ids: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT id FROM {} WHERE id BETWEEN $1 AND $2 AND namespace = $3 LIMIT 2",
            T::TABLE
        )))
        .bind(first)
        .bind(last)
        .bind(namespace.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("looking up an id"))?;
        match ids[..] {
            [id] => Ok(Id::from_uuid(id)),
            [] => Err(Error::NotFound { kind: T::KIND, name: prefix.to_owned(), as_of_seq }),
            _ => Err(Error::Ambiguous { kind: T::TABLE, prefix: prefix.to_owned() }),
        }
    }

    /// A version of a specification, a type or a pipeline; the latest when `version` is `None`.
    pub async fn version<T: Versioned>(
        &self,
        namespace: &Namespace,
        name: &Name,
        version: Option<u64>,
    ) -> Result<Found<T>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let document: Option<Json<T>> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT document FROM {} \
             WHERE namespace = $1 AND name = $2 AND ($3::bigint IS NULL OR version = $3) \
             ORDER BY version DESC LIMIT 1",
            T::TABLE
        )))
        .bind(namespace.as_str())
        .bind(name.as_str())
        .bind(version.map(|version| version as i64))
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::database("reading a definition"))?;
        let Json(document) = document.ok_or_else(|| Error::NotFound {
            kind: T::KIND,
            name: version
                .map_or_else(|| name.to_string(), |version| format!("{name} version {version}")),
            as_of_seq,
        })?;
        Ok(Found { document, as_of_seq })
    }

    /// The latest versions of all specifications, types or pipelines, by name. The cursor is the
    /// last name of the page before.
    pub async fn versions<T: Versioned>(
        &self,
        namespace: &Namespace,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<T>, Error> {
        let limit = check_limit(limit)?;
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT DISTINCT ON (name) document FROM {} WHERE namespace = ",
            T::TABLE
        ));
        sql.push_bind(namespace.as_str().to_owned());
        if let Some(after) = cursor {
            sql.push(" AND name > ").push_bind(after.to_owned());
        }
        sql.push(" ORDER BY name, version DESC LIMIT ").push_bind(limit + 1);
        let mut items: Vec<T> = sql
            .build_query_scalar::<Json<T>>()
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::database("reading definitions"))?
            .into_iter()
            .map(|Json(item)| item)
            .collect();
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|item| item.name().to_owned());
        Ok(Page { items, next_cursor, as_of_seq })
    }
}

pub(super) async fn record<T: Record>(
    connection: &mut sqlx::PgConnection,
    namespace: &Namespace,
    id: Id,
    as_of_seq: u64,
) -> Result<T, Error> {
    let document: Option<Json<T>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT document FROM {} WHERE id = $1 AND namespace = $2",
        T::TABLE
    )))
    .bind(id.uuid())
    .bind(namespace.as_str())
    .fetch_optional(connection)
    .await
    .map_err(Error::database("reading a record"))?;
    document.map(|Json(document)| document).ok_or_else(|| Error::NotFound {
        kind: T::KIND,
        name: id.to_string(),
        as_of_seq,
    })
}

/// The first and the last uuid that start with `prefix`.
fn range(prefix: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = prefix.chars().filter(|c| *c != '-').collect();
    let well_formed =
        (1..=32).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
    let end = |fill: &str| {
        let text = format!("{digits}{}", fill.repeat(32 - digits.len()));
        Uuid::try_parse(&text).ok()
    };
    if well_formed { Some((end("0")?, end("f")?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        let (first, last) = range("0193-a").expect("a prefix");
        assert_eq!(first.to_string(), "0193a000-0000-0000-0000-000000000000");
        assert_eq!(last.to_string(), "0193afff-ffff-ffff-ffff-ffffffffffff");
        for bad in ["", "-", "xyz", &"0".repeat(33)] {
            assert!(range(bad).is_none(), "{bad}");
        }
    }
}
