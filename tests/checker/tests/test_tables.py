"""The fold, and the comparison of tables with it, on tables that are only pretended."""

import json
import unittest

from ..event import Event
from ..findings import Findings
from ..fold import Fold
from ..tables import COUNTED, Tables, counted, in_micros
from .story import busy_history, cancelled_history, good_history

CREATED = "2026-11-23T00:00:00Z"


class Pretended:
    """Rows in place of a database."""

    def __init__(self, events, fold):
        self.checkpoint = (events[-1].seq, events[-1].metadata["event_id"], in_micros(CREATED))
        self.rows = {
            table: [[row.id, in_micros(row.updated_at), shown(row)] for row in rows.values()]
            for table, rows in (("contexts", fold.contexts), ("tasks", fold.tasks),
                                ("resources", fold.resources))}
        for table, rows in fold.versioned.items():
            self.rows[table] = [[id_, version, document] for (id_, version), document in rows.items()]
        self.rows["pauses"] = [[id_, document] for id_, document in fold.pauses.items()]
        self.rows["events"] = [
            [event.seq, event.namespace, event.aggregate, event.id, event.version, event.type,
             event.metadata["event_id"], event.context, event.metadata["actor"],
             in_micros(event.at)] for event in events]
        self.rows["counts"] = [[*key, *(of.get(state, 0) for state in COUNTED)]
                               for key, of in counted(fold.tasks).items()]
        self.rows = json.loads(json.dumps(self.rows))
        self.disagreeing = {}

    def query(self, text):
        if "IS DISTINCT FROM" in text:
            return self.disagreeing.get(text.split(" FROM ")[1].split(" ")[0], [])
        return [list(map(str, self.checkpoint))] if "checkpoint" in text else [["snapshot"]]

    def copy(self, query):
        table = query.split(" FROM ")[1].split(" ")[0]
        only_ids = query.startswith("SELECT id FROM")
        for row in self.rows[table]:
            columns = row[:1] if only_ids else row
            yield "\t".join(json.dumps(column).replace("\\", "\\\\") if isinstance(column, dict)
                            else str(column) for column in columns).encode()


def shown(row):
    """A document as a table has it: a value is itself there, and not as it is kept."""
    document = row.document()
    if "value" in document:
        document["value"] = json.loads(document["value"])
    return document


def compare(history, tamper=lambda tables: None, created=CREATED):
    """What is found in tables that hold the history, after somebody has tampered with them."""
    events = [Event.of_document(document) for document in history()]
    fold = Fold()
    for event in events:
        fold.take(event)
    pretended = Pretended(events, fold)
    tamper(pretended)
    tables = Tables.__new__(Tables)
    tables.connection, tables.findings = pretended, Findings()
    tables.hold(pretended)
    for event in events:
        if event.seq <= tables.seq:
            tables.take(event)
    tables.compare(fold, created)
    return tables.findings


def row(table, id_):
    return lambda tables: next(row for row in tables.rows[table] if row[0] == id_)


class TheTables(unittest.TestCase):
    def assert_found(self, rule, what, tamper, **more):
        findings = compare(busy_history, tamper, **more)
        self.assertIn(rule, findings.counts)
        self.assertIn(what, " ".join(message for *_, message in findings.kept))

    def test_equal_rows_are_equal(self):
        for history in (good_history, cancelled_history, busy_history):
            self.assertEqual(compare(history).kept, [])

    def test_every_field_of_every_document_is_compared(self):
        events = [Event.of_document(document) for document in busy_history()]
        fold = Fold()
        for event in events:
            fold.take(event)
        for table, rows in Pretended(events, fold).rows.items():
            if table in ("events", "counts"):
                continue
            for name in rows[0][-1] if rows else ():
                def tamper(tables, table=table, name=name):
                    tables.rows[table][0][-1][name] = "other"
                self.assert_found("row", name, tamper)

    def test_a_field_too_many_or_too_few_is_found(self):
        self.assert_found("row", "absent", lambda tables: row("tasks", "load")(tables)[-1].pop("ready_at"))
        self.assert_found("row", "absent", lambda tables: row("tasks", "load")(tables)[-1].update(more=1))

    def test_a_row_too_many_or_too_few_is_found(self):
        for table in ("tasks", "contexts", "resources", "policies", "pauses"):
            self.assert_found("row", "no such row", lambda tables: tables.rows[table].pop())
            self.assert_found("row", "no event makes it", lambda tables: tables.rows[table].append(
                ["other", *tables.rows[table][0][1:]]))

    def test_columns_that_are_not_of_the_document_are_compared(self):
        def tamper(tables):
            row("contexts", "context-1")(tables)[1] = "2026-11-24T00:00:00.000001"
        self.assert_found("row", "updated_at", tamper)

    def test_columns_are_compared_with_the_document_beside_them(self):
        def tamper(tables):
            tables.disagreeing["resources"] = [["r-x"]]
        self.assert_found("row", "r-x: a column", tamper)

    def test_counts_are_compared(self):
        def tamper(tables):
            tables.rows["counts"][0][2] += 1
        self.assert_found("counts", "are counted", tamper)
        self.assert_found("counts", "nothing is counted", lambda tables: tables.rows["counts"].pop())
        self.assert_found("counts", "are counted", lambda tables: tables.rows["counts"].append(
            ["elsewhere", "pass", *(0 for _ in COUNTED)]))

    def test_the_index_of_events_is_compared(self):
        self.assert_found("index", "lacks", lambda tables: tables.rows["events"].pop(3))
        self.assert_found("index", "lacks", lambda tables: tables.rows["events"].pop())
        self.assert_found("index", "stream has none", lambda tables: tables.rows["events"].insert(
            1, [3, *tables.rows["events"][0][1:]]))
        self.assert_found("index", "stream has none", lambda tables: tables.rows["events"].append(
            [999, *tables.rows["events"][0][1:]]))
        for column in range(1, 10):
            def tamper(tables):
                tables.rows["events"][3][column] = "other"
            self.assert_found("index", "other for", tamper)

    def test_the_checkpoint_is_of_this_stream(self):
        def tamper(tables):
            tables.checkpoint = (tables.checkpoint[0], "event-0", tables.checkpoint[2])
        self.assert_found("checkpoint", "event-0", tamper)
        self.assert_found("checkpoint", "stream", lambda tables: None, created="2026-11-24T00:00:00Z")

    def test_numbers_are_equal_however_they_are_written(self):
        def tamper(tables):
            spawned = row("tasks", "load")(tables)[-1]
            spawned["retry"]["attempts"] = 2.0
            row("resources", "r-x")(tables)[-1]["value"] = 1.0
        self.assertEqual(compare(busy_history, tamper).kept, [])
