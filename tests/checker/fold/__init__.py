"""A read model of its own: the rows that the events make, and nothing of how others make them."""

from . import definitions
from ..event import canonical
from .context import ContextRow
from .resource import ResourceRow
from .task import TaskRow


class Fold:
    """Folds events into rows. `followed` are ids of which each change is kept: id -> changes, each
    (position, status, how it finished)."""

    def __init__(self, followed=()):
        self.tasks, self.contexts, self.resources = {}, {}, {}
        self.versioned = {table: {} for table, _ in definitions.APPLIED.values()}
        self.pauses = {}
        self.children = {}  # task -> those that it spawned
        self.planned = {}  # context -> its tasks that are not spawned yet
        self.types = {}  # types by their JSON: there are few, and many resources
        self.followed = {id_: [] for id_ in followed}
        self.skipped = []  # (position, what is missing of an event that could not be folded)

    def take(self, event):
        try:
            self.fold(event)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self.skipped.append((event.seq, repr(error)))
        if self.followed:
            self.follow(event)

    def fold(self, event):
        if event.aggregate == "task":
            self.of_task(event)
        elif event.aggregate == "context":
            self.of_context(event)
        elif event.aggregate == "resource":
            self.of_resource(event)
        elif event.type in definitions.APPLIED:
            table, make = definitions.APPLIED[event.type]
            self.versioned[table][event.id, event.data["version"]] = make(event, event.data)
        elif event.type == "PolicyDeleted":
            versions = self.versioned["policies"]
            last = max(key for key in versions if key[0] == event.id)
            versions[last].update(deleted={"by": event.data["by"], "at": event.at},
                                  stream_seq=event.seq)
        elif event.type in definitions.PAUSES:
            self.pauses[event.id] = definitions.pause(event)

    # Whose rows an event changes, in the order that contexts are counted in.

    def of_context(self, event):
        context = self.context(event.id, event)
        context.take(event)
        if event.type == "ContextOpened":
            for id_, wanted, as_bytes in event.named():
                self.name(id_, wanted, as_bytes, event, event.seq, True)
        elif event.type == "ContextCancelled":
            for id_ in list(self.planned.get(event.id, ())):
                if not self.tasks[id_].is_over:
                    self.change(id_, event, lambda task: task.stop(context.last_cancelled, event))

    def of_resource(self, event):
        if event.type == "ResourceAllocated":
            if event.id not in self.resources:
                self.resources[event.id] = ResourceRow(event.id, event.data["type"], event)
        elif event.id in self.resources:
            resource = self.resources[event.id]
            if event.type == "ResourceInitialized":
                resource.resolve(event.data["value"], event)
            else:
                resource.release(event)

    def of_task(self, event):
        id_ = event.id
        if event.type == "TaskSpawned":
            if id_ not in self.tasks:
                self.add(id_, event.data, event.spawned(), event, event.seq, True)
            self.planned.get(self.tasks[id_].context, set()).discard(id_)
        task = self.tasks.get(id_)
        if task is None:
            return
        if event.type == "TaskFinished":
            self.before_finish(task, event)
        elif event.type == "TaskRestarted":
            self.before_restart(task, event)
        elif event.type == "TaskRevived":
            successor = self.tasks.get(event.data["restarted_as"])
            task.origin = successor.origin if successor else event.seq
        self.change(id_, event, lambda task: task.take(event))
        if event.type == "TaskRevived":
            for output in task.outputs.values():
                self.resources[output].reclaim(id_, event)
        elif event.type == "TaskRestarted" and event.data.get("children"):
            for descendant in self.descendants(id_):
                self.change(descendant, event, lambda task: task.supersede(event))

    def before_finish(self, task, event):
        """Outputs are resolved and passed on, and children are there, before it has ended."""
        for name, output in task.outputs.items():
            if name in event.data.get("outputs", ()):
                self.resources[output].resolve(event.data["outputs"][name], event)
            elif name in event.data.get("delegated", ()):
                self.resources[output].pass_to(event.data["delegated"][name]["child"], event)
        for id_, wanted, as_bytes in event.named():
            self.name(id_, wanted, as_bytes, event, task.origin, task.current)

    def before_restart(self, task, event):
        """Outputs are passed on, and the successor is there, before it has lost its place."""
        successor = event.data["successor"]
        moved = [(task.outputs[name], output["id"])
                 for name, output in successor["task"]["outputs"].items() if name in task.outputs]
        context = self.context(successor["task"]["context_id"], event)
        for old, new in moved:
            if event.data["outputs"] == "reuse" and new in self.resources:
                self.resources[new].pass_to(successor["id"], event)
                self.resources[new].reclaim(successor["id"], event)
            context.moved(old, new)
        origin = context.ordered_at(event.data.get("step_of")) or event.seq
        for id_, wanted, as_bytes in event.named():
            self.name(id_, wanted, as_bytes, event, origin, task.current)

    def name(self, id_, wanted, as_bytes, event, origin, is_current):
        """A task that will be spawned; not, if an order to stop came after what it descends from."""
        if id_ in self.tasks:
            return
        self.add(id_, wanted, as_bytes, event, origin, is_current)
        self.planned.setdefault(wanted["context_id"], set()).add(id_)
        order = self.contexts[wanted["context_id"]].last_cancelled
        if order and origin < order["stream_seq"]:
            self.change(id_, event, lambda task: task.stop(order, event))

    def add(self, id_, spawned, as_bytes, event, origin, is_current):
        task = self.tasks[id_] = TaskRow(id_, spawned, as_bytes, event)
        task.origin, task.current = origin, is_current
        if task.parent is not None:
            self.children.setdefault(task.parent, []).append(id_)
        for name, output in spawned["outputs"].items():
            if output["id"] not in self.resources:
                type_ = self.types.setdefault(canonical(output["type"]), output["type"])
                resource = self.resources[output["id"]] = ResourceRow(output["id"], type_, event)
                resource.custodian, resource.output, resource.context = id_, name, task.context
        self.context(task.context, event).count(None, task.counted_as(), event)

    def change(self, id_, event, how):
        task = self.tasks[id_]
        before = task.counted_as()
        how(task)
        after = task.counted_as()
        if task.is_over:
            for output in task.outputs.values():
                self.resources[output].abandon(id_, event)
        if before != after:
            self.context(task.context, event).count(before, after, event)

    def context(self, id_, event):
        return self.contexts.get(id_) or self.contexts.setdefault(id_, ContextRow(id_, event))

    def descendants(self, id_):
        found, open_ = [], [id_]
        while open_:
            children = self.children.get(open_.pop(), ())
            found += children
            open_ += children
        return found

    def follow(self, event):
        """Notes what the event changed of those that somebody has read."""
        tasks = [event.id, *(id_ for id_, _, _ in event.named())]
        if event.type == "ContextCancelled":
            tasks += self.planned.get(event.id, ())
        elif event.type == "TaskRestarted":
            tasks += self.descendants(event.id)
        followed = self.followed
        for id_ in tasks:
            if id_ in followed:
                self.note(id_, event)
            if id_ in self.tasks:
                for output in self.tasks[id_].outputs.values():
                    if output in followed:
                        self.note(output, event)
        if event.aggregate == "task" and event.context in followed:
            self.note(event.context, event)

    def note(self, id_, event):
        row, changes = self.row(id_), self.followed[id_]
        if row is not None and row.seq == event.seq and (not changes or changes[-1][0] != event.seq):
            changes.append((event.seq, row.status, getattr(row, "sub_status", None)))

    def row(self, id_):
        """The task, context or resource of an id."""
        return self.tasks.get(id_) or self.contexts.get(id_) or self.resources.get(id_)
