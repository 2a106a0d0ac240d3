"""At the end of a run: whether whatever has not ended waits for something legitimate."""

from . import ids
from .depends import FAILED, READY, PENDING, readiness
from .event import duration, micros

# How long an attempt may run that has no time limit, and that no limit tells of.
RUNNING_SECONDS_MAX = 120


class Stuck:
    """Looks at all that is open. `now` is in microseconds; what changed within `grace` seconds
    before may still be under way."""

    def __init__(self, world, limits, now, grace):
        self.world, self.limits, self.now = world, limits, now
        self.grace = int(grace * 1_000_000)
        self.unclaimed = {}  # (namespace, queue) -> tasks announced and not claimed

    def look(self):
        for id_, named in self.world.named.items():
            if self.is_old(named.at):
                self.found(named.context, [named.seq], f"task {id_} was named, but never spawned")
        live = [task for task in self.world.tasks.values() if not task.is_over]
        for task in live:
            if task.announced_at:
                place = (task.namespace, task.queue)
                self.unclaimed[place] = self.unclaimed.get(place, 0) + 1
        for task in live:
            why = self.why(task)
            if why and self.is_old(self.changed_at(task)):
                self.found(task.context, [task.last_seq], f"{task} {why}")
        for task in self.world.tasks.values():
            if task.status == "skipped" and not task.restarted_as and self.may_come_back(task):
                self.found(task.context, [task.end_seq], f"{task} was skipped, and may run since "
                           "what it was skipped because of was restarted")
        self.orders()
        for id_, context in self.world.contexts.items():
            for restart, (seq, at, _) in context.restarts.items():
                if self.is_old(at):
                    self.found(id_, [seq], f"restart {restart} was never carried out")

    def found(self, context, positions, message):
        self.world.findings.add("stuck", context, positions, message)

    def is_old(self, at):
        return self.now - (at if isinstance(at, int) else micros(at)) > self.grace

    def why(self, task):
        """What is wrong with a task that has not ended; None if it rightly waits."""
        if task.status == "received":
            limit = (task.data.get("timeouts") or {}).get("attempt")
            limit = duration(limit) if limit else RUNNING_SECONDS_MAX * 1_000_000
            if self.now - micros(task.claimed_at) > limit + self.grace:
                return f"runs since {task.claimed_at}"
            return None
        status = readiness(self.world, task, self.now)
        if status == FAILED:
            return "can never run, and was not skipped"
        if status != READY or self.is_paused(task):
            return None
        if task.not_before and self.now < micros(task.not_before):
            return None
        place = (task.namespace, task.queue)
        if place not in self.world.served:
            return None  # no executor of its queue was there
        if task.announced_at:
            return f"was announced at {task.announced_at}, and nobody has claimed it"
        return None if self.limits.blocks(task, self.now) else "could run, and was not announced"

    def is_paused(self, task):
        world = self.world
        specification = task.data["specification"]["name"]
        context = world.contexts.get(task.context)
        return (task.paused is not None or (context is not None and context.paused is not None)
                or world.pauses.get(ids.named(task.namespace, "specification", specification))
                is not None
                or world.pauses.get(ids.named(task.namespace, "namespace", task.namespace))
                is not None)

    def changed_at(self, task):
        """When something last changed for the task."""
        world = self.world
        times = [task.changed_at, task.not_before, task.announced_at]
        times += [world.resources[id_].resolved_at for id_ in task.inputs.values()
                  if id_ in world.resources]
        for id_ in named_tasks(task):
            times += [it.changed_at for it in world.chain(id_)]
        for resource in task.inputs.values():
            holder = world.tasks.get(getattr(world.resources.get(resource), "custodian", None))
            times.append(holder and holder.changed_at)
        times += world.resumed_at.values()
        return max(micros(at) for at in times if at)

    def may_come_back(self, task):
        causes = [task.skipped["root_cause"], *task.skipped.get("others", ())]
        restarted = [self.world.tasks.get(id_) for id_ in causes]
        restarted = [it for it in restarted if it is not None and it.restarted_as]
        return (bool(restarted) and readiness(self.world, task, self.now) in (READY, PENDING)
                and all(self.is_old(it.changed_at) for it in restarted)
                and self.is_old(self.changed_at(task)))

    def orders(self):
        """Orders to stop reach what descends from something that was ordered before them."""
        world = self.world
        for task in world.tasks.values():
            context = world.contexts.get(task.context)
            if (not task.is_over and context is not None and task.origin < context.stopped_seq
                    and self.is_old(task.changed_at)):
                self.found(task.context, [context.stopped_seq, task.last_seq],
                           f"{task} goes on, though all of its context was ordered to stop")
        for seq, concerned in world.orders:
            for id_ in concerned:
                for task in world.chain(id_):
                    if task.origin < seq and not task.is_over and self.is_old(task.changed_at):
                        self.found(task.context, [seq, task.last_seq],
                                   f"{task} goes on, though it was ordered to stop")


def named_tasks(task):
    """The tasks that it waits for."""
    for before in (task.when or {"upstream": ()})["upstream"]:
        yield before["task"]
    yield from leaves(task.depends_on)


def leaves(expression):
    if not expression:
        return
    (kind, of), = expression.items()
    if kind in ("task", "done", "failed"):
        yield of
    parts = (of if kind in ("all", "any") else of["of"] if kind == "at_least" else
             [of["of"]] if kind == "within" else [of] if kind == "not" else ())
    for part in parts:
        yield from leaves(part)
