//! What has a name and versions: specifications, types, pipelines, policies.

use kantoku_domain::{Name, Namespace};
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, types::Json};

use super::{
    Found, Page, Reader, bad_cursor, check_limit,
    find::{Asked, failed},
};
use crate::{
    Error,
    document::Versioned,
    query::{self, Condition},
};

/// A document, with the pause of whatever it is a version of.
const DOCUMENT: &str = "\
    document || COALESCE((SELECT jsonb_build_object('paused', pauses.document -> 'paused') \
                          FROM pauses WHERE pauses.id = versions.id), '{}')";

impl Reader {
    /// A version; the latest when `version` is `None`, unless that was deleted.
    pub async fn version<T: Versioned>(
        &self,
        namespace: &Namespace,
        name: &Name,
        version: Option<u64>,
    ) -> Result<Found<T>, Error> {
        let (mut tx, as_of_seq) = self.snapshot().await?;
        let document: Option<Json<T>> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT {DOCUMENT} FROM ( \
                 SELECT id, document FROM {} \
                 WHERE namespace = $1 AND name = $2 AND ($3::bigint IS NULL OR version = $3) \
                 ORDER BY version DESC LIMIT 1) versions \
             WHERE $3 IS NOT NULL OR NOT document ? 'deleted'",
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

    /// The latest versions of all that are so and were not deleted, by name. The cursor is the last
    /// name of the page before.
    pub async fn versions<T: Versioned>(
        &self,
        namespace: &Namespace,
        condition: &Condition,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<T>, Error> {
        let limit = check_limit(limit)?;
        if cursor.is_some_and(|cursor| cursor.contains('\0')) {
            return Err(bad_cursor());
        }
        let Asked { mut tx, known, as_of_seq } = self.ask(condition).await?;
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT document FROM ( \
                 SELECT id, name, document, \
                        COALESCE(jsonb_typeof(document -> 'paused') <> 'null', false) AS paused \
                 FROM (SELECT id, name, {DOCUMENT} AS document FROM ( \
                     SELECT DISTINCT ON (name) id, name, document FROM {} WHERE namespace = ",
            T::TABLE
        ));
        sql.push_bind(namespace.as_str().to_owned());
        if let Some(after) = cursor {
            sql.push(" AND name > ").push_bind(after.to_owned());
        }
        sql.push(
            " ORDER BY name, version DESC) versions WHERE NOT document ? 'deleted') latest) found",
        );
        sql.push(" WHERE ");
        query::sql::push(&mut sql, condition, &known);
        sql.push(" ORDER BY name LIMIT ").push_bind(limit + 1);
        let mut items: Vec<T> = sql
            .build_query_scalar::<Json<T>>()
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?
            .into_iter()
            .map(|Json(item)| item)
            .collect();
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|item| item.name().to_owned());
        Ok(Page { items, next_cursor, as_of_seq })
    }
}
