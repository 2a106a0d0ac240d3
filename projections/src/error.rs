//! What can go wrong between events and rows.

use kantoku_domain::{Id, Timestamp};
use kantoku_streams::Fault;
use thiserror::Error;

/// Why a projection or a query failed. Texts never hold the URL, as it may hold a password.
#[derive(Debug, Error)]
pub enum Error {
    /// The URL is none.
    #[error("the database URL cannot be read: write postgres://USER@HOST:PORT/DATABASE")]
    Url,
    /// The schema's name could not stand in SQL.
    #[error("{0:?} is no name for a schema: use 1 to 48 characters of a-z 0-9 _, a letter first")]
    Schema(String),
    /// Postgres failed or is away. Nothing was changed; the same call may be made again.
    #[error("the database failed while {doing}: {source}")]
    Database {
        /// What it was asked to do.
        doing: &'static str,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The tables could not be brought to this build's version.
    #[error("the schema {schema:?} could not be migrated: {source}")]
    Migration {
        /// Where.
        schema: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The stream is not the one that the rows were made from.
    #[error(
        "the stream was created at {found}, but the tables were made from one created at \
         {expected}: make them anew from this one with `ktk projections rebuild`, or connect to \
         the other"
    )]
    OtherStream {
        /// Of the stream that the tables know.
        expected: Timestamp,
        /// Of the stream that the events come from.
        found: Timestamp,
    },
    /// The stream holds another event at the checkpoint.
    #[error(
        "position {stream_seq} of the stream holds event {found}, but the tables were made from \
         event {expected}: the stream went back or was replaced; make the tables anew with \
         `ktk projections rebuild`"
    )]
    Diverged {
        /// The checkpoint.
        stream_seq: u64,
        /// The event that was projected.
        expected: Id,
        /// The event that is there now; `nil` for none.
        found: Id,
    },
    /// Postgres was restored or lost what it had committed last.
    #[error(
        "the tables were at position {reached} and are at {found} now: Postgres lost what it had \
         committed last, or was restored; read the stream again from there"
    )]
    Rewound {
        /// The position that was reached before.
        reached: u64,
        /// The checkpoint now.
        found: u64,
    },
    /// An event cannot be projected, today or later.
    #[error("event {stream_seq} cannot be projected: {reason}")]
    Poison {
        /// Its position.
        stream_seq: u64,
        /// Why not.
        reason: String,
    },
    /// A batch must be in the order of the stream.
    #[error("event {next} was handed over after event {previous}: read the stream in order")]
    Order {
        /// The position before.
        previous: u64,
        /// The position that should be higher.
        next: u64,
    },
    /// A rebuild was to replace tables that are ahead of it.
    #[error("the rebuild is at position {rebuilt}, the live tables are at {live}: let it catch up")]
    Behind {
        /// Checkpoint of the rebuild.
        rebuilt: u64,
        /// Checkpoint of the live tables.
        live: u64,
    },
    /// Another process makes the tables of this schema anew.
    #[error("the tables of {schema:?} are being verified or rebuilt already: wait for that to end")]
    Busy {
        /// Which.
        schema: String,
    },
    /// The stream could not be read.
    #[error(transparent)]
    History(#[from] Fault),
    /// There is no such thing, as of a position.
    #[error("there is no {kind} {name} (as of position {as_of_seq})")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Its name, id or prefix.
        name: String,
        /// As of when.
        as_of_seq: u64,
    },
    /// A prefix stands for several ids.
    #[error("{prefix:?} stands for several {kind}: write more of the id")]
    Ambiguous {
        /// The table that was searched.
        kind: &'static str,
        /// What was given.
        prefix: String,
    },
    /// A parameter of a query makes no sense.
    #[error("{field}: {message}")]
    Query {
        /// Which parameter.
        field: &'static str,
        /// What to write instead.
        message: String,
    },
    /// The position was not reached in time.
    #[error("position {wanted} was not reached in time, the tables are at {reached}: try again")]
    NotReached {
        /// The position asked for.
        wanted: u64,
        /// The checkpoint by now.
        reached: u64,
    },
}

impl Error {
    /// Whether Postgres was there and refused what it was given: the same again fails again.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // Data exceptions, broken constraints, limits of the program.
        code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }

    /// For `map_err`: names what the database was asked to do.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}
