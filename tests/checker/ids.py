"""Identity: uuids whose last byte is the partition, derived wherever possible."""

import hashlib
import uuid

URL = uuid.NAMESPACE_URL.bytes
PARTITIONS = 64


def as_bytes(id_):
    """The sixteen bytes of an id; a ValueError if it is none."""
    found = bytes.fromhex(id_.replace("-", ""))
    if len(found) != 16:
        raise ValueError(f"{id_!r} is no id")
    return found


def as_text(sixteen):
    """The text of an id."""
    hexed = sixteen.hex()
    return f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}"


def partition(id_):
    """The partition in the last byte."""
    return int(id_[-2:], 16) % PARTITIONS


def version_5(namespace, name):
    """The bytes of uuid v5 (RFC 9562) of sixteen bytes and a text."""
    made = bytearray(hashlib.sha1(namespace + name.encode()).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    return made


def derive(id_, key, place):
    """The id that follows from an id and a key, in a partition."""
    made = version_5(as_bytes(id_), key)
    made[15] = place
    return as_text(made)


def event_id(command_id):
    """The id of the event that a command decides."""
    return derive(command_id, "0", partition(command_id))


def is_event_of(event_id_, command_id):
    """Whether an event has the id that its command gives it; asked of every event, so in short."""
    command = bytes.fromhex(command_id.replace("-", ""))
    made = hashlib.sha1(command + b"0").digest()
    found = bytes.fromhex(event_id_.replace("-", ""))
    return (found[:6] == made[:6] and found[7] == made[7] and found[9:15] == made[9:15]
            and found[6] == made[6] & 0x0F | 0x50 and found[8] == made[8] & 0x3F | 0x80
            and found[15] == command[15] % PARTITIONS)


def of_key(namespace, method, key):
    """The id of the command that an idempotency key stands for."""
    return as_text(version_5(URL, f"kantoku:{namespace}:key:{method}:{key}"))


def named(namespace, kind, name):
    """The id of something that people name."""
    made = version_5(URL, f"kantoku:{namespace}:{kind}:{name}")
    made[15] %= PARTITIONS
    return as_text(made)
