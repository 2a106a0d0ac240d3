//! The statement that writes a batch.

use std::sync::LazyLock;

use crate::{checkpoint::OWN_MARK, counts};

/// Columns, each with its type.
type Columns<'a> = &'a [(&'a str, &'a str)];

const TASKS: (&str, Columns<'_>) = (
    "tasks",
    &[
        ("id", "uuid"),
        ("updated_at", "timestamptz"),
        ("document", "jsonb"),
        ("namespace", "text"),
        ("status", "text"),
        ("sub_status", "text"),
        ("context_id", "uuid"),
        ("specification", "text"),
        ("unfolded", "boolean"),
        ("labels", "jsonb"),
        ("stream_seq", "bigint"),
        ("parent_id", "uuid"),
        ("restart_root", "uuid"),
        ("paused", "boolean"),
    ],
);

const CONTEXTS: (&str, Columns<'_>) = (
    "contexts",
    &[
        ("id", "uuid"),
        ("updated_at", "timestamptz"),
        ("document", "jsonb"),
        ("namespace", "text"),
        ("status", "text"),
        ("pipeline", "text"),
        ("labels", "jsonb"),
        ("stream_seq", "bigint"),
        ("paused", "boolean"),
    ],
);

const RESOURCES: (&str, Columns<'_>) = (
    "resources",
    &[
        ("id", "uuid"),
        ("updated_at", "timestamptz"),
        ("document", "jsonb"),
        ("namespace", "text"),
        ("status", "text"),
        ("context_id", "uuid"),
    ],
);

const EVENTS: Columns<'_> = &[
    ("stream_seq", "bigint"),
    ("namespace", "text"),
    ("aggregate", "text"),
    ("id", "uuid"),
    ("version", "bigint"),
    ("type", "text"),
    ("event_id", "uuid"),
    ("context_id", "uuid"),
    ("actor", "text"),
    ("at", "timestamptz"),
];

/// Records, counts, the index of events and the checkpoint; gives the checkpoint's mark. Every column
/// comes as an array. Postgres delivers the notice with the commit, not before.
pub(super) static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let (mut parts, mut bound) = (Vec::new(), 0);
    for (table, columns) in [TASKS, CONTEXTS, RESOURCES] {
        let sets = list(&columns[1..], |(name, _)| format!("{name} = excluded.{name}"));
        let insert = insert(table, columns, &mut bound);
        parts.push(format!("of_{table} AS ({insert} ON CONFLICT (id) DO UPDATE SET {sets})"));
    }
    let keys = [("namespace", "text"), ("specification", "text")];
    let counted = counts::COLUMNS.map(|column| (column, "bigint"));
    let counted = insert("counts", &[&keys[..], &counted].concat(), &mut bound);
    let sums = list(&counts::COLUMNS, |name| format!("{name} = counts.{name} + excluded.{name}"));
    parts.push(format!(
        "counted AS ({counted} ON CONFLICT (namespace, specification) DO UPDATE SET {sums})"
    ));
    parts.push(format!("indexed AS ({})", insert("events", EVENTS, &mut bound)));
    let [seq, event_id, created, channel] = [1, 2, 3, 4].map(|more| bound + more);
    parts.push(format!(
        "moved AS (UPDATE checkpoint SET stream_seq = ${seq}, event_id = ${event_id}, \
                   stream_created = ${created} RETURNING stream_seq, {OWN_MARK} AS mark)"
    ));
    format!(
        "WITH {} SELECT mark, pg_notify(${channel}, current_schema() || ' ' || stream_seq) FROM moved",
        parts.join(", ")
    )
});

/// Rows from arrays. Documents come as text.
fn insert(table: &str, columns: Columns<'_>, bound: &mut usize) -> String {
    let names = list(columns, |(name, _)| (*name).to_owned());
    let values = list(columns, |(name, type_)| match *type_ {
        "jsonb" => format!("{name}::jsonb"),
        _ => (*name).to_owned(),
    });
    let arrays = list(columns, |(_, type_)| {
        *bound += 1;
        format!("${bound}::{}[]", if *type_ == "jsonb" { "text" } else { type_ })
    });
    format!("INSERT INTO {table} ({names}) SELECT {values} FROM UNNEST({arrays}) AS r ({names})")
}

fn list<T>(items: &[T], each: impl FnMut(&T) -> String) -> String {
    items.iter().map(each).collect::<Vec<_>>().join(", ")
}
