"""What the events so far say: tasks, resources, contexts. Rules read and change it."""

import sys

from .event import parsed


class Task:
    """A task, from the event that spawned it."""

    __slots__ = (
        "id", "namespace", "context", "step", "parent", "queue", "outputs", "inputs", "depends_on",
        "when", "spawned", "spawned_seq", "spawned_at", "last_seq", "changed_at", "status", "outcome",
        "attempt", "attempts", "losses", "round", "not_before", "paused", "approvals", "announced",
        "announced_at", "claimed_at", "end_seq", "children", "children_cancelled", "delegated",
        "skipped", "restarted_as", "origin", "expired", "was_ok", "was_bad", "has_ended",
    )

    def __init__(self, event, origin):
        data = event.data
        # As bytes: there are many, and few are asked.
        self.id, self.namespace, self.spawned = event.id, event.namespace, event.spawned()
        self.context, self.step = sys.intern(data["context_id"]), data.get("step")
        self.parent, self.queue = data.get("parent_id"), data.get("queue")
        self.outputs = {name: output["id"] for name, output in data.get("outputs", {}).items()}
        self.inputs = {name: binding["source"]["resource"]
                       for name, binding in data.get("inputs", {}).items()
                       if "resource" in binding["source"]}
        self.depends_on, self.when = data.get("depends_on"), data.get("when")
        self.spawned_seq, self.spawned_at = event.seq, event.at
        self.last_seq, self.changed_at = event.seq, event.at
        self.status, self.outcome = "initialized", None
        self.attempt = self.attempts = self.losses = self.round = self.delegated = 0
        self.not_before = self.paused = self.skipped = self.restarted_as = None
        self.announced_at = self.claimed_at = self.end_seq = None
        self.approvals = self.announced = None
        self.children, self.children_cancelled, self.expired = (), False, False
        self.origin = origin
        # What was once so, whatever came later: somebody may have acted on it.
        self.was_ok = self.was_bad = self.has_ended = False

    def __str__(self):
        return f"task {self.step} ({self.id})" if self.step else f"task {self.id}"

    @property
    def data(self):
        """How it was spawned; empty once nothing can follow any more."""
        return parsed(self.spawned) if self.spawned else {}

    @property
    def is_over(self):
        """Whether nothing but a restart can follow."""
        return self.end_seq is not None

    @property
    def how(self):
        """How it has ended, in one word."""
        return self.outcome if self.status == "finished" else self.status

    def touch(self, event):
        self.last_seq, self.changed_at = event.seq, event.at


class Resource:
    """A resource: who may resolve it, and whether somebody has."""

    __slots__ = ("custodian", "promised", "resolved", "resolved_at", "allocated", "released")

    def __init__(self):
        self.custodian = None  # the task that may resolve it
        self.promised = None  # (child, output) that it was passed to, not yet spawned
        self.resolved = None  # (position, the output's name or None)
        self.resolved_at = None
        self.allocated = None  # the position
        self.released = False


class Context:
    """A context, and what was ordered for all of it."""

    __slots__ = ("opened", "cancelled", "stopped_seq", "paused", "restarts", "events")

    def __init__(self):
        self.opened = None  # the position
        self.cancelled = False
        self.stopped_seq = 0  # the last order to stop
        self.paused = None
        self.restarts = {}  # those that are not settled: id -> (position, steps)
        self.events = 0


class Named:
    """A task that an event named and nobody has spawned yet."""

    __slots__ = ("seq", "at", "by", "wanted", "context", "parent", "origin")

    def __init__(self, event, wanted, context, parent, origin):
        self.seq, self.at, self.by = event.seq, event.at, event.type
        self.wanted, self.context, self.parent, self.origin = wanted, context, parent, origin


class World:
    """All of it, and what was found wrong."""

    def __init__(self, findings):
        self.findings = findings
        self.event = None
        self.tasks, self.resources, self.contexts = {}, {}, {}
        self.named = {}  # not yet spawned
        self.ever_named = {}  # task -> position
        self.pauses = {}  # specification or namespace -> the position
        self.resumed_at = {}  # whatever was paused -> when it went on
        self.orders = []  # (position, tasks that are to stop)
        self.restart_seqs = {}  # restart of a context -> its position
        self.event_types = {}  # (namespace, type) -> the last position
        self.served = set()  # (namespace, queue) that somebody claims from

    def context(self, id_):
        return self.contexts.get(id_) or self.contexts.setdefault(id_, Context())

    def resource(self, id_):
        return self.resources.get(id_) or self.resources.setdefault(id_, Resource())

    def wrong(self, rule, message, *others):
        """The event at hand contradicts a rule, and the events at other positions."""
        self.findings.add(rule, self.event.context, [self.event.seq, *others], message)

    def demand(self, holds, rule, message, *others):
        """Whether a rule holds; noted if not. Messages that cost are given as functions."""
        if not holds:
            self.wrong(rule, message() if callable(message) else message, *others)
        return holds

    def known(self, id_):
        task = self.tasks.get(id_)
        if task is None:
            self.wrong("unspawned", f"{self.event.type} of task {id_}, which was never spawned")
        return task

    def head(self, id_):
        """What has the place of a task: itself, unless it was restarted."""
        while (task := self.tasks.get(id_)) is not None and task.restarted_as:
            id_ = task.restarted_as
        return id_

    def chain(self, id_):
        """A task and all that took its place, as far as they are spawned."""
        while (task := self.tasks.get(id_)) is not None:
            yield task
            if not task.restarted_as:
                return
            id_ = task.restarted_as
