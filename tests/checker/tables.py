"""The tables, compared row by row with what the events make them."""

import time

from .event import parsed
from .fold.resource import kept, numbers
from .postgres import Postgres, fields

# How long a projection may take to have caught up once nothing happens any more.
CATCH_UP_SECONDS = 60
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
AT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
INDEX = ("SELECT stream_seq, namespace, aggregate, id, version, type, event_id, context_id, actor, "
         f"{AT.format('at')} FROM events ORDER BY stream_seq")
FIELDS_TOLD_MAX = 5
# What the projector writes beside a document, and what of the document that has to be.
COMMON = {"namespace": "document ->> 'namespace'", "status": "document ->> 'status'"}
PLACED = {"labels": "document -> 'labels'", "stream_seq": "(document -> 'stream_seq')::bigint",
          "paused": "document ? 'paused'"}
COLUMNS = {
    "tasks": {**COMMON, **PLACED, "sub_status": "document ->> 'sub_status'",
              "context_id": "(document ->> 'context_id')::uuid",
              "specification": "document ->> 'specification'",
              "unfolded": "(document ->> 'unfolded')::boolean",
              "parent_id": "(document ->> 'parent_id')::uuid",
              "restart_root": "(document ->> 'restart_root')::uuid"},
    "contexts": {**COMMON, **PLACED, "pipeline": "document -> 'pipeline' ->> 'name'"},
    "resources": {**COMMON, "context_id": "(document ->> 'context_id')::uuid"},
}
COUNTED = ("initialized", "ready", "received", "finished_ok", "finished_failed", "cancelled",
           "skipped", "other")


class Tables:
    """One consistent view of all tables, as of the position of their checkpoint."""

    def __init__(self, url, schema, findings):
        self.url, self.schema, self.findings = url, schema, findings
        self.connection = Postgres(url, schema)
        self.index = self.next_entry = None
        self.index_findings = 0

    def wait_for(self, last):
        """Waits for the projection to be at `last`, then holds on to what it has made."""
        patience = time.monotonic() + CATCH_UP_SECONDS
        while self.checkpoint()[0] < last and time.monotonic() < patience:
            time.sleep(0.1)
        self.connection.query(SNAPSHOT)
        snapshot = self.connection.query("SELECT pg_export_snapshot()")[0][0]
        second = Postgres(self.url, self.schema)
        second.query(SNAPSHOT)
        second.query(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        self.hold(second)
        if self.seq < last:
            self.wrong("lag", [self.seq, last], f"the tables are as of position {self.seq} after "
                       f"{CATCH_UP_SECONDS} s, and the stream has {last}")
        return self.seq

    def hold(self, second):
        """From here on all is as of one position; `second` is another connection that sees it."""
        self.seq, self.event_id, self.stream_created = self.checkpoint()
        self.index = second.copy(INDEX)
        self.next_entry = next(self.index, None)

    def checkpoint(self):
        rows = self.connection.query("SELECT stream_seq, event_id, "
                                     f"{AT.format('stream_created')} FROM checkpoint")
        seq, event_id, created = rows[0] if rows else (0, None, None)
        return int(seq), event_id, created

    def wrong(self, rule, positions, message, context=None):
        self.findings.add(rule, context, positions, message)

    # The index of events, beside the stream.

    def take(self, event):
        """Compares the entry of an event; called for each up to the checkpoint."""
        metadata = event.metadata
        expected = [str(event.seq), event.namespace, event.aggregate, event.id, str(event.version),
                    event.type, metadata["event_id"], event.context, metadata["actor"],
                    in_micros(event.at)]
        if self.next_entry != "\t".join(expected).encode():
            self.differs_in_index(event, expected)
        else:
            self.next_entry = next(self.index, None)
        if event.seq == self.seq and self.event_id != metadata["event_id"]:
            self.wrong("checkpoint", [event.seq], f"the checkpoint names event {self.event_id}, and "
                       f"the stream has {metadata['event_id']} there")

    def differs_in_index(self, event, expected):
        while self.next_entry is not None and self.entry_seq() < event.seq:
            self.wrong("index", [self.entry_seq()], f"the index has an event at {self.entry_seq()}, "
                       "and the stream has none")
            self.next_entry = next(self.index, None)
        if self.next_entry is None or self.entry_seq() != event.seq:
            self.wrong("index", [event.seq], f"the index lacks the event at {event.seq}", event.context)
            return
        found = ["" if field is None else field.decode() for field in fields(self.next_entry)]
        expected[8] = expected[8].replace("\0", "\ufffd")
        pairs = [pair for pair in zip(found, expected) if pair[0] != pair[1]]
        if pairs:
            self.wrong("index", [event.seq], "the index of events says " + ", ".join(
                f"{says} for {is_so}" for says, is_so in pairs), event.context)
        self.next_entry = next(self.index, None)

    def entry_seq(self):
        return int(self.next_entry[:self.next_entry.index(b"\t")])

    # The documents, once the fold is where the checkpoint is.

    def compare(self, fold, stream_created):
        if self.stream_created and self.stream_created != in_micros(stream_created):
            self.wrong("checkpoint", [self.seq], f"the tables are of a stream made at "
                       f"{self.stream_created}, and this one was at {stream_created}")
        while self.next_entry is not None:
            self.wrong("index", [self.entry_seq()], f"the index has an event at {self.entry_seq()}, "
                       "and the stream has none")
            self.next_entry = next(self.index, None)
        for table, rows in (("contexts", fold.contexts), ("tasks", fold.tasks),
                            ("resources", fold.resources)):
            self.compare_records(table, rows)
            self.compare_columns(table)
        self.compare_counts(fold.tasks)
        for table, rows in fold.versioned.items():
            self.compare_documents(table, "id, version", {
                (id_, str(version)): document for (id_, version), document in rows.items()})
        self.compare_documents("pauses", "id", {(id_,): row for id_, row in fold.pauses.items()})
        for seq, why in fold.skipped:
            self.wrong("fold", [seq], f"the event at {seq} cannot be folded: {why}")

    def compare_records(self, table, rows):
        seen = 0
        query = f"SELECT id, {AT.format('updated_at')}, document FROM {table}"
        for line in self.connection.copy(query):
            id_, updated_at, document = fields(line)
            id_ = id_.decode()
            row = rows.get(id_)
            if row is None:
                self.surplus(table, id_)
                continue
            seen += 1
            expected, found = row.document(), parsed(document)
            if "value" in found and table == "resources":
                found["value"] = kept(found["value"])
            if found != expected:
                self.differs(table, id_, found, expected, row.seq)
            if updated_at.decode() != in_micros(row.updated_at):
                self.wrong("row", [row.seq], f"{table} {id_}: the column updated_at is "
                           f"{updated_at.decode()}, not {row.updated_at}")
        if seen != len(rows):
            held = {fields(line)[0].decode() for line in
                    self.connection.copy(f"SELECT id FROM {table}")}
            for id_ in rows.keys() - held:
                self.wrong("row", [rows[id_].seq], f"{table} {id_}: there is no such row")

    def compare_columns(self, table):
        """Within each row: its columns beside its document."""
        differ = " OR ".join(f"{column} IS DISTINCT FROM {is_so}"
                             for column, is_so in COLUMNS[table].items())
        for (id_,) in self.connection.query(f"SELECT id FROM {table} WHERE {differ} LIMIT 100"):
            self.wrong("row", [], f"{table} {id_}: a column says something else than the document")

    def compare_counts(self, tasks):
        expected = counted(tasks)
        for line in self.connection.copy(f"SELECT namespace, specification, {', '.join(COUNTED)} "
                                         "FROM counts"):
            namespace, specification, *numbers_ = [field.decode() for field in fields(line)]
            found = dict(zip(COUNTED, map(int, numbers_)))
            are = expected.pop((namespace, specification), {})
            if found != {**dict.fromkeys(COUNTED, 0), **are} or not are:
                self.wrong("counts", [], f"of {specification} in {namespace} {found} are counted, "
                           f"and there are {are}")
        for (namespace, specification), are in expected.items():
            self.wrong("counts", [], f"of {specification} in {namespace} nothing is counted, and "
                       f"there are {are}")

    def compare_documents(self, table, key, rows):
        query = f"SELECT {key}, document FROM {table}"
        for line in self.connection.copy(query):
            *key_, document = fields(line)
            key_ = [part.decode() for part in key_]
            expected = rows.pop(tuple(key_), None)
            found = parsed(document)
            if expected is None:
                self.surplus(table, " ".join(key_))
            elif found != expected:
                self.differs(table, " ".join(key_), found, expected, expected["stream_seq"])
        for key_, expected in rows.items():
            self.wrong("row", [expected["stream_seq"]],
                       f"{table} {' '.join(key_)}: there is no such row")

    def surplus(self, table, id_):
        self.wrong("row", [], f"{table} {id_}: there is a row, and no event makes it")

    def differs(self, table, id_, found, expected, seq):
        names = [name for name in sorted({*found, *expected})
                 if (name in found) != (name in expected)
                 or numbers(found[name]) != numbers(expected[name])]
        if names:
            told = "; ".join(f"{name} is {short(found, name)}, and the events make it "
                             f"{short(expected, name)}" for name in names[:FIELDS_TOLD_MAX])
            self.wrong("row", [seq], f"{table} {id_}: {told}")


def counted(tasks):
    """How many tasks there are, by namespace and specification, then by what they are counted by."""
    counts = {}
    for row in tasks.values():
        document = row.document()
        state = "_".join(filter(None, (document["status"], document["sub_status"])))
        of = counts.setdefault((document["namespace"], document["specification"]), {})
        state = state if state in COUNTED else "other"
        of[state] = of.get(state, 0) + 1
    return counts


def short(document, name):
    if name not in document:
        return "absent"
    text = repr(document[name])
    return text if len(text) <= 200 else text[:200] + "…"


def in_micros(at):
    """A time with six digits after the point, and no zone."""
    main, _, fraction = at.rstrip("Z").partition(".")
    return f"{main}.{fraction[:6].ljust(6, '0')}"
