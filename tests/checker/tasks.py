"""The life of tasks: what may follow what, who may end an attempt, and when."""

from .depends import never_held
from .event import micros
from .world import Task

LOSSES = ("lease", "shutdown")


class Tasks:
    """Rules of the events of one task, but for what becomes of its outputs."""

    def __init__(self, world, outputs, strict):
        self.world, self.outputs, self.strict = world, outputs, strict

    def live(self, event):
        """The task, if it is there and may still go on."""
        task = self.world.known(event.id)
        if task and task.is_over:
            self.world.wrong("ended-twice", f"{event.type} of {task}, which had ended {task.how}",
                             task.end_seq)
            task.touch(event)
            return None
        if task:
            task.touch(event)
        return task

    def end(self, event, task, status, outcome=None):
        task.status, task.outcome, task.end_seq = status, outcome, event.seq
        task.paused = task.announced = task.announced_at = None
        task.has_ended = True
        is_skip_by_rule = status == "skipped" and event.data.get("cause") == "rule"
        task.was_ok |= outcome == "ok"
        task.was_bad |= outcome != "ok" and not is_skip_by_rule
        if status != "skipped":
            task.spawned = None  # nothing asks for it any more

    # From the first event to the claim.

    def on_TaskSpawned(self, event, data):
        world = self.world
        if event.id in world.tasks:
            world.wrong("spawned-twice", f"task {event.id} was spawned before",
                        world.tasks[event.id].spawned_seq)
            return
        named = world.named.get(event.id)
        task = world.tasks[event.id] = Task(event, named.origin if named else event.seq)
        world.demand(event.context == task.context, "context",
                     f"{task} belongs to context {task.context}, but its event says another")
        self.outputs.spawned(event, task, named)
        world.named.pop(event.id, None)

    def on_TaskReady(self, event, data):
        world = self.world
        task = world.known(event.id)
        if not task:
            return
        world.demand(data["guard"] == task.last_seq, "guard",
                     lambda: f"{task} was announced by its state at {data['guard']}", data["guard"])
        if task.announced is None:
            task.announced = {}
        task.announced[event.seq] = (data["attempt"], data.get("round", 0))
        if not world.demand(not task.is_over, "announced",
                            lambda: f"{task} was announced after its end", task.end_seq):
            return
        world.demand(task.status == "initialized" and data["attempt"] == task.attempt + 1
                     and data.get("round", 0) == task.round, "announced",
                     lambda: f"attempt {data['attempt']} of round {data.get('round', 0)} of {task} "
                     f"was announced, which is {task.status} in attempt {task.attempt} of round "
                     f"{task.round}", task.last_seq)
        world.demand(task.paused is None, "announced",
                     lambda: f"{task} was announced while it was paused", task.paused)
        task.announced_at = event.at
        self.outputs.announced(task, data)
        lacks = never_held(world, task, event.at)
        world.demand(lacks is None, "early", lambda: f"{task} was announced before {lacks}")
        if self.strict:
            token = queue_token(task.queue)
            world.demand(event.subject.split(".")[2] == token, "queue",
                         lambda: f"{task} of queue {task.queue} was announced on {event.subject}")

    def on_TaskReceived(self, event, data):
        world, task = self.world, self.live(event)
        if not task:
            return
        attempt, round_ = data["attempt"], data.get("round", 0)
        world.demand(task.status != "received", "claimed-twice",
                     lambda: f"attempt {attempt} of {task} was received while attempt "
                     f"{task.attempt} was running")
        world.demand(attempt == task.attempt + 1, "attempts",
                     lambda: f"attempt {attempt} of {task} follows attempt {task.attempt}")
        world.demand(round_ == task.round, "round",
                     lambda: f"{task} was received in round {round_}, which is in round {task.round}")
        world.demand(task.paused is None, "paused",
                     lambda: f"{task} was received while it was paused", task.paused)
        ready = (task.announced or {}).get(data["ready_seq"])
        world.demand(ready == (attempt, round_), "unannounced",
                     lambda: f"attempt {attempt} of {task} was not announced at "
                     f"{data['ready_seq']}", data["ready_seq"])
        lacks = never_held(world, task, None)
        world.demand(lacks is None, "early", lambda: f"{task} was received before {lacks}")
        if task.not_before:
            world.demand(micros(event.at) >= micros(task.not_before), "too-early",
                         lambda: f"{task} was received at {event.at}, before {task.not_before}")
        task.status, task.attempt, task.claimed_at = "received", attempt, event.at
        task.announced = task.announced_at = None
        task.attempts += 1
        world.served.add((task.namespace, task.queue))

    # From the claim to the end.

    def close_attempt(self, task, data):
        holds = task.status == "received" and data["attempt"] == task.attempt
        return self.world.demand(
            holds, "fence", lambda: f"attempt {data['attempt']} of {task} was ended, but attempt "
            f"{task.attempt} " + ("is running" if task.status == "received" else "is not running"))

    def on_TaskAttemptFailed(self, event, data):
        world, task = self.world, self.live(event)
        if not task or not self.close_attempt(task, data):
            return
        task.status, task.not_before = "initialized", data["not_before"]
        is_loss = data.get("error", {}).get("kind") in LOSSES
        retry = task.data.get("retry")
        if retry:
            allowed = (task.losses < retry.get("losses_max", 10) if is_loss else
                       data["attempt"] - task.losses < retry.get("attempts", 1))
            world.demand(allowed, "retries", lambda: f"{task} is tried again after attempt "
                         f"{data['attempt']}, of which {task.losses} were lost; its policy is {retry}")
        task.losses += is_loss

    def on_TaskFinished(self, event, data):
        world, task = self.world, self.live(event)
        if not task:
            return
        expired = data.get("expired")
        if expired is None:
            self.close_attempt(task, data)
        else:
            world.demand(data["attempt"] == task.attempt and data["outcome"] == "failed"
                         and (expired == "total" or task.status == "initialized"), "expired",
                         lambda: f"{task} has ended as its time ({expired}) was up, in attempt "
                         f"{data['attempt']}, when attempt {task.attempt} was {task.status}")
            limit = (task.data.get("timeouts") or {}).get(expired)
            world.demand(limit is not None, "expired",
                         lambda: f"{task} has ended for a time ({expired}) that it does not have")
        self.end(event, task, "finished", data["outcome"])
        task.children = tuple(child["id"] for child in data.get("children", ()))
        task.delegated = len(data.get("delegated", ()))
        self.outputs.finished(event, task, data)

    def on_TaskSkipped(self, event, data):
        world, task = self.world, self.live(event)
        if not task:
            return
        world.demand(task.status == "initialized", "skipped",
                     lambda: f"{task} was skipped while it was running")
        is_plain = not task.when and not task.depends_on and data.get("cause") != "rule"
        causes = [data["root_cause"], *data.get("others", ())]
        task.skipped = data
        self.end(event, task, "skipped")
        for id_ in causes:
            cause = world.tasks.get(id_)
            holds = cause is not None and (cause.was_bad if is_plain else cause.has_ended)
            if id_ == task.id:
                holds = task.depends_on is not None  # its own time was up
            world.demand(holds, "root-cause", lambda: f"{task} was skipped because of {id_}, "
                         "which had not ended badly", cause and cause.end_seq)

    def on_TaskRevived(self, event, data):
        world, task = self.world, self.world.known(event.id)
        if not task:
            return
        task.touch(event)
        cause = world.tasks.get(data["root_cause"])
        skipped = task.skipped or {}
        holds = (task.status == "skipped" and not task.restarted_as and cause is not None
                 and cause.restarted_as == data["restarted_as"]
                 and data["root_cause"] in (skipped.get("root_cause"), *skipped.get("others", ())))
        if not world.demand(holds, "revived", lambda: f"{task}, which is {task.status}, was revived "
                            f"because {data['root_cause']} was restarted as {data['restarted_as']}",
                            task.end_seq):
            return
        task.status, task.skipped, task.end_seq = "initialized", None, None
        task.round += 1
        task.spawned_at = event.at  # it begins to wait anew
        successor = world.tasks.get(data["restarted_as"]) or world.named.get(data["restarted_as"])
        task.origin = successor.origin if successor else event.seq


def queue_token(queue):
    """The token of a subject that stands for a queue."""
    plain = "-_/"
    return "".join(chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in plain)
                   else f"={byte:02x}" for byte in queue.encode()) or "="
