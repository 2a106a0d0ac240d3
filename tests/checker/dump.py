"""A canonical dump of the tables, and its hash: equal dumps are equal rows, byte for byte."""

import hashlib

from .postgres import Postgres
from .tables import SNAPSHOT

TABLES = ("SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) "
          "FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
          "CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place) "
          "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number "
          "WHERE c.relnamespace = current_schema()::regnamespace AND c.relname <> '_sqlx_migrations' "
          "GROUP BY c.relname ORDER BY c.relname COLLATE \"C\"")


def dump(url, schema):
    """Hashes every table, its rows in the order of their keys, in one view of all: all but the
    record of migrations."""
    connection = Postgres(url, schema)
    connection.query("SET TIME ZONE 'UTC'")
    connection.query(SNAPSHOT)
    whole, tables = hashlib.sha256(), {}
    for table, key in connection.query(TABLES):
        part, rows = hashlib.sha256(), 0
        for line in connection.copy(f'SELECT to_jsonb(t) FROM "{table}" t ORDER BY {key}'):
            part.update(line + b"\n")
            rows += 1
        whole.update(f"{table} {part.hexdigest()}\n".encode())
        tables[table] = {"rows": rows, "sha256": part.hexdigest()}
    as_of = connection.query("SELECT stream_seq FROM checkpoint")
    return {"as_of_seq": int(as_of[0][0]) if as_of else 0, "sha256": whole.hexdigest(),
            "tables": tables}
