"""Histories written as the system would: good ones, to be tampered with."""

import copy


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

    def open(self, plan, outputs=None, at=0):
        return self.say("context", self.CONTEXT, "ContextOpened", {
            "pipeline": {"name": "p", "version": 1, "digest": "d"}, "params": {}, "plan": plan,
            "outputs": outputs or {}}, at)

    def ready(self, task, attempt, inputs=None, round_=0, at=0):
        return self.say("task", task, "TaskReady", {
            "task_id": task, "attempt": attempt, "guard": self.chains[task][1],
            "inputs": inputs or {}, **({"round": round_} if round_ else {})}, at)

    def received(self, task, attempt, ready_seq, at=0, round_=0):
        return self.say("task", task, "TaskReceived", {
            "attempt": attempt, "node": "n", "boot_id": "b", "ready_seq": ready_seq,
            **({"round": round_} if round_ else {})}, at)

    def finished(self, task, attempt, outcome="ok", at=0, **more):
        return self.say("task", task, "TaskFinished",
                        {"attempt": attempt, "outcome": outcome, **more}, at)

    def run(self, task, inputs=None, round_=0, **more):
        """Inputs: name -> (position, output)."""
        said = {name: {"seq": seq, **({"output": output} if output else {})}
                for name, (seq, output) in (inputs or {}).items()}
        self.received(task, 1, self.ready(task, 1, said, round_), round_=round_)
        return self.finished(task, 1, **more)


def planned(id_, inputs=None, outputs=None, **more):
    bindings = {name: {"source": source, "type": "unknown"} for name, source in (inputs or {}).items()}
    made = {name: {"id": resource, "type": "unknown"} for name, resource in (outputs or {}).items()}
    task = {"step": id_, "specification": {"name": "s", "version": 1, "digest": "d"},
            "inputs": bindings, "outputs": made, "context_id": Story.CONTEXT, "queue": "default",
            "retry": {"attempts": 2}, "timeouts": {}, **more}
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
    story.open(plan)
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
    story.open(plan)
    story.say("task", "a", "TaskSpawned", plan[0]["task"])
    story.received("a", 1, story.ready("a", 1))
    story.say("context", Story.CONTEXT, "ContextCancelled", {"reason": "enough"})
    story.say("task", "a", "TaskCancelled", {"reason": "enough"})
    return story.events


def busy_history():
    """What people order: approvals, pauses, restarts of a task and of a context, policies, orders to
    stop; and rules under which tasks run although others failed."""
    fails = {"error": {"kind": "script", "message": "no", "retryable": False}}
    gate = {"any": [{"approval": {"name": "go", "count": 2, "by": ["ann", "bo"]}}, {"task": "never"}]}
    retry = {"attempts": 2, "losses_max": 1}
    plan = [
        planned("load", outputs={"x": "r-x"}, retry=retry, **LIMITED),
        planned("clean", {"x": {"resource": "r-x"}}, {"y": "r-y"}),
        planned("report", {"y": {"resource": "r-y"}}, {"z": "r-z"}),
        planned("alarm", when={"rule": "any_failed", "upstream": [{"task": "clean"}]}),
        planned("tidy", {"z": {"resource": "r-z"}}, depends_on=gate,
                when={"rule": "all_done", "upstream": [{"task": "report", "inputs": ["z"]}]}),
        planned("late", timeouts={"queue": "1s"}, depends_on={"approval": "never"}),
    ]
    story = Story()
    story.say("policy", "policy-1", "PolicyApplied", {
        "name": "few", "version": 1, "digest": "d",
        "definition": {"limits": {"one": {"label": "team", "concurrency": 1}}}}, context="policy-1")
    story.open(plan, {"z": "r-z"}, at=1)
    for step in plan:
        story.say("task", step["id"], "TaskSpawned", step["task"], at=1)
    story.say("task", "load", "TaskPaused", {"by": "ann", "since": "2026-11-24T00:00:02Z"}, at=2)
    story.say("task", "load", "TaskResumed", {"by": "ann"}, at=3)
    story.received("load", 1, story.ready("load", 1, round_=1, at=10), at=11, round_=1)
    story.say("task", "load", "TaskAttemptFailed", {
        "attempt": 1, "error": {"kind": "lease", "message": "gone", "retryable": True},
        "not_before": "2026-11-24T00:00:12Z"}, at=12)
    story.received("load", 2, story.ready("load", 2, round_=1, at=13), at=14, round_=1)
    loaded = story.finished("load", 2, outputs={"x": {"value": 1}}, at=15)
    story.received("clean", 1, story.ready("clean", 1, {"x": {"seq": loaded, "output": "x"}}))
    story.finished("clean", 1, outcome="failed", **fails)
    story.say("task", "report", "TaskSkipped", {"root_cause": "clean", "missing": "input y"})
    story.run("alarm")
    story.say("task", "clean", "TaskLabelled", {"set": {"triage": "open"}})
    restart(story, "clean", "clean-2", plan[1], "reuse", revive=[{"task_id": "report", "position": 1}])
    story.say("task", "report", "TaskRevived", {"root_cause": "clean", "restarted_as": "clean-2"})
    cleaned = story.run("clean-2", {"x": (loaded, "x")}, outputs={"y": {"value": 2}})
    reported = story.run("report", {"y": (cleaned, "y")}, outputs={"z": {"value": 3}}, round_=1)
    story.say("task", "tidy", "TaskApproved", {"name": "go", "by": "ann"})
    story.say("task", "tidy", "TaskApproved", {"name": "go", "by": "bo"})
    story.run("tidy", {"z": (reported, "z")})
    story.say("task", "late", "TaskFinished", {
        "attempt": 0, "outcome": "failed", "expired": "queue",
        "error": {"kind": "timeout", "message": "late", "retryable": False}})
    story.say("context", Story.CONTEXT, "ContextPaused", {"by": "ann", "since": "2026-11-24T00:00:20Z"})
    story.say("context", Story.CONTEXT, "ContextResumed", {"by": "ann"})
    steps = [{"task_id": id_, "action": "rerun", "reason": "", "position": story.chains[id_][1]}
             for id_ in ("load", "clean-2")]
    story.say("context", Story.CONTEXT, "ContextRestarted", {
        "id": "restart-1", "target": {"from": "load"}, "outputs": "reallocate", "version": "same",
        "reason": "", "by": "ann", "steps": steps, "results": {}})
    restart(story, "load", "load-2", plan[0], "reallocate", {"x": "r-x2"}, step_of="restart-1")
    again = planned("", {"x": {"resource": "r-x2"}}, {"y": "r-y"})
    restart(story, "clean-2", "clean-3", again, "reallocate", {"y": "r-y3"}, step_of="restart-1")
    story.say("context", Story.CONTEXT, "ContextRestartSettled", {"id": "restart-1"})
    story.say("context", Story.CONTEXT, "ContextCancelled", {"reason": "enough", "by": "ann"}, at=30)
    for id_ in ("load-2", "clean-3"):
        story.say("task", id_, "TaskCancelled", {"reason": "enough", "by": "ann"}, at=31)
    story.say("resource", "r-free", "ResourceAllocated", {"type": "number"}, context="r-free")
    story.say("resource", "r-free", "ResourceReleased", {}, context="r-free")
    story.say("specification", "s", "SpecificationPaused",
              {"by": "ann", "since": "2026-11-24T00:00:31Z"}, context="s")
    story.say("specification", "s", "SpecificationResumed", {"by": "ann"}, context="s")
    return story.events


LIMITED = {"labels": {"team": "a"}}


def restart(story, id_, successor, step, outputs, fresh=None, step_of=None, revive=()):
    """Restarts a task, and spawns what takes its place."""
    task = {**copy.deepcopy(step["task"]), "restart_parent": id_, "restart_root": id_.split("-")[0],
            "step": id_.split("-")[0]}
    for name, resource in (fresh or {}).items():
        task["outputs"][name]["id"] = resource
    story.say("task", id_, "TaskRestarted", {
        "successor": {"id": successor, "task": task}, "outputs": outputs, "version": "same",
        "reason": "", "by": "ann", **({"step_of": step_of} if step_of else {}),
        **({"revive": list(revive)} if revive else {})})
    story.say("task", successor, "TaskSpawned", task)
