"""Tasks that other events make necessary: each is spawned once, just as it was named."""

from . import ids
from .world import Named


class Naming:
    """What an event names, and who is spawned."""

    def __init__(self, world, strict):
        self.world, self.strict = world, strict

    def take(self, event):
        """After the rules of the event itself."""
        for id_, wanted, as_bytes in event.named():
            self.name(event, id_, wanted, as_bytes)

    def name(self, event, id_, wanted, as_bytes):
        world = self.world
        before = world.ever_named.get(id_)
        if not world.demand(before is None, "named", f"task {id_} was named before", before):
            return
        parent, origin = None, event.seq
        if event.type != "ContextOpened":
            task = world.tasks.get(event.id)
            parent = task.id if event.type == "TaskFinished" else task and task.parent
            origin = task.origin if task else event.seq
        if event.type == "TaskRestarted":
            origin = world.restart_seqs.get(event.data.get("step_of"), event.seq)
            world.demand(wanted.get("restart_parent") == event.id
                         and wanted["context_id"] == event.context, "successor",
                         f"task {id_} takes the place of {event.id}, and says that it is a restart "
                         f"of {wanted.get('restart_parent')} in context {wanted['context_id']}")
        world.ever_named[id_] = event.seq
        world.named[id_] = Named(event, as_bytes, wanted["context_id"], parent, origin)
        if self.strict and event.type != "TaskRestarted":
            by, key = ((event.id, f"step:{wanted['step']}") if event.type == "ContextOpened" else
                       (event.metadata["event_id"], f"child:{wanted['step']}"))
            expected = ids.derive(by, key, ids.partition(event.context))
            world.demand(id_ == expected, "derived",
                         f"task {wanted['step']} was named {id_}, not {expected}")

    def spawned(self, event):
        """Before the rules of the event: they take the name off."""
        world, named = self.world, self.world.named.get(event.id)
        if event.id in world.tasks:
            return
        if named:
            world.demand(named.wanted == event.spawned(), "not-as-named",
                         f"task {event.id} was not spawned as it was named", named.seq)
            world.demand(event.data.get("parent_id") == named.parent, "parent",
                         f"task {event.id} has parent {event.data.get('parent_id')}, but "
                         f"{named.parent} named it", named.seq)
        else:
            # A single task has no plan; a step, a child and a successor have.
            alone = not any(event.data.get(key) for key in ("parent_id", "step", "restart_parent"))
            world.demand(alone, "unnamed",
                         f"task {event.id} is a step, a child or a successor, but nobody named it "
                         "before")
