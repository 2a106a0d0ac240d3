"""The document of a resource, as the events make it."""

import hashlib

from ..event import canonical

# Longer values are kept, and compared, by digest.
KEPT_BYTES_MAX = 256


class ResourceRow:
    """A resource. One with a value has either `value`, or `digest` and `size` of a blob."""

    __slots__ = ("id", "namespace", "status", "type", "value", "digest", "size", "custodian",
                 "output", "context", "created_at", "resolved_at", "updated_at", "seq")

    def __init__(self, id_, type_, event):
        self.id, self.namespace, self.status, self.type = id_, event.namespace, "allocated", type_
        self.value = self.digest = self.size = self.custodian = self.output = self.context = None
        self.created_at = self.updated_at = event.at
        self.resolved_at, self.seq = None, event.seq

    def document(self):
        document = {
            "id": self.id, "namespace": self.namespace, "status": self.status, "type": self.type,
            "custodian": self.custodian, "output": self.output, "context_id": self.context,
            "created_at": self.created_at, "updated_at": self.updated_at, "stream_seq": self.seq,
        }
        for name in ("value", "digest", "size", "resolved_at"):
            if getattr(self, name) is not None:
                document[name] = getattr(self, name)
        return document

    def touch(self, event):
        self.updated_at, self.seq = event.at, event.seq

    def resolve(self, datum, event):
        self.status, self.resolved_at = "ready", event.at
        if "blob" in datum:
            self.digest, self.size = datum["blob"]["digest"], datum["blob"]["size"]
        else:
            self.value = kept(datum["value"])
        self.touch(event)

    def release(self, event):
        self.status = "released"
        self.touch(event)

    def pass_to(self, custodian, event):
        self.custodian = custodian
        self.touch(event)

    def abandon(self, custodian, event):
        """A task has ended; of consequence only if it has custody still."""
        if self.custodian == custodian and self.status == "allocated":
            self.status = "failed"
            self.touch(event)

    def reclaim(self, custodian, event):
        """Its custodian may resolve it after all."""
        if self.custodian == custodian and self.status == "failed":
            self.status = "allocated"
            self.touch(event)


def kept(value):
    """A value as it is kept for comparison: canonical, and short."""
    found = canonical(numbers(value))
    if len(found) <= KEPT_BYTES_MAX:
        return found
    return f"blake2b {hashlib.blake2b(found, digest_size=16).hexdigest()}".encode()


def numbers(value):
    """The same with numbers in one form: 1.0 is 1, and what is beyond 2^53 is as exact as it gets."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= 1 << 53 else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= 1 << 53 else float(value)
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    return value
