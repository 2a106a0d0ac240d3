"""What can be done to a good history, and the rule that has to find it."""

import copy

from ..event import Event
from ..export import EXIT_FOUND, check
from .story import cancelled_history, good_history


def find(events, type_, id_, attempt=None):
    for index, event in enumerate(events):
        if (event["type"], event["id"]) == (type_, id_) and attempt in (
                None, event["data"].get("attempt")):
            return index
    raise LookupError(f"{type_} of {id_}")


def relink(events):
    """Makes positions, versions and chains right again, so that only the meaning is wrong."""
    moved, chains = {}, {}
    for index, event in enumerate(events):
        moved.setdefault(event["stream_seq"], index * 3 + 2)
        event["stream_seq"] = index * 3 + 2
        event["metadata"]["event_id"] = f"event-{index}"
        version, previous = chains.get(event["id"], (0, 0))
        event["metadata"]["previous_seq"] = previous
        if event["type"] != "TaskReady":
            version += 1
            chains[event["id"]] = (version, event["stream_seq"])
        else:
            event["data"]["guard"] = previous
        event["version"] = version
    for event in events:
        data = event["data"]
        if "ready_seq" in data:
            data["ready_seq"] = moved.get(data["ready_seq"], data["ready_seq"])
        if event["type"] == "TaskReady":
            for said in data["inputs"].values():
                said["seq"] = moved.get(said["seq"], said["seq"])


def drop(type_, id_, attempt=None):
    return lambda events: events.pop(find(events, type_, id_, attempt))


def repeat(type_, id_, attempt=None):
    def tamper(events):
        index = find(events, type_, id_, attempt)
        events.insert(index + 1, copy.deepcopy(events[index]))
    return tamper


def move(type_, id_, before_type, before_id, attempt=None):
    def tamper(events):
        event = events.pop(find(events, type_, id_, attempt))
        events.insert(find(events, before_type, before_id), event)
    return tamper


def change(type_, id_, how, attempt=None):
    return lambda events: how(events[find(events, type_, id_, attempt)])


def patch(**data):
    return lambda event: event["data"].update(data)


def set_field(field, value):
    return lambda event: event.update({field: value})


def set_metadata(field, value):
    return lambda event: event["metadata"].update({field: value})


def steal_output(events):
    """`use` claims the resource that the grandchild is to resolve."""
    for index in (0, find(events, "TaskSpawned", "use")):
        data = events[index]["data"]
        tasks = [step["task"] for step in data["plan"] if step["id"] == "use"] if "plan" in data else [data]
        for task in tasks:
            task["outputs"]["w"]["id"] = "r-z"


# (what is done, the code that must be found, the tampering); the log is made whole again unless
# the code is one of the log's own.
TAMPERINGS = [
    ("two events change places", "order", lambda events: events.insert(9, events.pop(5))),
    ("an event is recorded twice", "duplicate",
     change("TaskReceived", "use", set_metadata("event_id", "event-2"))),
    ("an event is left out", "version", drop("TaskReceived", "use")),
    ("a version is skipped", "version", change("TaskFinished", "use", set_field("version", 9))),
    ("the chain is broken", "previous",
     change("TaskFinished", "use", set_metadata("previous_seq", 2))),
    ("an announcement is of an older state", "guard", change("TaskReady", "use", patch(guard=2))),
    ("a task is never spawned", "unspawned", drop("TaskSpawned", "last")),
    ("a named child is never spawned", "unspawned", drop("TaskSpawned", "grandchild")),
    ("a task is spawned twice", "spawned-twice", repeat("TaskSpawned", "use")),
    ("a task is not the one that was planned", "not-as-named",
     change("TaskSpawned", "use", patch(queue="other"))),
    ("a child has another parent", "parent",
     change("TaskSpawned", "child", patch(parent_id="use"))),
    ("a step was never planned", "unnamed", lambda events: events[0]["data"]["plan"].pop()),
    ("a child is spawned before it is named", "unnamed",
     move("TaskSpawned", "child", "TaskFinished", "split")),
    ("a task is planned twice", "named",
     lambda events: events[0]["data"]["plan"].append(events[0]["data"]["plan"][0])),
    ("an event belongs to another context", "context",
     change("TaskSpawned", "use", set_metadata("correlation_id", "context-2"))),
    ("a task is received before an input is resolved", "early",
     move("TaskReceived", "use", "TaskFinished", "grandchild")),
    ("a task is received before what it comes after", "early",
     move("TaskReceived", "last", "TaskFinished", "use")),
    ("a task is announced before an input is resolved", "announced-input",
     move("TaskReady", "use", "TaskFinished", "grandchild")),
    ("an announcement names another position", "announced-input",
     change("TaskReady", "use", lambda event: event["data"]["inputs"]["z"].update(seq=2))),
    ("an announcement names another output", "announced-input",
     change("TaskReady", "use", lambda event: event["data"]["inputs"]["z"].update(output="z"))),
    ("an attempt is claimed twice", "claimed-twice", repeat("TaskReceived", "use")),
    ("an attempt is left out", "attempts",
     change("TaskReceived", "load", patch(attempt=3), attempt=2)),
    ("an attempt was never announced", "unannounced", drop("TaskReady", "use")),
    ("a claim names another announcement", "unannounced",
     change("TaskReceived", "use", patch(ready_seq=2))),
    ("a retry does not wait", "too-early",
     change("TaskReceived", "load", set_metadata("at", "2026-11-24T00:00:04.999999Z"), attempt=2)),
    ("a lost attempt ends the task", "fence", change("TaskFinished", "load", patch(attempt=1))),
    ("a task ends that nobody received", "fence", drop("TaskReceived", "use")),
    ("a task ends twice", "ended-twice", repeat("TaskFinished", "use")),
    ("a task is cancelled after its end", "ended-twice",
     lambda events: events.append({**copy.deepcopy(events[find(events, "TaskFinished", "use")]),
                                   "type": "TaskCancelled", "data": {"reason": "late"}})),
    ("a task never ends", "unfinished", drop("TaskFinished", "last")),
    ("an output is missing", "output", change("TaskFinished", "use", patch(outputs={}))),
    ("an output is given and delegated", "output",
     change("TaskFinished", "split", patch(outputs={"z": {"value": 1}}))),
    ("an output was not promised", "output",
     change("TaskFinished", "use", patch(outputs={"w": {"value": 1}, "v": {"value": 1}}))),
    ("a failed task gives outputs", "output",
     change("TaskFinished", "bad", patch(outputs={"v": {"value": 1}}))),
    ("an output is resolved twice", "resolved-twice", steal_output),
    ("an output is claimed by two tasks", "custody", steal_output),
    ("an output is delegated to somebody else's", "delegation",
     change("TaskFinished", "split", patch(delegated={"z": {"child": "child", "output": "own"}}))),
    ("an output is delegated to nobody", "delegation",
     change("TaskFinished", "split", patch(delegated={"z": {"child": "use", "output": "w"}}))),
    ("a resource of nobody's is resolved twice", "resolved-twice",
     repeat("ResourceInitialized", "r-free")),
    ("a resource was never allocated", "custody", drop("ResourceAllocated", "r-free")),
    ("an output is initialized from outside", "custody",
     change("ResourceInitialized", "r-free", set_field("id", "r-v"))),
    ("a running task is skipped", "skipped",
     lambda events: events.insert(find(events, "TaskSkipped", "never"), {
         **copy.deepcopy(events[find(events, "TaskReceived", "bad")]), "id": "never"})),
    ("a task is skipped without cause", "root-cause",
     change("TaskSkipped", "never", patch(root_cause="use"))),
    ("an input is made by nobody", "origin",
     lambda events: [step["task"]["outputs"].clear() for step in events[0]["data"]["plan"]
                     if step["id"] == "bad"] + [events[find(events, "TaskSpawned", "bad")]["data"]
                                                ["outputs"].clear()]),
    ("an event lacks its data", "shape", change("TaskReceived", "use", set_field("data", {}))),
]
OF_THE_LOG = {"order", "duplicate", "version", "previous", "guard"}


def judge(events):
    """What is found in event documents."""
    return check(Event.of_document(event) for event in events).findings


def self_test():
    """Judges good histories and tampered ones; an exit code."""
    failures = []
    for history in (good_history, cancelled_history):
        for _, rule, positions, message in judge(history()).kept:
            failures.append(f"{history.__name__} is sound, but at {positions}: {rule}: {message}")
    for what, rule, tamper in TAMPERINGS:
        events = good_history()
        tamper(events)
        if rule not in OF_THE_LOG:
            relink(events)
        found = judge(events).counts
        if rule not in found:
            failures.append(f"{what}: expected {rule}, found {sorted(found) or 'nothing'}")
    for failure in failures:
        print(failure)
    cases = len(TAMPERINGS) + 2
    print(f"self-test: {cases - len(failures)} of {cases} cases judged rightly")
    return EXIT_FOUND if failures else 0
