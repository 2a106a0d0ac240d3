"""A history judged by the events alone: every rule, event by event."""

from .contexts import Contexts
from .findings import Findings
from .limits import Limits
from .log import Log
from .named import Naming
from .orders import Orders
from .outputs import Outputs
from .tasks import Tasks
from .world import World


class History:
    """Takes events in their order, and keeps what contradicts. `strict`: the events come from the
    stream itself, so that ids are derived as they are there."""

    def __init__(self, findings=None, strict=False):
        self.findings = findings or Findings()
        self.world = World(self.findings)
        self.log = Log(self.world, strict)
        self.outputs = Outputs(self.world, strict)
        self.tasks = Tasks(self.world, self.outputs, strict)
        self.orders = Orders(self.world, self.tasks, self.outputs, strict)
        self.contexts = Contexts(self.world, strict)
        self.naming = Naming(self.world, strict)
        self.limits = Limits(self.world)
        self.handlers = {}

    def handler(self, type_):
        """What the rules say about events of a type."""
        rules = (self.tasks, self.orders, self.outputs, self.contexts, self.limits)
        found = [getattr(rule, "on_" + type_) for rule in rules if hasattr(rule, "on_" + type_)]
        return self.handlers.setdefault(type_, found)

    def take(self, event):
        world = self.world
        world.event = event
        try:
            self.log.take(event)
            world.context(event.context).events += 1
            if event.type == "TaskSpawned":
                self.naming.spawned(event)
            handlers = self.handlers.get(event.type)
            for handler in self.handler(event.type) if handlers is None else handlers:
                handler(event, event.data)
            self.naming.take(event)
            if event.aggregate == "task":
                self.limits.take(event)
            world.event_types[event.namespace, event.type] = event.seq
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            world.wrong("shape", f"{event.type} lacks something or is malformed: {error!r}")
