"""The document of a task, as the events make it."""

import json
import sys

LIVE = ("initialized", "ready", "received")
# Left out of the document while they say nothing.
OPTIONAL = ("delegated", "restarted", "paused", "approvals", "expired", "reason", "cancelled_by",
            "root_cause", "other_causes", "cause", "revived", "children_cancelled", "not_before",
            "ready_at")


class TaskRow:
    """A task. How it was spawned is kept as bytes: there are many, and it never changes."""

    __slots__ = (
        "id", "namespace", "spawned", "context", "parent", "outputs", "status", "sub_status",
        "restarted_as", "current", "attempt", "result", "error", "created_at", "waiting_since",
        "updated_at", "started_at", "finished_at", "node", "unfolded", "origin", "position", "seq",
        "labels",
        *OPTIONAL,
    )

    def __init__(self, id_, spawned, as_bytes, event):
        self.id, self.namespace, self.spawned = id_, event.namespace, as_bytes
        self.context, self.parent = sys.intern(spawned["context_id"]), spawned.get("parent_id")
        self.outputs = {name: output["id"] for name, output in spawned["outputs"].items()}
        self.status, self.current, self.attempt = "initialized", True, 0
        self.sub_status = self.restarted_as = self.result = self.error = self.labels = None
        self.started_at = self.finished_at = self.node = None
        self.created_at = self.waiting_since = self.updated_at = event.at
        self.unfolded, self.origin, self.position, self.seq = False, event.seq, 0, event.seq
        for name in OPTIONAL:
            setattr(self, name, None)

    def document(self):
        spawned = json.loads(self.spawned)
        document = {
            "id": self.id, "namespace": self.namespace, "step": spawned.get("step"),
            "specification": spawned["specification"]["name"],
            "version": spawned["specification"]["version"], "source": None, "status": self.status,
            "sub_status": self.sub_status, "inputs": spawned["inputs"],
            "outputs": spawned["outputs"], "dependencies": [], "context_id": self.context,
            "parent_id": self.parent, "restart_root": spawned.get("restart_root"),
            "restart_parent": spawned.get("restart_parent"), "restarted_as": self.restarted_as,
            "current": self.current, "attempt": self.attempt, "queue": spawned["queue"],
            "priority": spawned.get("priority", 0),
            "labels": spawned.get("labels", {}) if self.labels is None else self.labels,
            "retry": spawned["retry"], "timeouts": spawned["timeouts"], "result": self.result,
            "error": self.error, "created_at": self.created_at,
            "waiting_since": self.waiting_since, "updated_at": self.updated_at,
            "started_at": self.started_at, "finished_at": self.finished_at, "node": self.node,
            "unfolded": self.unfolded, "origin": self.origin, "position": self.position,
            "stream_seq": self.seq,
        }
        for name in ("depends_on", "when", "shard_key"):
            if name in spawned:
                document[name] = spawned[name]
        for name in OPTIONAL:
            value = getattr(self, name)
            if value is not None and value != {} and value != []:
                document[name] = value
        return document

    @property
    def is_over(self):
        return self.status not in LIVE

    def counted_as(self):
        """What its context counts it by; None if it has ended and another has its place."""
        if not self.current and self.is_over:
            return None
        if self.status == "finished":
            return "ok" if self.sub_status == "ok" else "failed"
        if self.status == "skipped" and self.cause == "rule":
            return "skipped_by_rule"
        return self.status

    # What events make of it.

    def take(self, event):
        """Whether an event on its own subject, or an announcement, changes it."""
        data = event.data
        if event.type == "TaskReady":
            if self.status not in ("initialized", "ready"):
                return False  # a second one may cross the claim
            self.status, self.attempt, self.ready_at = "ready", data["attempt"], event.at
        else:
            getattr(self, event.type)(event, data)
            self.position = event.seq
        self.touch(event)
        return True

    def touch(self, event):
        self.updated_at, self.seq = event.at, event.seq

    def end(self, status, at):
        self.withdraw()
        self.status, self.finished_at, self.not_before, self.paused = status, at, None, None

    def withdraw(self):
        """What was announced and not claimed is void."""
        if self.status == "ready":
            self.status, self.attempt = "initialized", max(self.attempt - 1, 0)

    def TaskSpawned(self, event, data):
        self.unfolded, self.waiting_since = True, event.at

    def TaskReceived(self, event, data):
        self.status, self.attempt, self.node = "received", data["attempt"], data["node"]
        self.started_at, self.not_before = event.at, None

    def TaskAttemptFailed(self, event, data):
        self.status, self.attempt = "initialized", data["attempt"]
        self.error, self.not_before = data["error"], data["not_before"]

    def TaskFinished(self, event, data):
        self.end("finished", event.at)
        self.sub_status, self.attempt = data["outcome"], data["attempt"]
        self.expired, self.error, self.result = (
            data.get("expired"), data.get("error"), data.get("result"))
        self.delegated = data.get("delegated")

    def TaskCancelled(self, event, data):
        self.end("cancelled", event.at)
        self.reason, self.cancelled_by = data["reason"], data.get("by")

    def TaskChildrenCancelled(self, event, data):
        self.children_cancelled = {"reason": data["reason"], "at": event.at}
        if data.get("by") is not None:
            self.children_cancelled["by"] = data["by"]

    def TaskSkipped(self, event, data):
        self.end("skipped", event.at)
        self.root_cause, self.other_causes = data["root_cause"], data.get("others")
        self.cause, self.reason = data.get("cause", "failure"), data["missing"]

    def TaskRevived(self, event, data):
        self.status, self.waiting_since, self.finished_at = "initialized", event.at, None
        self.reason = self.root_cause = self.other_causes = self.cause = None
        self.revived = {"root_cause": data["root_cause"], "restarted_as": data["restarted_as"],
                        "at": event.at}

    def TaskRestarted(self, event, data):
        successor = data["successor"]["id"]
        if not self.is_over:
            self.end("cancelled", event.at)
            self.reason, self.cancelled_by = f"it was restarted as {successor}", data["by"]
        self.restarted_as, self.current = successor, False
        self.restarted = {"id": successor, "at": event.at,
                          **{name: data[name] for name in ("outputs", "version", "reason", "by")}}
        if data.get("step_of") is not None:
            self.restarted["step_of"] = data["step_of"]

    def TaskApproved(self, event, data):
        self.approvals = self.approvals or {}
        given = self.approvals.setdefault(data["name"], [])
        given.append({"by": data["by"], "at": event.at})

    def TaskLabelled(self, event, data):
        labels = self.labels if self.labels is not None else json.loads(self.spawned).get("labels", {})
        removed = data.get("remove", ())
        self.labels = {name: value for name, value in labels.items() if name not in removed}
        self.labels.update(data.get("set", {}))

    def TaskPaused(self, event, data):
        self.withdraw()
        self.paused = data

    def TaskResumed(self, event, data):
        self.withdraw()
        self.paused = None

    # What events of others make of it.

    def stop(self, order, event):
        """All of its context was ordered to stop before it was spawned."""
        self.end("cancelled", event.at)
        self.reason, self.cancelled_by = order["reason"], order.get("by")
        self.touch(event)

    def supersede(self, event):
        """Another took the place of a task that it descends from."""
        self.current = False
        self.touch(event)
