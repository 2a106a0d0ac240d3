//! One document: by id, or by the beginning of an id.

use kantoku_domain::{Id, Namespace};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use super::{Found, Reader, uuids};
use crate::{
    Error,
    document::{Record, TaskDocument},
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
        .bind(uuids(ids))
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
