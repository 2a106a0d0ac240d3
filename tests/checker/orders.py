"""What people order about tasks: to stop, to wait, to go on, to run again; and what they approve."""

from . import ids


class Orders:
    """Rules of the events that orders lead to."""

    def __init__(self, world, lives, outputs, strict):
        self.world, self.lives, self.outputs, self.strict = world, lives, outputs, strict

    def on_TaskCancelled(self, event, data):
        task = self.lives.live(event)
        if task:
            self.lives.end(event, task, "cancelled")
            if data.get("dependents"):
                self.world.orders.append((event.seq, data["dependents"]))

    def on_TaskChildrenCancelled(self, event, data):
        world, task = self.world, self.world.known(event.id)
        if not task:
            return
        task.touch(event)
        world.demand(task.status == "finished" and not task.children_cancelled
                     and tuple(data["children"]) == task.children, "children",
                     lambda: f"the children {data['children']} of {task} were ordered to stop, "
                     f"which has {list(task.children)} and is {task.status}")
        task.children_cancelled = True
        world.orders.append((event.seq, [*data["children"], *data.get("dependents", ())]))

    def on_TaskApproved(self, event, data):
        world, task = self.world, self.lives.live(event)
        if not task:
            return
        asked = [it for it in approvals(task.depends_on) if it["name"] == data["name"]]
        task.approvals = task.approvals or {}
        given = task.approvals.setdefault(data["name"], [])
        holds = (bool(asked) and data["by"] not in given and task.status == "initialized"
                 and (not asked[0].get("by") or data["by"] in asked[0]["by"])
                 and len(given) < asked[0].get("count", 1))
        world.demand(holds, "approved", lambda: f"{data['by']} gave approval {data['name']!r} to "
                     f"{task}, which is {task.status} and asks for {asked}; given by {given}")
        given.append(data["by"])

    def on_TaskLabelled(self, event, data):
        world, task = self.world, self.world.known(event.id)
        if not task:
            return
        task.touch(event)
        set_, removed = data.get("set", {}), data.get("remove", ())
        world.demand((set_ or removed) and not set(set_) & set(removed), "labelled",
                     lambda: f"{task} was labelled by {set_}, and {removed} was taken off")

    def on_TaskPaused(self, event, data):
        task = self.lives.live(event)
        if task:
            self.world.demand(task.paused is None, "paused",
                              lambda: f"{task} was paused, and was before", task.paused)
            task.paused, task.announced_at = event.seq, None

    def on_TaskResumed(self, event, data):
        task = self.lives.live(event)
        if task:
            self.world.demand(task.paused is not None, "paused",
                              lambda: f"{task} was resumed, and was not paused")
            task.paused = task.announced = task.announced_at = None
            task.round += 1

    def on_TaskRestarted(self, event, data):
        world, task = self.world, self.world.known(event.id)
        if not task:
            return
        successor, is_reuse = data["successor"], data["outputs"] == "reuse"
        step_of = data.get("step_of")
        if not world.demand(task.restarted_as is None, "restarted-twice",
                            lambda: f"{task} was restarted before, as {task.restarted_as}"):
            return
        task.touch(event)
        is_live = not task.is_over
        may = not (is_live and (is_reuse or not step_of)) and not (is_reuse and task.outcome == "ok")
        world.demand(may, "restarted", lambda: f"{task}, which is {task.how or task.status}, was "
                     f"restarted with outputs {data['outputs']}")
        world.demand(tuple(data.get("children", ())) == task.children, "children",
                     lambda: f"{task} was restarted with other children than it has")
        if step_of:
            world.demand(step_of in world.restart_seqs, "restarted",
                         lambda: f"{task} was restarted by restart {step_of}, which nobody ordered")
        if self.strict:
            by = step_of or event.metadata["event_id"]
            expected = ids.derive(by, f"restart:{event.id}", ids.partition(event.id))
            world.demand(successor["id"] == expected, "derived",
                         lambda: f"the successor of {task} is {successor['id']}, not {expected}")
        self.outputs.restarted(event, task, data)
        task.restarted_as = successor["id"]
        if is_live:
            self.lives.end(event, task, "cancelled")
        task.spawned = None
        if data.get("children"):
            task.children_cancelled = True
            world.orders.append((event.seq, data["children"]))


def approvals(expression):
    """The approvals that an expression asks for."""
    if not expression:
        return
    (kind, of), = expression.items()
    if kind == "approval":
        yield {"name": of} if isinstance(of, str) else of
    parts = (of if kind in ("all", "any") else of["of"] if kind == "at_least" else
             [of["of"]] if kind == "within" else [of] if kind == "not" else ())
    for part in parts:
        yield from approvals(part)
