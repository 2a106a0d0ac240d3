"""A history that has ended: whatever is open then was forgotten."""


def finish(world, may_be_unfinished=False):
    """What is asked of an exported history, whose end is the end of its tasks."""
    def found(rule, task, message):
        world.findings.add(rule, task.context, [task.end_seq or task.spawned_seq], message)

    for id_, named in world.named.items():
        context = world.contexts.get(named.context)
        is_stopped = context is not None and named.origin < context.stopped_seq
        if not is_stopped and not may_be_unfinished:
            world.findings.add("unspawned", named.context, [named.seq],
                               f"task {id_} was named, but never spawned")
    for task in world.tasks.values():
        if not task.is_over and not may_be_unfinished:
            found("unfinished", task, f"{task} has not ended")
        for name, id_ in task.inputs.items():
            resource = world.resources.get(id_)
            is_made = resource is not None and (resource.custodian or resource.allocated)
            if not is_made and not may_be_unfinished:
                found("origin", task, f"input {name} of {task} is made by nobody")
    check_resolved(world)


def check_resolved(world):
    """An output that was passed on is unresolved only if whoever has it did not end well."""
    for task in world.tasks.values():
        if task.outcome != "ok":
            continue
        for name, id_ in task.outputs.items():
            resource = world.resource(id_)
            holder = world.tasks.get(resource.custodian)
            if resource.resolved is None and holder and holder.outcome == "ok":
                world.findings.add("output", task.context, [task.end_seq],
                                   f"output {name} of {task} was never resolved")
