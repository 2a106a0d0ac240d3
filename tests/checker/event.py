"""An event, from an export or from the stream, and what many rules need of it."""

import datetime
import json


class Event:
    """A recorded event. Positions and versions are numbers, ids and times texts."""

    __slots__ = ("seq", "subject", "namespace", "aggregate", "id", "version", "type", "data",
                 "metadata", "at", "_named")

    def __init__(self, seq, subject, namespace, aggregate, id_, version, type_, data, metadata):
        self.seq, self.subject, self.namespace = seq, subject, namespace
        self.aggregate, self.id, self.version = aggregate, id_, version
        self.type, self.data, self.metadata = type_, data, metadata
        self.at = metadata["at"]
        self._named = None

    @classmethod
    def of_document(cls, document):
        """The event of an event document, a line of an export."""
        return cls(document["stream_seq"], document["subject"], document["namespace"],
                   document["aggregate"], document["id"], document["version"], document["type"],
                   document["data"], document["metadata"])

    @property
    def context(self):
        """The context that it belongs to."""
        return self.metadata["correlation_id"]

    def __str__(self):
        return f"{self.type} of {self.aggregate} {self.id}"

    def named(self):
        """The tasks that it makes necessary: (id, how each is to be spawned, the same as bytes)."""
        if self.type not in NAMING:
            return ()
        if self._named is None:
            planned = self.data.get(NAMING[self.type], ())
            planned = (planned,) if isinstance(planned, dict) else planned
            self._named = [(task["id"], task["task"], canonical(task["task"])) for task in planned]
        return self._named

    def spawned(self):
        """How a task was spawned, as bytes."""
        if self._named is None:
            self._named = canonical(self.data)
        return self._named


# Which events name tasks, and where.
NAMING = {"ContextOpened": "plan", "TaskFinished": "children", "TaskRestarted": "successor"}


ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
DECODER = json.JSONDecoder()


def canonical(value):
    """JSON in one form: equal values give equal bytes."""
    return ENCODER.encode(value).encode()


def parsed(text):
    """The value of JSON in bytes, which has no spaces around it: there are many of these."""
    text = text.decode()
    try:
        value, end = DECODER.scan_once(text, 0)
    except StopIteration:
        end = -1
    if end != len(text):
        raise ValueError(f"no JSON: {text[:80]}")
    return value


def micros(text):
    """An RFC 3339 time in UTC as microseconds since 1970."""
    main, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(main + "+00:00")
    return int(whole.timestamp()) * 1_000_000 + int(fraction[:6].ljust(6, "0") or 0)


UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def duration(text):
    """A duration such as `250ms` or `1.5s`, or a number of milliseconds, in microseconds."""
    if isinstance(text, (int, float)):
        return int(text * 1_000)
    for unit in ("ms", "s", "m", "h", "d"):
        number = text[:-len(unit)]
        if text.endswith(unit) and (number.replace(".", "", 1).isdigit()):
            return int(float(number) * UNITS[unit])
    raise ValueError(f"{text!r} is no duration")
