"""What tasks wait for: whether it can have held by now, and whether it holds at the end.

While a history is read, facts are only known to have been so once: whoever decided may have seen
an earlier state than the last one. So `may_have_held` says no only of what never held.
"""

from .event import duration, micros

PENDING, READY, FAILED, UNKNOWN = "pending", "ready", "failed", "unknown"


def governed(task):
    """The inputs that the task's rule decides about: it may run without them."""
    upstream = task.when["upstream"] if task.when else ()
    return {name for before in upstream for name in before.get("inputs", ())}


# While the history is read.

def never_held(world, task, at):
    """What the task waits for that can never have held by now, in words; None if all may have.
    `at`: the time by the clock of whoever decides about times; None: of somebody else's."""
    rule, optional = task.when, governed(task)
    for name, resource in task.inputs.items():
        known = world.resources.get(resource)
        if name not in optional and (known is None or known.resolved is None):
            return f"its input {name} was resolved"
    if rule and not rule_may_have_held(world, rule):
        return f"the rule {rule.get('rule', 'all_ok')} held"
    if task.depends_on and not may_have_held(world, task, task.depends_on, at):
        return f"{task.depends_on} held"
    return None


def may_have_held(world, task, expression, at):
    (kind, of), = expression.items()
    if kind == "all":
        return all(may_have_held(world, task, part, at) for part in of)
    if kind == "any":
        return any(may_have_held(world, task, part, at) for part in of)
    if kind == "at_least":
        return sum(may_have_held(world, task, part, at) for part in of["of"]) >= of["count"]
    if kind == "within":
        return may_have_held(world, task, of["of"], at)
    if kind == "resource":
        return of in world.resources and world.resources[of].resolved is not None
    if kind == "task":
        return any(it.was_ok for it in world.chain(of))
    if kind == "done":
        return any(it.has_ended for it in world.chain(of))
    if kind == "failed":
        return any(it.was_bad for it in world.chain(of))
    if kind == "at":
        return at is None or micros(at) >= micros(of)
    if kind == "approval":
        return approved(task, of)
    if kind == "event":
        return world.event_types.get((task.namespace, of["type"]), 0) > task.spawned_seq
    return True  # what is not, a window, a probe: nothing that the events tell


def rule_may_have_held(world, rule):
    name, upstream = rule.get("rule", "all_ok"), rule["upstream"]
    chains = [list(world.chain(before["task"])) for before in upstream]
    ok = sum(any(it.was_ok for it in chain) for chain in chains)
    ended = sum(any(it.has_ended for it in chain) for chain in chains)
    # What a task that finished ok was to hand over may be lost with a child.
    failed = sum(any(it.was_bad or it.delegated for it in chain) for chain in chains)
    least = {"all_ok": ok, "all_done": ended, "all_failed": failed, "none_failed": ended}
    if name in least:
        return least[name] == len(chains)
    return (ok if name == "any_ok" else failed) > 0


def approved(task, approval):
    if isinstance(approval, str):
        approval = {"name": approval}
    allowed = approval.get("by") or None
    given = (task.approvals or {}).get(approval["name"], ())
    return sum(allowed is None or who in allowed for who in given) >= approval.get("count", 1)


# At the end.

def resource_status(world, id_):
    """Whether a resource is there, may come, or never will."""
    known = world.resources.get(id_)
    if known is None:
        return PENDING
    if known.resolved is not None:
        return READY
    holder = world.tasks.get(known.custodian)
    if holder is not None and holder.is_over and (known.promised is None):
        return FAILED
    return PENDING


def ending(world, id_):
    """The task that ended in the place of one, None if it has not."""
    task = world.tasks.get(world.head(id_))
    return task if task is not None and task.is_over else None


def is_failure(task):
    if task.status == "skipped":
        return task.skipped.get("cause", "failure") == "failure"
    return not (task.status == "finished" and task.outcome == "ok")


def readiness(world, task, now):
    """Whether the task may run at the end: one of the four. UNKNOWN: the events do not tell."""
    rule, optional = task.when, governed(task)
    parts = [resource_status(world, id_) for name, id_ in task.inputs.items()
             if name not in optional]
    if rule:
        parts.append(triggered(world, task, rule))
    if task.depends_on:
        parts.append(evaluate(world, task, task.depends_on, False, now))
    status = combine(parts, len(parts))
    if status == FAILED and PENDING in parts:
        # What a rule alone makes impossible is said once nobody can fail any more.
        lost = (world.resources[id_] for id_ in task.inputs.values()
                if resource_status(world, id_) == FAILED)
        has_failed = any(is_failure(world.tasks[resource.custodian]) for resource in lost)
        return FAILED if has_failed and not rule else UNKNOWN
    return status


def combine(parts, needed):
    """At least `needed` of the parts."""
    ready, failed = parts.count(READY), parts.count(FAILED)
    if ready >= needed:
        return READY
    if failed > len(parts) - needed:
        return FAILED
    return UNKNOWN if UNKNOWN in parts else PENDING


def triggered(world, task, rule):
    pending = ok = failed = skipped = 0
    for before in rule["upstream"]:
        end = ending(world, before["task"])
        if end is None:
            pending += 1
        elif end.how != "ok":
            failed, skipped = failed + is_failure(end), skipped + (not is_failure(end))
        else:
            handed = [resource_status(world, task.inputs[name])
                      for name in before.get("inputs", ()) if name in task.inputs]
            if FAILED in handed:
                failed += 1
            elif PENDING in handed:
                pending += 1
            else:
                ok += 1
    holds, never = {
        "all_ok": (pending + failed + skipped == 0, failed + skipped > 0),
        "all_done": (pending == 0, False),
        "any_ok": (ok > 0, pending == 0),
        "any_failed": (failed > 0, pending == 0),
        "all_failed": (pending + ok + skipped == 0, ok + skipped > 0),
        "none_failed": (pending + failed == 0, failed > 0),
    }[rule.get("rule", "all_ok")]
    return READY if holds else FAILED if never else PENDING


def evaluate(world, task, expression, negated, now):
    """An expression, or what is its opposite, at the end."""
    (kind, of), = expression.items()
    if kind == "not":
        return evaluate(world, task, of, not negated, now)
    if kind in ("all", "any", "at_least"):
        parts = of["of"] if kind == "at_least" else of
        count = of["count"] if kind == "at_least" else len(parts) if kind == "all" else 1
        needed = max(len(parts) + 1 - count, 0) if negated else count
        return combine([evaluate(world, task, part, negated, now) for part in parts], needed)
    if kind == "within":
        inner = evaluate(world, task, of["of"], False, now)
        if now < micros(task.spawned_at) + duration(of["time"]) and inner == PENDING:
            return PENDING
        return UNKNOWN  # when it came to hold matters
    if kind == "resource":
        return opposite(resource_status(world, of), negated)
    if kind in ("task", "done", "failed"):
        end = ending(world, of)
        if end is None:
            return PENDING
        holds = {"task": end.how == "ok", "done": True, "failed": is_failure(end)}[kind]
        return READY if holds != negated else FAILED
    if kind == "at":
        return opposite(READY if now >= micros(of) else PENDING, negated, is_passing=True)
    if kind == "approval":
        return opposite(READY if approved(task, of) else PENDING, negated, is_passing=True)
    return UNKNOWN


def opposite(status, negated, is_passing=False):
    """What has not come yet is not there now; of what settles it cannot be said before it has."""
    if not negated:
        return status
    return {READY: FAILED, FAILED: READY, PENDING: READY if is_passing else PENDING}[status]
