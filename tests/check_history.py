#!/usr/bin/env python3
"""Judges a history of Kantoku by the events alone, without any of its code.

Reads what `ktk events export` writes: a header line, then one event document a line.

    ktk events export | check_history.py
    check_history.py history.jsonl --context 0193b0de --expect-tasks 52 --expect-ok

It proves, for every task: it was spawned as its plan or its parent named it; an attempt was
received only after all inputs were resolved and all tasks that it comes after had ended well;
attempts follow each other in order, each claimed once and ended by its own number; the task
ended exactly once; every output was resolved exactly once, by its custodian of that moment, be it
the task itself or the child that the output was delegated to. And of the log itself: positions
increase, versions and previous positions of every aggregate form one unbroken chain, no event
is there twice.

Exit codes: 0 the history is sound, 1 it cannot be read, 2 usage, 7 violations were found.
"""

import argparse
import copy
import datetime
import json
import sys

SHOWN_MAX = 100
EXIT_UNREADABLE, EXIT_FOUND = 1, 7


class Task:
    """What the events so far say about one task."""

    def __init__(self, event):
        data = event["data"]
        self.id = event["id"]
        self.spawned_at = event["stream_seq"]
        self.context = data["context_id"]
        self.name = data.get("step") or self.id
        self.inputs = data.get("inputs", {})
        self.outputs = {name: output["id"] for name, output in data.get("outputs", {}).items()}
        self.depends_on = data.get("depends_on")
        self.attempt = 0
        self.attempts = 0
        self.delegated = 0
        self.is_running = False
        self.not_before = None
        self.announced = {}  # position of the TaskReady -> the event
        self.end = None  # (position, "ok" | "failed" | "cancelled" | "skipped")

    def __str__(self):
        return f"task {self.id}" if self.name == self.id else f"task {self.name} ({self.id})"


class Checker:
    """Folds events in their order, and keeps what contradicts."""

    def __init__(self):
        self.violations = []  # (context, code, positions, message)
        self.events = 0
        self.contexts = {}  # of each event counted
        self.first_seq = None
        self.last_seq = 0
        self.event_ids = {}
        self.chains = {}  # aggregate -> (version, position)
        self.tasks = {}
        self.named = {}  # task -> (position, what it was named as, the parent or None)
        self.cancelled = set()  # contexts
        self.custodian = {}  # resource -> the task that may resolve it
        self.promised = {}  # resource -> (child, output) it was delegated to, not yet spawned
        self.resolved = {}  # resource -> (position, the output's name or None)
        self.allocated = {}
        self.event = None

    # What goes wrong is noted where it shows, and checking goes on.

    def wrong(self, code, message, *others):
        seq = self.event["stream_seq"]
        positions = sorted({seq, *(other for other in others if other)})
        self.violations.append((self.event["metadata"]["correlation_id"], code, positions, message))

    def demand(self, holds, code, message, *others):
        if not holds:
            self.wrong(code, message, *others)
        return holds

    def take(self, event):
        self.event = event
        self.events += 1
        self.check_log(event)
        context = event["metadata"]["correlation_id"]
        self.contexts[context] = self.contexts.get(context, 0) + 1
        handler = getattr(self, "on_" + event["type"], None)
        if handler:
            handler(event, event["data"])

    # The log.

    def check_log(self, event):
        seq, metadata = event["stream_seq"], event["metadata"]
        self.demand(seq > self.last_seq, "order",
                    f"position {seq} comes after position {self.last_seq}", self.last_seq)
        self.last_seq = max(self.last_seq, seq)
        self.first_seq = self.first_seq or seq
        before = self.event_ids.setdefault(metadata["event_id"], seq)
        self.demand(before == seq, "duplicate",
                    f"event {metadata['event_id']} is there twice", before)
        version, previous = self.chains.get(event["id"], (0, 0))
        # An announcement lies on its queue's subject and is no link of the task's chain.
        is_link = event["type"] != "TaskReady"
        expected = version + 1 if is_link else version
        self.demand(event["version"] == expected, "version",
                    f"{event['type']} of {event['aggregate']} {event['id']} has version "
                    f"{event['version']}, not {expected}", previous)
        said = metadata.get("previous_seq", previous)
        self.demand(said == previous, "previous",
                    f"{event['type']} of {event['aggregate']} {event['id']} follows position "
                    f"{said} by its own account, but {previous} by the log", previous)
        if is_link:
            self.chains[event["id"]] = (event["version"], seq)

    # Contexts.

    def on_ContextOpened(self, event, data):
        for planned in data["plan"]:
            self.name(planned, None)

    def on_ContextCancelled(self, event, data):
        self.cancelled.add(event["id"])

    def name(self, planned, parent):
        before = self.named.get(planned["id"])
        if self.demand(before is None, "named", f"task {planned['id']} was named before",
                       before and before[0]):
            self.named[planned["id"]] = (self.event["stream_seq"], planned["task"], parent)

    # The life of a task.

    def on_TaskSpawned(self, event, data):
        if not self.demand(event["id"] not in self.tasks, "spawned-twice",
                           f"task {event['id']} was spawned before"):
            return
        task = self.tasks[event["id"]] = Task(event)
        self.demand(event["metadata"]["correlation_id"] == task.context, "context",
                    f"{task} belongs to context {task.context}, but its event says another")
        named = self.named.get(task.id)
        if named:
            self.demand(named[1] == data, "not-as-named",
                        f"{task} was not spawned as it was named", named[0])
            self.demand(data.get("parent_id") == named[2], "parent",
                        f"{task} has parent {data.get('parent_id')}, but {named[2]} named it",
                        named[0])
        else:
            # A single task has no plan; a step and a child have.
            self.demand(not data.get("parent_id") and not data.get("step"), "unnamed",
                        f"{task} is a step or a child, but nobody named it before")
        for name, resource in task.outputs.items():
            holder = self.custodian.get(resource)
            promised = self.promised.pop(resource, None)
            self.demand((holder is None and resource not in self.allocated)
                        or promised == (task.id, name), "custody",
                        f"output {name} of {task} is resource {resource}, which was another's")
            self.custodian[resource] = task.id

    def on_TaskReady(self, event, data):
        task = self.known(data["task_id"])
        if not task:
            return
        task.announced[event["stream_seq"]] = data
        self.demand(data["guard"] == self.chains[task.id][1], "guard",
                    f"{task} was announced by its state at {data['guard']}", data["guard"])
        for name, resource in resources(task):
            said = data.get("inputs", {}).get(name, {})
            said = (said.get("seq"), said.get("output"))
            is_so = self.resolved.get(resource, (None, None))
            self.demand(resource in self.resolved and said == is_so, "announced-input",
                        f"{task} was announced with input {name} from position {said[0]} as "
                        f"{said[1]}, but that was resolved at {is_so[0]} as {is_so[1]}", said[0])

    def on_TaskReceived(self, event, data):
        task = self.live(event)
        if not task:
            return
        self.demand(not task.is_running, "claimed-twice",
                    f"attempt {data['attempt']} of {task} was received while attempt "
                    f"{task.attempt} was running")
        self.demand(data["attempt"] == task.attempt + 1, "attempts",
                    f"attempt {data['attempt']} of {task} follows attempt {task.attempt}")
        ready = task.announced.get(data["ready_seq"])
        self.demand(ready is not None and ready["attempt"] == data["attempt"], "unannounced",
                    f"attempt {data['attempt']} of {task} was not announced at "
                    f"{data['ready_seq']}", data["ready_seq"])
        for name, resource in resources(task):
            self.demand(resource in self.resolved, "early",
                        f"{task} was received before its input {name} was resolved")
        for dependency in leaves(task.depends_on):
            self.demand(self.holds(dependency), "early",
                        f"{task} was received before {dependency} held")
        if task.not_before:
            self.demand(moment(event["metadata"]["at"]) >= moment(task.not_before), "too-early",
                        f"{task} was received at {event['metadata']['at']}, before {task.not_before}")
        task.attempt, task.is_running = data["attempt"], True
        task.attempts += 1

    def on_TaskAttemptFailed(self, event, data):
        task = self.live(event)
        if task and self.close_attempt(task, data):
            task.not_before = data["not_before"]

    def on_TaskFinished(self, event, data):
        task = self.live(event)
        if not task:
            return
        self.close_attempt(task, data)
        task.end = (event["stream_seq"], data["outcome"])
        outputs, delegated = data.get("outputs", {}), data.get("delegated", {})
        if data["outcome"] == "ok":
            for name in task.outputs:
                self.demand((name in outputs) != (name in delegated), "output",
                            f"output {name} of {task} was not either resolved or delegated")
        else:
            self.demand(not outputs and not delegated and not data.get("children"), "output",
                        f"{task} failed, and yet gave outputs or children")
        for name in [*outputs, *delegated]:
            self.demand(name in task.outputs, "output", f"{task} has no output {name}")
        for name in outputs:
            if name in task.outputs:
                self.resolve(task.outputs[name], task, name)
        children = {child["id"]: child["task"] for child in data.get("children", [])}
        for child in data.get("children", []):
            self.name(child, task.id)
        for name, target in delegated.items():
            if name in task.outputs:
                self.delegate(task, name, target, children)

    def on_TaskCancelled(self, event, data):
        self.end(event, "cancelled")

    def on_TaskSkipped(self, event, data):
        task = self.end(event, "skipped")
        if task:
            self.demand(not task.is_running, "skipped", f"{task} was skipped while it was running")
            cause = self.tasks.get(data["root_cause"])
            self.demand(cause is not None and cause.end is not None and cause.end[1] != "ok",
                        "root-cause", f"{task} was skipped because of {data['root_cause']}, "
                        "which had not ended badly", cause and cause.end and cause.end[0])

    def known(self, task_id):
        task = self.tasks.get(task_id)
        self.demand(task is not None, "unspawned",
                    f"{self.event['type']} of task {task_id}, which was never spawned")
        return task

    def live(self, event):
        """The task, if it is there and may still go on."""
        task = self.known(event["id"])
        if task and task.end:
            self.wrong("ended-twice", f"{event['type']} of {task}, which had ended {task.end[1]}",
                       task.end[0])
            return None
        return task

    def close_attempt(self, task, data):
        holds = task.is_running and data["attempt"] == task.attempt
        self.demand(holds, "fence",
                    f"attempt {data['attempt']} of {task} was ended, but attempt {task.attempt} "
                    + ("is running" if task.is_running else "is not running"))
        task.is_running = False
        return holds

    def end(self, event, how):
        task = self.live(event)
        if task:
            task.end = (event["stream_seq"], how)
        return task

    # Resources.

    def on_ResourceAllocated(self, event, data):
        self.demand(event["id"] not in self.custodian, "custody",
                    f"resource {event['id']} is an output of task {self.custodian.get(event['id'])}")
        self.allocated[event["id"]] = event["stream_seq"]

    def on_ResourceInitialized(self, event, data):
        if self.demand(event["id"] in self.allocated, "custody",
                       f"resource {event['id']} was resolved, but nobody allocated it"):
            self.resolve(event["id"], None, None)

    def resolve(self, resource, task, name):
        what = f"output {name} of {task}" if task else f"resource {resource}"
        before = self.resolved.get(resource)
        self.demand(before is None, "resolved-twice", f"{what} was resolved before",
                    before and before[0])
        if task:
            holder = self.custodian.get(resource)
            self.demand(holder == task.id, "custody",
                        f"{what} was in custody of {holder} when {task} resolved it")
        self.resolved.setdefault(resource, (self.event["stream_seq"], name))

    def delegate(self, task, name, target, children):
        resource = task.outputs[name]
        child, output = target["child"], target["output"]
        task.delegated += 1
        self.demand(self.custodian.get(resource) == task.id, "custody",
                    f"{task} delegated output {name}, which was not in its custody")
        before = self.resolved.get(resource)
        self.demand(before is None, "resolved-twice",
                    f"{task} delegated output {name}, which was resolved", before and before[0])
        taken = children.get(child, {}).get("outputs", {}).get(output, {}).get("id")
        self.demand(taken == resource, "delegation",
                    f"{task} delegated output {name} to {child}.{output}, which is {taken}")
        self.custodian[resource] = child
        self.promised[resource] = (child, output)

    def holds(self, dependency):
        if "task" in dependency:
            task = self.tasks.get(dependency["task"])
            return task is not None and task.end is not None and task.end[1] == "ok"
        return dependency.get("resource") in self.resolved

    # At the end.

    def finish(self, may_be_unfinished):
        for task_id, (seq, named, _) in self.named.items():
            context = named["context_id"]
            if task_id not in self.tasks and context not in self.cancelled and not may_be_unfinished:
                self.violations.append((context, "unspawned", [seq],
                                        f"task {task_id} was named, but never spawned"))
        for task in self.tasks.values():
            if not task.end and not may_be_unfinished:
                self.violations.append((task.context, "unfinished", [task.spawned_at],
                                        f"{task} has not ended"))
            for name, resource in resources(task):
                made = resource in self.custodian or resource in self.allocated
                if not made and not may_be_unfinished:
                    self.violations.append((task.context, "origin", [task.spawned_at],
                                            f"input {name} of {task} is made by nobody"))
            if task.end and task.end[1] == "ok":
                self.check_resolved(task)

    def check_resolved(self, task):
        """An output that was passed on is unresolved only if whoever has it did not end well."""
        for name, resource in task.outputs.items():
            holder = self.tasks.get(self.custodian.get(resource))
            if resource not in self.resolved and holder and holder.end and holder.end[1] == "ok":
                self.violations.append((task.context, "output", [task.end[0]],
                                        f"output {name} of {task} was never resolved"))


def resources(task):
    """The inputs that come from resources: (name, resource)."""
    for name, binding in task.inputs.items():
        resource = binding["source"].get("resource")
        if resource:
            yield name, resource


def leaves(dependency):
    """The facts that a dependency is made of, as `{"task": id}` or `{"resource": id}`."""
    if not dependency:
        return
    parts = dependency.get("all")
    if parts is None:
        yield dependency
    for part in parts or []:
        yield from leaves(part)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


# What was read, what was found.

FIELDS = ("stream_seq", "aggregate", "id", "type", "version", "data", "metadata")


def is_event(document):
    return isinstance(document, dict) and all(field in document for field in FIELDS)


def read(lines):
    """The events of an export; a ValueError says which line is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON: {error}") from error
        if is_event(document):
            yield document
        elif number > 1:
            raise ValueError(f"line {number} is no event document: {line.strip()[:80]}")


def check(events, may_be_unfinished=False):
    checker = Checker()
    for event in events:
        try:
            checker.take(event)
        except (KeyError, TypeError, AttributeError) as error:
            checker.wrong("shape", f"{event['type']} lacks something or is malformed: {error!r}")
    checker.finish(may_be_unfinished)
    return checker


def report(checker, arguments):
    """Prints what was found about the context asked for; whether all is well."""
    def is_asked_for(context):
        return not arguments.context or context.startswith(arguments.context)

    tasks = [task for task in checker.tasks.values() if is_asked_for(task.context)]
    found = [violation for violation in checker.violations if is_asked_for(violation[0])]
    found.sort(key=lambda violation: violation[2])
    for _, code, positions, message in found[:SHOWN_MAX]:
        print(f"at {', '.join(map(str, positions))}: {code}: {message}")
    if len(found) > SHOWN_MAX:
        print(f"… and {len(found) - SHOWN_MAX} more")
    ends = {"ok": 0, "failed": 0, "cancelled": 0, "skipped": 0, "unfinished": 0}
    for task in tasks:
        ends[task.end[1] if task.end else "unfinished"] += 1
    is_sound = not found
    if arguments.context and not any(map(is_asked_for, checker.contexts)):
        print(f"there is no event of context {arguments.context}")
        is_sound = False
    if arguments.expect_tasks is not None and len(tasks) != arguments.expect_tasks:
        print(f"there are {len(tasks)} tasks, not {arguments.expect_tasks}")
        is_sound = False
    if arguments.expect_ok and ends["ok"] != len(tasks):
        bad = [task for task in tasks if not task.end or task.end[1] != "ok"]
        for task in bad[:SHOWN_MAX]:
            print(f"{task} has ended {task.end[1]}" if task.end else f"{task} has not ended")
        is_sound = False
    outputs = {resource for task in tasks for resource in task.outputs.values()}
    print(f"{'sound' if is_sound else 'NOT SOUND'}: {len(tasks)} tasks ("
          + ", ".join(f"{count} {how}" for how, count in ends.items() if count or how == "ok")
          + f"), {sum(task.attempts for task in tasks)} attempts, "
          f"{len(outputs & checker.resolved.keys())} of {len(outputs)} outputs resolved, "
          f"{sum(task.delegated for task in tasks)} delegated, "
          f"{sum(n for context, n in checker.contexts.items() if is_asked_for(context))} events, "
          f"positions {checker.first_seq or 0} to {checker.last_seq}, "
          f"{len(found)} violations")
    return is_sound


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default="-", help="the export; - is stdin (the default)")
    parser.add_argument("--context", metavar="ID", help="judge only this context; a prefix will do")
    parser.add_argument("--expect-tasks", metavar="N", type=int, help="how many tasks there must be")
    parser.add_argument("--expect-ok", action="store_true", help="every task must have ended ok")
    parser.add_argument("--allow-unfinished", action="store_true",
                        help="the history may end in the middle of things")
    parser.add_argument("--self-test", action="store_true",
                        help="prove that good histories pass and tampered ones do not")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    try:
        with sys.stdin if arguments.file == "-" else open(arguments.file, encoding="utf-8") as lines:
            checker = check(read(lines), arguments.allow_unfinished)
    except (OSError, ValueError) as error:
        print(f"cannot read the history: {error}", file=sys.stderr)
        return EXIT_UNREADABLE
    return 0 if report(checker, arguments) else EXIT_FOUND


# The self-test.

class Story:
    """Writes a history as the system would."""

    CONTEXT = "context-1"

    def __init__(self):
        self.events = []
        self.chains = {}

    def say(self, aggregate, id_, type_, data, at=0, context=CONTEXT):
        version, previous = self.chains.get(id_, (0, 0))
        seq = len(self.events) * 3 + 2  # positions may have gaps
        if type_ != "TaskReady":
            version += 1
            self.chains[id_] = (version, seq)
        self.events.append({
            "stream_seq": seq, "subject": f"evt.default.00.{aggregate}.{id_}",
            "namespace": "default", "aggregate": aggregate, "id": id_, "version": version,
            "type": type_, "data": copy.deepcopy(data),
            "metadata": {"event_id": f"event-{seq}", "command_id": f"command-{seq}",
                         "correlation_id": context, "actor": "a", "service_id": "s", "schema": 1,
                         "at": f"2026-11-24T00:00:{at:02}Z", "previous_seq": previous}})
        return seq

    def ready(self, task, attempt, inputs=None):
        return self.say("task", task, "TaskReady", {
            "task_id": task, "attempt": attempt, "guard": self.chains[task][1],
            "inputs": inputs or {}})

    def received(self, task, attempt, ready_seq, at=0):
        return self.say("task", task, "TaskReceived", {
            "attempt": attempt, "node": "n", "boot_id": "b", "ready_seq": ready_seq}, at)

    def finished(self, task, attempt, outcome="ok", **more):
        return self.say("task", task, "TaskFinished",
                        {"attempt": attempt, "outcome": outcome, **more})

    def run(self, task, inputs=None, **more):
        """Inputs: name -> (position, output)."""
        said = {name: {"seq": seq, **({"output": output} if output else {})}
                for name, (seq, output) in (inputs or {}).items()}
        self.received(task, 1, self.ready(task, 1, said))
        return self.finished(task, 1, **more)


def planned(id_, inputs=None, outputs=None, **more):
    bindings = {name: {"source": source, "type": "unknown"} for name, source in (inputs or {}).items()}
    made = {name: {"id": resource, "type": "unknown"} for name, resource in (outputs or {}).items()}
    task = {"step": id_, "inputs": bindings, "outputs": made, "context_id": Story.CONTEXT, **more}
    return {"id": id_, "task": task}


def good_history():
    """A pipeline with a retry, a delegation to a child and its child, an `after` and a skip, and
    a single task that reads a resource of nobody's."""
    value = {"value": 1}
    plan = [
        planned("load", outputs={"x": "r-x", "y": "r-y"}),
        planned("split", {"x": {"resource": "r-x"}, "k": {"value": 5}}, {"z": "r-z"}),
        planned("use", {"z": {"resource": "r-z"}, "y": {"resource": "r-y"}}, {"w": "r-w"}),
        planned("last", depends_on={"all": [{"task": "load"}, {"all": [{"task": "use"}]}]}),
        planned("bad", outputs={"v": "r-v"}),
        planned("never", {"v": {"resource": "r-v"}}, {"u": "r-u"}),
    ]
    child = planned("child", outputs={"c": "r-z", "own": "r-own"}, parent_id="split")
    grandchild = planned("grandchild", outputs={"g": "r-z"}, parent_id="child")
    story = Story()
    story.say("context", Story.CONTEXT, "ContextOpened", {"plan": plan})
    for step in plan:
        story.say("task", step["id"], "TaskSpawned", step["task"])
    story.received("load", 1, story.ready("load", 1))
    story.say("task", "load", "TaskAttemptFailed",
              {"attempt": 1, "error": {}, "not_before": "2026-11-24T00:00:05Z"})
    story.ready("load", 2)
    story.received("load", 2, story.ready("load", 2), at=7)  # announced twice, claimed once
    loaded = story.finished("load", 2, outputs={"x": value, "y": {"blob": {"digest": "d", "size": 9}}})
    story.run("split", {"x": (loaded, "x")}, children=[child],
              delegated={"z": {"child": "child", "output": "c"}})
    story.say("task", "child", "TaskSpawned", child["task"])
    story.run("child", outputs={"own": value}, children=[grandchild],
              delegated={"c": {"child": "grandchild", "output": "g"}})
    story.say("task", "grandchild", "TaskSpawned", grandchild["task"])
    made = story.run("grandchild", outputs={"g": value})
    story.run("use", {"z": (made, "g"), "y": (loaded, "y")}, outputs={"w": value})
    story.run("last")
    story.run("bad", outcome="failed", error={})
    story.say("task", "never", "TaskSkipped", {"root_cause": "bad", "missing": "input v"})
    story.say("resource", "r-free", "ResourceAllocated", {"type": "unknown"}, context="other")
    single = planned("single", {"f": {"resource": "r-free"}}, step=None)["task"]
    story.say("task", "single", "TaskSpawned", single)
    free = story.say("resource", "r-free", "ResourceInitialized", {"value": value}, context="other")
    story.run("single", {"f": (free, None)})
    return story.events


def cancelled_history():
    """A context that was cancelled before all of its plan was unfolded."""
    plan = [planned("a", outputs={"x": "r-x"}), planned("b")]
    story = Story()
    story.say("context", Story.CONTEXT, "ContextOpened", {"plan": plan})
    story.say("task", "a", "TaskSpawned", plan[0]["task"])
    story.received("a", 1, story.ready("a", 1))
    story.say("context", Story.CONTEXT, "ContextCancelled", {"reason": "enough"})
    story.say("task", "a", "TaskCancelled", {"reason": "enough"})
    return story.events


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


def self_test():
    failures = []
    for history in (good_history, cancelled_history):
        for _, code, positions, message in check(history()).violations:
            failures.append(f"{history.__name__} is sound, but at {positions}: {code}: {message}")
    for what, code, tamper in TAMPERINGS:
        events = good_history()
        tamper(events)
        if code not in OF_THE_LOG:
            relink(events)
        found = {violation[1] for violation in check(events).violations}
        if code not in found:
            failures.append(f"{what}: expected {code}, found {sorted(found) or 'nothing'}")
    for failure in failures:
        print(failure)
    print(f"self-test: {len(TAMPERINGS) + 2 - len(failures)} of {len(TAMPERINGS) + 2} cases judged rightly")
    return EXIT_FOUND if failures else 0


if __name__ == "__main__":
    sys.exit(main())
