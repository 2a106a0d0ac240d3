"""Slots: how many tasks are announced or run under each limit of a policy."""

from .event import duration, micros

# Whoever admits may not have seen a policy yet that came a moment before, and clocks differ.
SETTLING_MICROS = 30_000_000


class Limits:
    """Counts for itself who holds what, and finds limits exceeded."""

    def __init__(self, world):
        self.world = world
        self.policies = {}  # (namespace, id) -> (name, limits, when applied)
        self.held = {}  # task -> its keys
        self.counts = {}  # key -> how many
        self.starts = {}  # key of a rate -> when one was announced last

    def on_PolicyApplied(self, event, data):
        limits = data["definition"].get("limits", {})
        self.policies[event.namespace, event.id] = (data["name"], limits, micros(event.at))
        self.recount()

    def on_PolicyDeleted(self, event, data):
        self.policies.pop((event.namespace, event.id), None)
        self.recount()

    def recount(self):
        held, self.held, self.counts = list(self.held), {}, {}
        for id_ in held:
            self.hold(self.world.tasks[id_])

    def keys(self, task):
        """What the task is counted by: (policy, limit, value), and that limit."""
        fields = None
        for (namespace, id_), (_, limits, since) in self.policies.items():
            if namespace != task.namespace:
                continue
            fields = fields or fields_of(task)
            for name, limit in limits.items():
                value = counted_by(fields, limit)
                if value is not None:
                    yield (id_, name, value), limit, since

    def hold(self, task):
        keys = self.held[task.id] = [key for key, _, _ in self.keys(task)]
        for key in keys:
            self.counts[key] = self.counts.get(key, 0) + 1

    def release(self, id_):
        for key in self.held.pop(id_, ()):
            self.counts[key] -= 1

    def take(self, event):
        """After the rules of the event itself."""
        task = self.world.tasks.get(event.id)
        if task is None:
            return
        if event.type in ("TaskReady", "TaskReceived"):
            if not self.policies:
                self.held.setdefault(task.id, ())
            elif not task.is_over and task.id not in self.held:
                self.hold(task)
                self.check(event, task)
        elif event.type in ("TaskPaused", "TaskResumed"):
            if task.status != "received":
                self.release(task.id)
        elif event.type not in ("TaskApproved", "TaskLabelled"):
            self.release(task.id)

    def check(self, event, task):
        now = micros(event.at)
        for key, limit, since in self.keys(task):
            if limit.get("rate"):
                self.starts[key] = now
            most = limit.get("concurrency")
            if most is None or now - since < SETTLING_MICROS:
                continue
            self.world.demand(self.counts[key] <= most, "limit",
                              lambda: f"{task} is the {self.counts[key]}th under limit {key[1]} for "
                              f"{key[2]}, which allows {most}")

    def blocks(self, task, now):
        """Whether a limit may keep a task that could run from being admitted."""
        for key, limit, since in self.keys(task):
            # Slots may be kept for another that waits under the same limit.
            if limit.get("concurrency") is not None and self.counts.get(key, 0) > 0:
                return True
            rate = limit.get("rate")
            if rate and now - self.starts.get(key, 0) < duration(rate["per"]):
                return True
            if limit.get("concurrency") == 0:
                return True
        return False


def fields_of(task):
    """What limits may count a task by."""
    spawned = task.data
    return {"specification": spawned["specification"]["name"], "context": task.context,
            "queue": task.queue, "step": task.step, "shard_key": spawned.get("shard_key"),
            **{f"labels.{name}": value for name, value in spawned.get("labels", {}).items()}}


def counted_by(fields, limit):
    """What a task with these fields is counted by under a limit, None if it is not."""
    if limit.get("specification") is not None:
        name = fields["specification"]
        return name if name == limit["specification"] else None
    if limit.get("label") is not None:
        value = fields.get(f"labels.{limit['label']}")
        return value if limit.get("value") in (None, value) else None
    filled, rest = "", limit.get("key") or ""
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, _, rest = rest.partition("}")
        value = fields.get(name)
        if value is None:
            return None
        filled += before + value
    return filled + rest or None
