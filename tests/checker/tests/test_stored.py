"""The form of stored messages, and of what servers send."""

import base64
import hashlib
import io
import json
import unittest
from contextlib import redirect_stdout

from .. import cli, postgres
from ..event import Event, duration, micros
from ..export import Chain, read
from ..findings import Findings
from ..nats import header, status
from ..stored import Blobs, Malformed, Stream, without_nul
from .story import busy_history

ID = "01930000-0000-7000-8000-00000000002a"
SUBJECT = f"evt.default.2a.context.{ID}"


class Server:
    """Messages in place of a server."""

    def __init__(self, messages=(), blobs=(), dead=()):
        self.messages, self.dead = messages, dead
        self.metas, self.chunks = {}, {}
        for number, (name, content) in enumerate(dict(blobs).items()):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            info = {"nuid": str(number), "size": len(content), "digest": f"SHA-256={digest}"}
            self.metas[base64.urlsafe_b64encode(name.encode()).decode()] = info
            self.chunks[str(number)] = content

    def read(self, stream, first, last, subject=">"):
        if stream == "KTK_DEAD":
            return [(1, "dead.x", head(**{"Ktk-Stream-Seq": seq}), b"") for seq in self.dead]
        if stream == "OBJ_ktk_blobs":
            content = self.chunks[subject.rsplit(".", 1)[1]]
            return [(1, subject, b"", content[:3]), (2, subject, b"", content[3:])]
        return self.messages

    def last_of(self, stream, subject):
        info = self.metas.get(subject.rsplit(".", 1)[1])
        return info and (b"", json.dumps(info).encode())

    def stream(self, name):
        return {"state": {"last_seq": len(self.dead)}}


def head(**headers):
    return ("NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            + "\r\n").encode()


def message(seq, type_="ContextCancelled", subject=SUBJECT, said=None, body=None):
    stored = {"version": 1, "event": {"type": type_, "data": {"reason": "late\0"}},
              "metadata": {"at": "2026-11-24T00:00:00Z", "correlation_id": ID}}
    stored.update(body or {})
    return seq, subject, head(**{"Ktk-Type": said or type_}), json.dumps(stored).encode()


def stream(*messages, **server):
    opened = Stream.__new__(Stream)
    opened.nats, opened.findings = Server(messages, **server), Findings()
    opened.blobs = Blobs.__new__(Blobs)
    opened.blobs.nats, opened.blobs.cache, opened.blobs.cached_bytes = opened.nats, {}, 0
    opened.malformed, opened.claims = [], {}
    return opened


class TheStream(unittest.TestCase):
    def test_messages_are_read_as_events(self):
        (event,) = stream(message(1)).events(1)
        self.assertEqual((event.aggregate, event.id, event.data), ("context", ID, {"reason": "late\ufffd"}))

    def test_large_events_are_fetched(self):
        body = json.dumps({"type": "ContextCancelled", "data": {"reason": "x"}}).encode()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        large = {"event": None, "blob": {"digest": digest, "size": len(body)}}
        (event,) = stream(message(1, body=large), blobs={digest: body}).events(1)
        self.assertEqual(event.data, {"reason": "x"})
        for blobs in ({}, {digest: body + b" "}):
            opened = stream(message(1, body=large), blobs=blobs)
            self.assertEqual((list(opened.events(1)), len(opened.malformed)), ([], 1))

    def test_what_is_missing_is_found(self):
        for messages, last in (((message(2),), 2), ((message(1), message(3)), 3), ((message(1),), 2)):
            opened = stream(*messages)
            list(opened.events(last))
            self.assertEqual(opened.findings.counts, {"gap": 1})

    def test_what_is_no_event_is_found(self):
        wrong = SUBJECT.replace(".2a.", ".2b.")
        for bad in (message(1, said="TaskSpawned"), message(1, subject=wrong),
                    message(1, subject="ready.default.q.0"), message(1, type_="TaskReady"),
                    message(1, type_="Nothing"), (1, SUBJECT, head(), b"no JSON")):
            opened = stream(bad)
            self.assertEqual(list(opened.events(1)), [])
            opened.finish(set())
            self.assertEqual(opened.findings.counts, {"malformed": 1})
            opened = stream(bad)
            list(opened.events(1))
            opened.finish({1})
            self.assertEqual(opened.findings.counts, {"poison": 1})
            opened = stream(bad, dead=[1])
            list(opened.events(1))
            opened.finish({1})
            self.assertEqual(opened.findings.counts, {})

    def test_the_last_event_is_the_last_that_can_be_read(self):
        opened = stream(message(1), message(2), message(3, said="TaskSpawned"))
        opened.first, opened.last = 1, 3
        self.assertEqual(opened.last_event(), 2)

    def test_large_values_are_there(self):
        digest = "sha256:" + hashlib.sha256(b"value").hexdigest()
        claim = {"blob": {"digest": digest, "size": 5}}
        event = Event(1, "", "default", "task", ID, 1, "TaskFinished", {"outputs": {"x": claim}},
                      {"at": ""})
        for blobs, found in (({digest: b"value"}, {}), ({}, {"blob": 1}), ({digest: b"other"}, {"blob": 1})):
            opened = stream(blobs=blobs)
            opened.note_blobs(event)
            opened.finish(set())
            self.assertEqual(opened.findings.counts, found)
        with self.assertRaises(Malformed):
            stream(blobs={digest: b"value"}).blobs.get({"digest": digest, "size": 6})


class TheWire(unittest.TestCase):
    def test_headers(self):
        read_ = head(**{"Nats-Sequence": 7, "Ktk-Type": "TaskReady"})
        self.assertEqual((header(read_, b"Ktk-Type"), header(read_, b"None"), status(read_)),
                         (b"TaskReady", None, None))
        self.assertEqual(status(b"NATS/1.0 204 EOB\r\n\r\n"), 204)

    def test_lines_of_copy(self):
        self.assertEqual(postgres.fields(rb"a\tb\\c" + b"\t\\N\t"), [b"a\tb\\c", None, b""])

    def test_times_and_durations(self):
        self.assertEqual(micros("1970-01-01T00:00:01.5Z"), 1_500_000)
        self.assertEqual(micros("1970-01-01T00:00:01.0000019Z"), 1_000_001)
        self.assertEqual([duration(text) for text in ("250ms", "1.5s", "2h", 5)],
                         [250_000, 1_500_000, 7_200_000_000, 5_000])
        self.assertRaises(ValueError, duration, "soon")

    def test_what_tables_cannot_hold(self):
        self.assertEqual(without_nul({"a\0": ["\0", 1]}), {"a\ufffd": ["\ufffd", 1]})


class TheExport(unittest.TestCase):
    def lines(self):
        events = [json.dumps(event).encode() for event in busy_history()]
        sum_ = bytes(32)
        for event in events:
            sum_ = hashlib.sha256(sum_ + event).digest()
        header_ = {"kantoku": "export/1", "chain_start": bytes(32).hex()}
        trailer = {"events": len(events), "last_seq": 0, "chain": sum_.hex()}
        return [json.dumps(header_).encode(), *events, json.dumps(trailer).encode()]

    def problem(self, lines):
        chain = Chain()
        count = sum(1 for _ in read(lines, chain))
        return count, chain.problem

    def test_the_chain_of_hashes_is_followed(self):
        lines = self.lines()
        self.assertEqual(self.problem(lines), (len(lines) - 2, None))
        for tampered in (lines[:5] + lines[6:], lines[:5] + [lines[5].replace(b"{", b"{ ", 1)] + lines[6:],
                         lines[:-1]):
            self.assertIsNotNone(self.problem(tampered)[1])

    def test_what_is_no_export_is_refused(self):
        for lines in ([b"no JSON"], [b"{}", b"{}"], [*self.lines(), b"{}"]):
            with self.assertRaises(ValueError):
                self.problem(lines)


class TheReport(unittest.TestCase):
    def test_findings_are_counted_and_shown_up_to_a_limit(self):
        findings = Findings()
        for number in range(60):
            findings.add("lost", None, [number, 0], "gone")
        said = io.StringIO()
        with redirect_stdout(said):
            cli.report(findings)
        lines = said.getvalue().splitlines()
        self.assertEqual((len(lines), lines[1], lines[-1]), (51, "lost: gone (at 1)", "… and 10 more"))
