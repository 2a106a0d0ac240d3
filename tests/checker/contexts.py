"""What is ordered for all of a context, and what is paused; definitions and their versions."""

from . import ids


class Contexts:
    """Rules of contexts, and of whatever is not a task or a resource."""

    def __init__(self, world, strict):
        self.world, self.strict = world, strict
        self.claimed = {}  # task -> (position that a restart was decided on, its id)
        self.versions = {}  # definition -> its last version
        self.specifications = {}  # (namespace, name, version) -> digest

    def on_ContextOpened(self, event, data):
        context = self.world.context(event.id)
        self.world.demand(context.opened is None and not context.cancelled, "opened-twice",
                          f"context {event.id} was opened or cancelled before", context.opened,
                          context.stopped_seq)
        context.opened = event.seq

    def on_ContextCancelled(self, event, data):
        context = self.world.context(event.id)
        self.world.demand(not context.cancelled, "cancelled-twice",
                          f"context {event.id} was cancelled before", context.stopped_seq)
        context.cancelled, context.stopped_seq = True, event.seq

    def on_ContextPaused(self, event, data):
        context = self.world.context(event.id)
        context.paused = self.pause(event, context.paused)

    def on_ContextResumed(self, event, data):
        context = self.world.context(event.id)
        context.paused = self.resume(event, context.paused)

    def on_SpecificationPaused(self, event, data):
        self.world.pauses[event.id] = self.pause(event, self.world.pauses.get(event.id))

    on_NamespacePaused = on_SpecificationPaused

    def on_SpecificationResumed(self, event, data):
        self.world.pauses[event.id] = self.resume(event, self.world.pauses.get(event.id))

    on_NamespaceResumed = on_SpecificationResumed

    def pause(self, event, before):
        self.world.demand(before is None, "paused",
                          f"{event.aggregate} {event.id} was paused, and was before", before)
        return event.seq

    def resume(self, event, before):
        self.world.demand(before is not None, "paused",
                          f"{event.aggregate} {event.id} was resumed, and was not paused")
        self.world.resumed_at[event.id] = event.at

    def on_ContextRestarted(self, event, data):
        world, context, restart = self.world, self.world.context(event.id), data["id"]
        if self.strict:
            world.demand(restart == event.metadata["event_id"], "derived",
                         f"restart {restart} has another id than its event")
        for step in data["steps"]:
            if step["action"] != "rerun":
                continue
            claimed = self.claimed.get(step["task_id"])
            world.demand(claimed is None or claimed[0] < step["position"], "restarted-twice",
                         lambda: f"task {step['task_id']} is to be restarted on its state at "
                         f"{step['position']}, of which restart {claimed[1]} disposes", claimed and
                         world.restart_seqs.get(claimed[1]))
            self.claimed[step["task_id"]] = (step["position"], restart)
        context.cancelled = False
        context.restarts[restart] = (event.seq, event.at, data["steps"])
        world.restart_seqs[restart] = event.seq

    def on_ContextRestartSettled(self, event, data):
        world, context, restart = self.world, self.world.context(event.id), data["id"]
        known = context.restarts.pop(restart, None)
        if not world.demand(known is not None, "settled",
                            f"restart {restart} was settled, and was not under way",
                            world.restart_seqs.get(restart)):
            return
        superseded = {step["task_id"] for step in data.get("superseded", ())}
        for step in known[2]:
            id_ = step["task_id"]
            if id_ in superseded:
                if self.claimed.get(id_, (0, None))[1] == restart:
                    del self.claimed[id_]
                continue
            task = world.tasks.get(id_)
            if step["action"] == "rerun":
                expected = ids.derive(restart, f"restart:{id_}", ids.partition(id_)) \
                    if self.strict else task and task.restarted_as
                done = task is not None and task.restarted_as == expected is not None
            else:
                done = task is not None and task.last_seq > step["position"]
            world.demand(done, "settled", lambda: f"restart {restart} was settled, but its step "
                         f"{step['action']} of task {id_} was not carried out", known[0])

    def applied(self, event, data):
        before = self.versions.get(event.id, 0)
        self.world.demand(data["version"] == before + 1, "definition",
                          f"version {data['version']} of {event.aggregate} {data['name']} follows "
                          f"version {before}")
        self.versions[event.id] = data["version"]
        if self.strict:
            expected = ids.named(event.namespace, event.aggregate, data["name"])
            self.world.demand(event.id == expected, "derived",
                              f"{event.aggregate} {data['name']} is {event.id}, not {expected}")

    on_TypeApplied = on_PipelineApplied = on_PolicyApplied = applied

    def on_SpecificationApplied(self, event, data):
        self.applied(event, data)
        key = event.namespace, data["name"], data["version"]
        self.specifications[key] = data["digest"]

    def on_TaskSpawned(self, event, data):
        """Written stories apply no specifications."""
        what = data["specification"]
        known = self.specifications.get((event.namespace, what["name"], what["version"]))
        if self.strict and known != what["digest"]:
            self.world.wrong("specification", f"task {event.id} is of {what}, and the digest of "
                             f"that version is {known}")
