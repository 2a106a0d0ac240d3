"""Each rule of a history finds what breaks it, and nothing in what does not."""

import unittest

from . import tampering
from .story import busy_history, cancelled_history, good_history
from .tampering import change, drop, find, judge, move, patch, repeat

CONTEXT = "context-1"


def copy_to_end(type_, id_, **data):
    """The same event once more, at the end, with other data."""
    def tamper(events):
        event = events[find(events, type_, id_)]
        events.append({**event, "data": {**event["data"], **data}})
    return tamper


def in_both(place, id_, **more):
    """A task is planned and spawned otherwise."""
    def tamper(events):
        plan = next(event for event in events if event["type"] == "ContextOpened")["data"]["plan"]
        planned = [task["task"] for task in plan if task["id"] == id_]
        for task in (*planned, events[find(events, "TaskSpawned", id_)]["data"]):
            (task[place] if place else task).update(more)
    return tamper


def successor(id_, **more):
    def tamper(events):
        data = events[find(events, "TaskRestarted", id_)]["data"]["successor"]
        events[find(events, "TaskSpawned", data["id"])]["data"].update(more)
        data["task"].update(more)
    return tamper


# (what is done to the busy history, the rule that must find it)
CASES = [
    ("a paused task is claimed", "paused", move("TaskResumed", "load", "TaskFinished", "load")),
    ("a paused task is announced", "announced", move("TaskResumed", "load", "TaskFinished", "load")),
    ("what goes on is resumed", "paused", drop("TaskPaused", "load")),
    ("what is paused is paused", "paused", repeat("TaskPaused", "load")),
    ("a context that goes on is resumed", "paused", drop("ContextPaused", CONTEXT)),
    ("a specification is paused twice", "paused", repeat("SpecificationPaused", "s")),
    ("an announcement is of another round", "announced", change("TaskReady", "load", patch(round=0))),
    ("a claim is of another round", "round", change("TaskReceived", "load", patch(round=0))),
    ("what has ended is announced", "announced", copy_to_end("TaskReady", "tidy")),
    ("a lost attempt is one too many", "retries", in_both("retry", "load", losses_max=0)),
    ("a failed attempt is one too many", "retries",
     lambda events: (in_both("retry", "load", attempts=1)(events),
                     events[find(events, "TaskAttemptFailed", "load")]["data"]["error"].update(
                         kind="exit"))),
    ("a time is up that there is not", "expired", in_both("timeouts", "late", queue=None)),
    ("a time is up of an attempt that never was", "expired",
     change("TaskFinished", "late", patch(attempt=1))),
    ("an alarm runs before anything failed", "early", move("TaskReady", "alarm", "TaskFinished", "clean")),
    ("a gate opens with one of two", "early", lambda events: events.pop(
        find(events, "TaskApproved", "tidy"))),
    ("a label is put on and taken off at once", "labelled",
     change("TaskLabelled", "clean", patch(remove=["triage"]))),
    ("an approval is given twice", "approved", repeat("TaskApproved", "tidy")),
    ("an approval is nobody's to give", "approved", change("TaskApproved", "tidy", patch(by="eve"))),
    ("an approval is not asked for", "approved", change("TaskApproved", "tidy", patch(name="no"))),
    ("a revival is because of nobody", "revived",
     change("TaskRevived", "report", patch(restarted_as="clean-3"))),
    ("what was not skipped is revived", "revived", drop("TaskSkipped", "report")),
    ("a task is restarted twice", "restarted-twice", repeat("TaskRestarted", "clean")),
    ("what may end well yet is restarted", "restarted",
     move("TaskRestarted", "clean", "TaskFinished", "clean")),
    ("what finished ok gives away its outputs", "restarted",
     change("TaskRestarted", "clean-2", patch(outputs="reuse"))),
    ("a restart is a step of nothing", "restarted",
     change("TaskRestarted", "load", patch(step_of="restart-9"))),
    ("a successor is of another", "successor", successor("clean", restart_parent="load")),
    ("a successor is never named", "unnamed", drop("TaskRestarted", "clean")),
    ("reused outputs become others", "custody", successor(
        "clean", outputs={"y": {"id": "r-9", "type": "unknown"}})),
    ("fresh outputs are old ones", "custody", successor(
        "load", outputs={"x": {"id": "r-z", "type": "unknown"}})),
    ("a restart is settled twice", "settled", repeat("ContextRestartSettled", CONTEXT)),
    ("a restart is settled before it is done", "settled",
     move("ContextRestartSettled", CONTEXT, "TaskRestarted", "clean-2")),
    ("two restarts dispose of one state", "restarted-twice",
     copy_to_end("ContextRestarted", CONTEXT, id="restart-2")),
    ("a context is opened twice", "opened-twice", repeat("ContextOpened", CONTEXT)),
    ("a context is cancelled twice", "cancelled-twice", repeat("ContextCancelled", CONTEXT)),
    ("children are stopped that there are not", "children", lambda events: events.append({
        **events[find(events, "TaskFinished", "alarm")], "type": "TaskChildrenCancelled",
        "data": {"reason": "", "children": ["x"]}})),
    ("children are restarted that there are not", "children",
     change("TaskRestarted", "clean", patch(children=["x"]))),
    ("what was released is released", "released", repeat("ResourceReleased", "r-free")),
    ("what was released is resolved", "released", lambda events: events.append({
        **events[find(events, "ResourceReleased", "r-free")], "type": "ResourceInitialized",
        "data": {"value": {"value": 1}}})),
    ("a version is left out", "definition", change("PolicyApplied", "policy-1", patch(version=2))),
    ("more run than may", "limit", change("PolicyApplied", "policy-1", lambda event: (
        event["data"]["definition"]["limits"]["one"].update(concurrency=0),
        event["metadata"].update(at="2026-11-23T00:00:00Z")))),
]


class Histories(unittest.TestCase):
    def test_good_ones_are_sound(self):
        for history in (good_history, cancelled_history, busy_history):
            self.assertEqual(judge(history()).kept, [], history.__name__)

    def test_an_announcement_may_be_stored_once_more(self):
        events = good_history()
        ready = [event for event in events if event["type"] == "TaskReady" and event["id"] == "load"]
        ready[-1]["metadata"]["event_id"] = ready[-2]["metadata"]["event_id"]
        self.assertEqual(judge(events).kept, [])

    def test_every_tampering_of_the_plain_history_is_found(self):
        self.assertEqual(tampering.self_test(), 0)

    def test_every_tampering_of_the_busy_history_is_found(self):
        for what, rule, tamper in CASES:
            with self.subTest(what):
                events = busy_history()
                tamper(events)
                tampering.relink(events)
                self.assertIn(rule, judge(events).counts)

    def test_no_event_can_be_missed_that_others_follow(self):
        for history in (good_history, busy_history):
            claimed = {event["data"].get("ready_seq") for event in history()}
            for index, event in enumerate(history()):
                # One that was announced twice is claimed once: nothing needs the other.
                if event["type"] == "TaskReady" and event["stream_seq"] not in claimed:
                    continue
                events = history()
                del events[index]
                if any(other["id"] == event["id"] for other in events[index:]):
                    self.assertTrue(judge(events).total, f"without {event}")


if __name__ == "__main__":
    unittest.main()
