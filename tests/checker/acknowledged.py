"""What acknowledgements mean: why an event is not what a command was acknowledged with."""

from .keys import spawned_by


def spawned(world, event, operation, part):
    task = world.tasks.get(part["task_id"])
    if event.type != "TaskSpawned" or event.id != part["task_id"] or task is None:
        return f"task {part['task_id']} was to be spawned there"
    if task.context != part["context_id"] or task.outputs != part["outputs"]:
        return "the task has another context or other outputs than was answered"
    if operation.method == "task.spawn" and operation.params.get("idempotency_key"):
        command = spawned_by(operation.namespace, operation.params)
        if event.metadata["command_id"] != command:
            return f"it is not of the command that the key stands for ({command})"
    return None


def ran(world, event, operation, part):
    if event.type != "ContextOpened" or event.id != part["context_id"]:
        return f"context {part['context_id']} was to be opened there"
    if len(event.data["plan"]) != part["tasks"]:
        return f"{part['tasks']} tasks were answered, and {len(event.data['plan'])} are planned"
    return None


def restarted(world, event, operation, part):
    if event.type not in ("TaskRestarted", "ContextRestarted"):
        return "a restart was to be there"
    if part.get("restart_id") and event.data.get("id") != part["restart_id"]:
        return f"restart {part['restart_id']} was to be there"
    successor = event.data.get("successor", {}).get("id")
    if successor and part.get("task_id") and successor != part["task_id"]:
        return f"task {part['task_id']} was to be the successor"
    return None


def stopped(world, event, operation, part):
    if event.aggregate == "task":
        task = world.tasks.get(event.id)
        holds = task is not None and (task.status == "cancelled" or task.children_cancelled)
    else:
        holds = world.context(event.id).cancelled
    return None if holds and is_meant(event, operation) else "it is not stopped by then"


def is_meant(event, operation):
    """Whether the event belongs to what the operation names, by its id or the beginning of one."""
    return event.id.startswith(str(operation.params.get("id", "")).split("/")[-1])


def paused(is_paused):
    def check(world, event, operation, part):
        if event.aggregate == "task":
            task = world.tasks.get(event.id)
            now = task is not None and task.paused is not None
        elif event.aggregate == "context":
            now = world.context(event.id).paused is not None
        else:
            now = world.pauses.get(event.id) is not None
        wanted = "paused" if is_paused else "going on"
        return None if now == is_paused and is_meant(event, operation) else f"it is not {wanted} by then"
    return check


def approved(world, event, operation, part):
    task = world.tasks.get(event.id)
    given = (task.approvals or {}).get(operation.params["name"], ()) if task else ()
    missing = [who for who in part.get("given", ()) if who not in given]
    # Others may have said yes between the event and the answer.
    return None if task and given or not missing else f"{missing} have not approved by then"


def applied(world, event, operation, part):
    return None if event.type.endswith("Applied") else "a definition was to be there"


def of_resource(world, event, operation, part):
    return None if event.aggregate == "resource" else "a resource was to be changed there"


CHECKS = {
    "task.spawn": spawned, "task.spawn_batch": spawned, "pipeline.run": ran,
    "task.restart": restarted, "context.restart": restarted,
    "task.cancel": stopped, "context.cancel": stopped, "task.approve": approved,
    **{f"{kind}.pause": paused(True) for kind in ("task", "context", "specification", "namespace")},
    **{f"{kind}.resume": paused(False) for kind in ("task", "context", "specification", "namespace")},
    "manifest.apply": applied, "resource.allocate": of_resource,
    "resource.initialize": of_resource, "resource.release": of_resource,
}
