"""The log itself: positions, ids, and the chain of each aggregate."""

from . import ids


class Log:
    """Every event is there once, and follows the one that it says it follows.

    `strict` holds ids to be derived as stored events have them; written stories need not.
    """

    def __init__(self, world, strict):
        self.world, self.strict = world, strict
        self.event_ids = {}
        self.chains = {}  # aggregate -> (version, position)
        self.namespaces = {}
        self.first, self.last, self.events = None, 0, 0

    def take(self, event):
        seq, metadata, wrong = event.seq, event.metadata, self.world.wrong
        self.events += 1
        if seq <= self.last:
            wrong("order", f"position {seq} comes after position {self.last}", self.last)
        self.last = max(self.last, seq)
        self.first = self.first or seq
        event_id = metadata["event_id"]
        before = self.event_ids.setdefault(
            bytes.fromhex(event_id.replace("-", "")) if self.strict else event_id, seq)
        # An announcement may be stored once more: the claim decides.
        if before != seq and event.type != "TaskReady":
            wrong("duplicate", f"event {event_id} is there twice: command "
                  f"{metadata.get('command_id')} took effect twice", before)
        if self.strict:
            self.check_ids(event)
        version, previous = self.chains.get(event.id, (0, 0))
        # An announcement lies on its queue's subject and is no link of the task's chain.
        is_link = event.type != "TaskReady"
        expected = version + 1 if is_link else version
        said = metadata.get("previous_seq", previous)
        if event.version != expected:
            wrong("version", f"{event} has version {event.version}, not {expected}", previous)
        if said != previous:
            wrong("previous", f"{event} follows position {said} by its own account, but {previous} by "
                  "the log", previous)
        if is_link:
            self.chains[event.id] = (event.version, seq)

    def check_ids(self, event):
        metadata, wrong = event.metadata, self.world.wrong
        if not ids.is_event_of(metadata["event_id"], metadata["command_id"]):
            wrong("event-id", f"event {metadata['event_id']} is not that of its command "
                  f"{metadata['command_id']}")
        namespace = self.namespaces.setdefault(event.id, event.namespace)
        if namespace != event.namespace:
            wrong("namespace", f"{event.aggregate} {event.id} is of namespace {namespace} and of "
                  f"{event.namespace}")
        if (event.aggregate in ("task", "context") and event.id[-2:] != event.context[-2:]
                and ids.partition(event.id) != ids.partition(event.context)):
            wrong("partition", f"{event.aggregate} {event.id} lies in another partition than its "
                  f"context {event.context}")
