"""The events as they are stored: the form of each message, and whether any is missing."""

import base64
import hashlib
import json
import re

from . import ids
from .event import Event, parsed
from .nats import Nats, header

EVENTS, BLOBS, DEAD = "KTK_EVENTS", "OBJ_ktk_blobs", "KTK_DEAD"
BLOB_SUBJECTS = "$O.ktk_blobs"
# How many messages at the end are looked at for the last event.
TAIL = 1_000
CACHED_BYTES_MAX = 64 * 1024 * 1024
KINDS = ("Context", "Namespace", "Pipeline", "Policy", "Resource", "Specification", "Task", "Type")
KIND = re.compile("|".join(KINDS))


class Malformed(Exception):
    """A message that is no event."""


UNREADABLE = (Malformed, KeyError, TypeError, ValueError, AttributeError)


class Stream:
    """Reads the stream of events from its first position."""

    def __init__(self, url, findings):
        self.nats = Nats(url)
        self.findings = findings
        info = self.nats.stream(EVENTS)
        self.first, self.last = info["state"]["first_seq"], info["state"]["last_seq"]
        self.created = info["created"]
        self.blobs = Blobs(url)
        self.malformed = []
        self.claims = {}  # (digest, size) of large values -> the first position

    def events(self, last):
        """The events up to a position, in order."""
        expected = 1
        for seq, subject, head, payload in self.nats.read(EVENTS, 1, last):
            if seq != expected:
                self.wrong("gap", [expected, seq], f"positions {expected} to {seq - 1} are missing")
            expected = seq + 1
            try:
                yield self.event(seq, subject, head, payload)
            except UNREADABLE as error:
                self.malformed.append((seq, subject, f"{type(error).__name__}: {error}"))
        if expected <= last:
            self.wrong("gap", [expected, last], f"positions {expected} to {last} are missing, "
                       "and the stream says that it has them")

    def last_event(self):
        """The position of the last message that is an event: nobody projects what is none."""
        found = 0
        for seq, subject, head, payload in self.nats.read(
                EVENTS, max(self.last - TAIL, self.first), self.last):
            try:
                self.event(seq, subject, head, payload)
                found = seq
            except UNREADABLE:
                pass
        return found

    def wrong(self, rule, positions, message):
        self.findings.add(rule, None, positions, message)

    def event(self, seq, subject, head, payload):
        stored = parsed(payload)
        body = stored.get("event")
        if body is None:
            payload = self.blobs.get(stored["blob"])
            body = parsed(payload)
        if b"\\u0000" in payload:
            body = without_nul(body)
        type_, data, metadata = body["type"], body["data"], stored["metadata"]
        said = header(head, b"Ktk-Type")
        if said is None or said.decode() != type_:
            raise Malformed(f"its header says {said}, its payload {type_}")
        if not (kind := KIND.match(type_)):
            raise Malformed(f"{type_} is of no kind")
        kind = kind[0].lower()
        tokens = subject.split(".")
        if type_ == "TaskReady" and tokens[0] == "ready" and len(tokens) == 4:
            return Event(seq, subject, tokens[1], kind, data["task_id"], stored["version"], type_,
                         data, metadata)
        if (len(tokens) != 5 or tokens[0] != "evt" or tokens[3] != kind or type_ == "TaskReady"
                or int(tokens[2], 16) != ids.partition(tokens[4])):
            raise Malformed(f"{type_} does not belong on {subject}")
        return Event(seq, subject, tokens[1], kind, tokens[4], stored["version"], type_, data,
                     metadata)

    def note_blobs(self, event):
        """Remembers the large values that the event speaks of."""
        data = event.data
        if event.type == "TaskFinished":
            values = data.get("outputs", {}).values()
        elif event.type == "ResourceInitialized":
            values = (data["value"],)
        elif event.type == "TaskSpawned":
            values = [binding["source"] for binding in data["inputs"].values()]
        else:
            return
        for value in values:
            if "blob" in value:
                claim = value["blob"]["digest"], value["blob"]["size"]
                self.claims.setdefault(claim, event.seq)

    def finish(self, poisoned):
        """Looks at large values, and at what is no event. `poisoned`: the positions of messages that
        were put there to be none; each of those lies among the dead letters."""
        for (digest, size), seq in self.claims.items():
            problem = self.blobs.problem(digest, size)
            if problem:
                self.wrong("blob", [seq], problem)
        if not self.malformed:
            return
        dead = self.dead_letters()
        for seq, subject, why in self.malformed:
            if seq not in poisoned:
                self.wrong("malformed", [seq], f"the message at {seq} on {subject} is no event: {why}")
            elif seq not in dead:
                self.wrong("poison", [seq], f"the message at {seq} on {subject} is no event, and does "
                           "not lie among the dead letters")

    def dead_letters(self):
        """The positions of the events that lie among the dead letters."""
        last = self.nats.stream(DEAD)["state"]["last_seq"]
        letters = self.nats.read(DEAD, 1, last, "dead.*")
        return {int(header(head, b"Ktk-Stream-Seq") or 0) for _, _, head, _ in letters}


class Blobs:
    """Large values, by the digest of their content."""

    def __init__(self, url):
        self.nats, self.cache, self.cached_bytes = Nats(url), {}, 0

    def get(self, blob):
        """The bytes that a claim check stands for. A Malformed says what is wrong with them."""
        digest = blob["digest"]
        if digest not in self.cache:
            content = self.fetch(digest)
            if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
                raise Malformed(f"blob {digest} holds something else")
            if self.cached_bytes + len(content) > CACHED_BYTES_MAX:
                self.cache, self.cached_bytes = {}, 0
            self.cache[digest] = content
            self.cached_bytes += len(content)
        content = self.cache[digest]
        if len(content) != blob["size"]:
            raise Malformed(f"blob {digest} has {len(content)} bytes, not {blob['size']}")
        return content

    def problem(self, digest, size):
        """What the store itself says against a claim check; None if nothing."""
        try:
            info = self.info(digest)
        except Malformed as missing:
            return str(missing)
        kept = base64.urlsafe_b64decode(info["digest"].removeprefix("SHA-256=") + "==").hex()
        if (f"sha256:{kept}", info["size"]) != (digest, size):
            return f"blob {digest} of {size} bytes is {info['size']} bytes of sha256:{kept}"
        return None

    def info(self, digest):
        name = base64.urlsafe_b64encode(digest.encode()).decode()
        found = self.nats.last_of(BLOBS, f"{BLOB_SUBJECTS}.M.{name}")
        info = json.loads(found[1]) if found else {"deleted": True}
        if info.get("deleted"):
            raise Malformed(f"blob {digest} is missing")
        return info

    def fetch(self, digest):
        info = self.info(digest)
        chunks = self.nats.read(BLOBS, 1, 1 << 62, f"{BLOB_SUBJECTS}.C.{info['nuid']}")
        return b"".join(payload for _, _, _, payload in chunks)


def without_nul(value):
    """What tables can hold: NUL characters become U+FFFD there."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value
