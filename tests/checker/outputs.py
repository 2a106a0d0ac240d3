"""Custody: who may resolve a resource, and that each is resolved once."""

from . import ids
from .depends import governed


class Outputs:
    """Rules of resources, those of tasks and those of nobody."""

    def __init__(self, world, strict):
        self.world, self.strict = world, strict

    # Of tasks; called by the rules of their lives.

    def spawned(self, event, task, named):
        world = self.world
        for name, id_ in task.outputs.items():
            resource = world.resource(id_)
            is_promised = resource.promised == (task.id, name)
            is_new = resource.custodian is None and resource.allocated is None
            world.demand(is_new or is_promised, "custody",
                         lambda: f"output {name} of {task} is resource {id_}, which was another's")
            resource.custodian, resource.promised = task.id, None
            if self.strict and not is_promised:
                expected = ids.derive(task.id, name, ids.partition(task.context))
                world.demand(id_ == expected, "derived",
                             lambda: f"output {name} of {task} is {id_}, not {expected}")

    def announced(self, task, data):
        world, told = self.world, data.get("inputs", {})
        optional = governed(task)
        for name, id_ in task.inputs.items():
            if name not in told and name in optional:
                continue
            said = (told.get(name, {}).get("seq"), told.get(name, {}).get("output"))
            known = world.resources.get(id_)
            is_so = (known and known.resolved) or (None, None)
            world.demand(is_so[0] is not None and said == is_so, "announced-input",
                         lambda: f"{task} was announced with input {name} from position {said[0]} "
                         f"as {said[1]}, but that was resolved at {is_so[0]} as {is_so[1]}", said[0])

    def finished(self, event, task, data):
        world, outputs, delegated = self.world, data.get("outputs", {}), data.get("delegated", {})
        if data["outcome"] == "ok":
            for name in task.outputs:
                world.demand((name in outputs) != (name in delegated), "output",
                             lambda: f"output {name} of {task} was not either resolved or delegated")
        else:
            world.demand(not outputs and not delegated and not data.get("children"), "output",
                         lambda: f"{task} failed, and yet gave outputs or children")
        for name in (*outputs, *delegated):
            world.demand(name in task.outputs, "output", lambda: f"{task} has no output {name}")
        for name in outputs:
            if name in task.outputs:
                self.resolve(event, task.outputs[name], task, name)
        children = {child["id"]: child["task"] for child in data.get("children", ())}
        for name, target in delegated.items():
            if name in task.outputs:
                self.delegate(task, name, target, children)

    def resolve(self, event, id_, task, name):
        world, resource = self.world, self.world.resource(id_)
        what = f"output {name} of {task}" if task else f"resource {id_}"
        before = resource.resolved
        world.demand(before is None, "resolved-twice", f"{what} was resolved before",
                     before and before[0])
        if task:
            world.demand(resource.custodian == task.id, "custody",
                         f"{what} was in custody of {resource.custodian} when {task} resolved it")
        if before is None:
            resource.resolved, resource.resolved_at = (event.seq, name), event.at

    def delegate(self, task, name, target, children):
        world, id_ = self.world, task.outputs[name]
        resource = world.resource(id_)
        world.demand(resource.custodian == task.id, "custody",
                     f"{task} delegated output {name}, which was not in its custody")
        before = resource.resolved
        world.demand(before is None, "resolved-twice",
                     f"{task} delegated output {name}, which was resolved", before and before[0])
        child, output = target["child"], target["output"]
        taken = children.get(child, {}).get("outputs", {}).get(output, {}).get("id")
        world.demand(taken == id_, "delegation",
                     f"{task} delegated output {name} to {child}.{output}, which is {taken}")
        resource.custodian, resource.promised = child, (child, output)

    def restarted(self, event, task, data):
        """With outputs reused, custody passes on, or the restart would make a second custodian."""
        world, successor = self.world, data["successor"]
        for name, output in successor["task"].get("outputs", {}).items():
            held = task.outputs.get(name)
            if data["outputs"] == "reuse" and held is not None:
                resource = world.resource(held)
                holds = (output["id"] == held and resource.custodian == task.id
                         and resource.resolved is None)
                world.demand(holds, "custody", lambda: f"output {name} of {task} passed to its "
                             f"successor as {output['id']}; it is {held}, in custody of "
                             f"{resource.custodian}, resolved at {resource.resolved}")
                resource.custodian, resource.promised = successor["id"], (successor["id"], name)
            else:
                world.demand(output["id"] not in world.resources, "custody",
                             lambda: f"output {name} of the successor of {task} is "
                             f"{output['id']}, which was there before")

    # Of nobody.

    def on_ResourceAllocated(self, event, data):
        resource = self.world.resource(event.id)
        self.world.demand(resource.custodian is None and resource.allocated is None, "custody",
                          lambda: f"resource {event.id} was allocated, and is an output of task "
                          f"{resource.custodian} or was allocated before", resource.allocated)
        resource.allocated = event.seq

    def on_ResourceInitialized(self, event, data):
        resource = self.world.resource(event.id)
        if self.world.demand(resource.allocated is not None, "custody",
                             f"resource {event.id} was resolved, but nobody allocated it"):
            self.world.demand(not resource.released, "released",
                              f"resource {event.id} was resolved after it was released")
            self.resolve(event, event.id, None, None)

    def on_ResourceReleased(self, event, data):
        resource = self.world.resource(event.id)
        self.world.demand(resource.allocated is not None and not resource.released, "released",
                          f"resource {event.id} was released, and was not there or was released before")
        resource.released = True
