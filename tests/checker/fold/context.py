"""The document of a context, as the events of it and of its tasks make it."""

RESTARTS_MAX, SUPERSEDED_MAX = 100, 100
COUNTED = ("initialized", "ready", "received", "ok", "failed", "cancelled", "skipped",
           "skipped_by_rule")


class ContextRow:
    """A context. One that a single task opened has no pipeline."""

    __slots__ = ("id", "namespace", "status", "tasks", "pipeline", "params", "outputs", "labels",
                 "cancelled", "cancelled_by", "last_cancelled", "paused", "restarts", "created_at",
                 "updated_at", "finished_at", "seq")

    def __init__(self, id_, event):
        self.id, self.namespace, self.status = id_, event.namespace, "running"
        self.tasks = dict.fromkeys(COUNTED, 0)
        self.params, self.outputs, self.labels, self.restarts = {}, {}, {}, []
        self.pipeline = self.cancelled = self.cancelled_by = self.last_cancelled = None
        self.paused = self.finished_at = None
        self.created_at = self.updated_at = event.at
        self.seq = event.seq

    def document(self):
        document = {name: getattr(self, name) for name in (
            "id", "namespace", "status", "tasks", "pipeline", "params", "outputs", "labels",
            "cancelled", "created_at", "updated_at", "finished_at")}
        document["stream_seq"] = self.seq
        for name in ("cancelled_by", "last_cancelled", "paused", "restarts"):
            if getattr(self, name):
                document[name] = getattr(self, name)
        return document

    def take(self, event):
        """An event of the context itself."""
        getattr(self, event.type)(event, event.data)
        self.touch(event)

    def touch(self, event):
        self.updated_at, self.seq = event.at, event.seq
        self.status = self.derived_status()
        if self.status == "running":
            self.finished_at = None
        elif self.finished_at is None:
            self.finished_at = event.at

    def derived_status(self):
        tasks = self.tasks
        if tasks["initialized"] or tasks["ready"] or tasks["received"]:
            return "running"
        # The tasks that a restart has not named yet are as good as live.
        if any(not restart["settled"] for restart in self.restarts):
            return "running"
        ended = tasks["ok"] + tasks["failed"] + tasks["cancelled"] + tasks["skipped"]
        if not ended:
            return "running" if self.cancelled is None else "cancelled"
        unwell = tasks["failed"] + tasks["cancelled"] + tasks["skipped"] - tasks["skipped_by_rule"]
        if not unwell:
            return "ok"
        if self.cancelled is not None or (not tasks["failed"] and tasks["cancelled"]):
            return "cancelled"
        return "failed"

    def count(self, before, after, event):
        """One of its tasks is counted otherwise; None: not, as it is new or has lost its place."""
        for state, by in ((before, -1), (after, 1)):
            if state == "skipped_by_rule":
                self.tasks["skipped"] += by
            if state is not None:
                self.tasks[state] += by
        self.touch(event)

    def moved(self, from_, to):
        """Another resource holds what one was to hold."""
        for name, id_ in self.outputs.items():
            if id_ == from_:
                self.outputs[name] = to

    def ordered_at(self, restart):
        """Where a restart was ordered that is told of; None if it is not."""
        return next((it["stream_seq"] for it in self.restarts if it["id"] == restart), None)

    def ContextOpened(self, event, data):
        self.pipeline, self.params = data["pipeline"], data["params"]
        self.outputs, self.labels = dict(data["outputs"]), data.get("labels", {})

    def ContextCancelled(self, event, data):
        self.cancelled, self.cancelled_by = data["reason"], data.get("by")
        self.last_cancelled = {"reason": data["reason"], "at": event.at, "stream_seq": event.seq}
        if data.get("by") is not None:
            self.last_cancelled["by"] = data["by"]

    def ContextPaused(self, event, data):
        self.paused = data

    def ContextResumed(self, event, data):
        self.paused = None

    def ContextRestarted(self, event, data):
        """The order to stop is off."""
        self.cancelled = self.cancelled_by = None
        told = ("id", "target", "outputs", "version", "reason", "by")
        self.restarts.append({
            **{name: data[name] for name in told}, "at": event.at, "stream_seq": event.seq,
            "steps": len(data["steps"]), "settled": False, "superseded_total": 0})
        if len(self.restarts) > RESTARTS_MAX:
            settled = [index for index, it in enumerate(self.restarts) if it["settled"]]
            del self.restarts[settled[0] if settled else 0]

    def ContextRestartSettled(self, event, data):
        superseded = data.get("superseded", [])
        for restart in self.restarts:
            if restart["id"] == data["id"]:
                restart["settled"], restart["superseded_total"] = True, len(superseded)
                if superseded:
                    restart["superseded"] = superseded[:SUPERSEDED_MAX]
                return
