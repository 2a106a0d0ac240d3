"""The commands that idempotency keys stand for: the same key is the same command for good."""

from . import ids
from .operations import FAILED, UNKNOWN

UNKNOWN_OUTCOME = 1008
ID_LENGTH = 36


def keyed(operation):
    """The commands that idempotency keys stand for: (command id, outcome)."""
    params, method = operation.params, operation.method
    if method == "task.spawn_batch":
        results = operation.results[-1].get("results", ()) if operation.results else ()
        for index, task in enumerate(params.get("tasks", ())):
            outcome = operation.outcome
            if index < len(results) and "error" in results[index]:
                code = results[index]["error"].get("code")
                outcome = UNKNOWN if code == UNKNOWN_OUTCOME else FAILED
            if task.get("idempotency_key"):
                yield spawned_by(task.get("namespace") or operation.namespace, task), outcome
    elif not params.get("idempotency_key"):
        return
    elif method == "task.spawn":
        yield spawned_by(operation.namespace, params), operation.outcome
    elif method == "resource.allocate":
        for index in range(params.get("count", 1)):
            key = f"{index}:{params['idempotency_key']}"
            yield ids.of_key(operation.namespace, method, key), operation.outcome
    elif method == "pipeline.run":
        yield ids.of_key(operation.namespace, method, params["idempotency_key"]), operation.outcome
    else:
        for id_, outcome in ordered(operation):
            key = params["idempotency_key"]
            yield ids.of_key(operation.namespace, f"{method}:{id_}", key), outcome


def ordered(operation):
    """What an order is for: (id, outcome), one for each that it names by its whole id."""
    params, method = operation.params, operation.method
    kind = method.partition(".")[0]
    if kind == "specification":
        yield ids.named(operation.namespace, kind, params["name"]), operation.outcome
    elif kind == "namespace":
        yield ids.named(operation.namespace, kind, operation.namespace), operation.outcome
    elif kind == "resource":
        errors = operation.results[-1].get("errors", ()) if operation.results else ()
        named = params.get("ids") or [item["id"] for item in params.get("items", ())]
        for index, id_ in enumerate(named):
            # Why one of several was not done is told for people only.
            has_failed = index < len(errors) and errors[index] is not None
            yield id_, UNKNOWN if has_failed else operation.outcome
    elif len(str(params.get("id", ""))) == ID_LENGTH:
        yield params["id"], operation.outcome


def spawned_by(namespace, params):
    # The partition of a task is its context's, so a key means something in one context only.
    context = params.get("context_id")
    method = f"task.spawn:{context}" if context else "task.spawn"
    return ids.of_key(namespace, method, params["idempotency_key"])
