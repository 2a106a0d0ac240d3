"""What waits for something legitimate at the end is not stuck, and everything else is."""

import unittest

from ..event import Event, micros
from ..findings import Findings
from ..history import History
from ..stuck import Stuck
from .story import Story, planned, restart

LATER = micros("2026-11-24T01:00:00Z")
FAILS = {"error": {"kind": "script", "message": "no", "retryable": False}}


def look(story, now=LATER, grace=30):
    """What is stuck at the end of a story in which somebody serves the queue."""
    findings = Findings()
    history = History(findings)
    for event in story.events:
        history.take(Event.of_document(event))
    assert not findings.total, findings.kept
    Stuck(history.world, history.limits, now, grace).look()
    return [message for _, _, _, message in findings.kept]


def story_of(*plan, spawn=True):
    """The plan is there, and another task has shown that the queue is served."""
    story = Story()
    served = planned("served", outputs={"s": "r-s"})
    story.open([served, *plan])
    for step in [served, *plan][:None if spawn else 1]:
        story.say("task", step["id"], "TaskSpawned", step["task"])
    story.run("served", outputs={"s": {"value": 1}})
    return story


class AtTheEnd(unittest.TestCase):
    def assert_stuck(self, story, what, **more):
        found = look(story, **more)
        self.assertEqual(len(found), 1, found)
        self.assertIn(what, found[0])

    def assert_waits(self, story, **more):
        self.assertEqual(look(story, **more), [])

    def test_what_was_named_is_spawned(self):
        self.assert_stuck(story_of(planned("a"), spawn=False), "never spawned")

    def test_what_could_run_is_announced(self):
        self.assert_stuck(story_of(planned("a")), "was not announced")
        self.assert_waits(story_of(planned("a")), now=micros("2026-11-24T00:00:10Z"))

    def test_what_is_announced_is_claimed(self):
        story = story_of(planned("a"))
        story.ready("a", 1)
        self.assert_stuck(story, "nobody has claimed")

    def test_nobody_claims_where_no_executor_is(self):
        story = story_of(planned("a", queue="gpu"))
        story.ready("a", 1)
        self.assert_waits(story)

    def test_an_attempt_ends(self):
        story = story_of(planned("a", timeouts={"attempt": "5m"}))
        story.received("a", 1, story.ready("a", 1))
        self.assert_stuck(story, "runs since")
        self.assert_waits(story, now=micros("2026-11-24T00:05:00Z"))

    def test_what_lacks_an_input_waits(self):
        reader = planned("a", {"x": {"resource": "r-free"}})
        story = story_of(reader)
        story.say("resource", "r-free", "ResourceAllocated", {"type": "number"}, context="r-free")
        self.assert_waits(story)
        story.say("resource", "r-free", "ResourceInitialized", {"value": {"value": 1}}, context="r-free")
        self.assert_stuck(story, "was not announced")

    def test_what_can_never_run_is_skipped(self):
        story = story_of(planned("bad", outputs={"x": "r-x"}),
                         planned("a", {"x": {"resource": "r-x"}}, depends_on={"at": "2027-01-01T00:00:00Z"}))
        story.received("bad", 1, story.ready("bad", 1))
        story.finished("bad", 1, outcome="failed", **FAILS)
        found = look(story)
        self.assertIn("can never run", found[0])

    def test_approvals_times_and_pauses_are_waited_for(self):
        for waits_for in ({"approval": "go"}, {"at": "2027-01-01T00:00:00Z"}, {"task": "b"},
                          {"all": [{"task": "served"}, {"approval": {"name": "go", "count": 2}}]},
                          {"not": {"failed": "b"}}, {"event": {"type": "TypeApplied"}},
                          {"within": {"time": "2h", "of": {"task": "b"}}},
                          {"window": {"cron": "0 0 * * *", "duration": "1m"}}):
            story = story_of(planned("a", depends_on=waits_for),
                             planned("b", depends_on={"approval": "x"}))
            with self.subTest(waits_for):
                self.assert_waits(story)
        for has_come in ({"any": [{"task": "served"}, {"approval": "go"}]},
                         {"at": "2026-11-24T00:00:05Z"}, {"resource": "r-s"},
                         {"at_least": {"count": 1, "of": [{"done": "served"}, {"task": "b"}]}},
                         {"not": {"failed": "served"}}, {"not": {"approval": "x"}}):
            story = story_of(planned("a", depends_on=has_come))
            with self.subTest(has_come):
                self.assert_stuck(story, "was not announced")

    def test_rules_decide_as_soon_as_they_can(self):
        for rule, is_stuck in (("all_done", "was not announced"), ("any_ok", "was not announced"),
                               ("any_failed", "can never run"), ("all_failed", "can never run"),
                               ("none_failed", "was not announced")):
            when = {"rule": rule, "upstream": [{"task": "served"}]}
            with self.subTest(rule):
                self.assert_stuck(story_of(planned("a", when=when)), is_stuck)

    def test_whoever_is_paused_waits(self):
        for kind, id_ in (("task", "a"), ("context", Story.CONTEXT)):
            story = story_of(planned("a"))
            story.say(kind, id_, f"{kind.title()}Paused", {"by": "ann", "since": "x"})
            self.assert_waits(story)

    def test_limits_hold_tasks_back(self):
        story = Story()
        story.say("policy", "p", "PolicyApplied", {"name": "p", "version": 1, "definition": {
            "limits": {"one": {"key": "{specification}", "concurrency": 1}}}}, context="p")
        plan = [planned("a", timeouts={"attempt": "2h"}), planned("b")]
        story.open(plan)
        for step in plan:
            story.say("task", step["id"], "TaskSpawned", step["task"])
        story.received("a", 1, story.ready("a", 1))
        self.assert_waits(story)
        story.finished("a", 1)
        self.assert_stuck(story, "was not announced")

    def test_orders_to_stop_are_obeyed(self):
        story = story_of(planned("a", depends_on={"approval": "go"}))
        story.say("context", Story.CONTEXT, "ContextCancelled", {"reason": "enough"})
        self.assert_stuck(story, "all of its context was ordered to stop")
        child = planned("child", parent_id="a", depends_on={"approval": "go"})
        story = story_of(planned("a"))
        story.run("a", children=[child])
        story.say("task", "child", "TaskSpawned", child["task"])
        self.assert_waits(story)
        story.say("task", "a", "TaskChildrenCancelled", {"reason": "enough", "children": ["child"]})
        self.assert_stuck(story, "it was ordered to stop")

    def test_what_is_possible_again_comes_back(self):
        bad = planned("bad", outputs={"x": "r-x"}, depends_on={"not": {"approval": "go"}})
        story = story_of(bad, planned("a", {"x": {"resource": "r-x"}}))
        story.received("bad", 1, story.ready("bad", 1))
        story.finished("bad", 1, outcome="failed", **FAILS)
        story.say("task", "a", "TaskSkipped", {"root_cause": "bad", "missing": "input x"})
        self.assert_waits(story)
        waits = {**bad, "task": {**bad["task"], "depends_on": {"approval": "go"}}}
        restart(story, "bad", "bad-2", waits, "reuse")
        self.assert_stuck(story, "may run since")

    def test_a_restart_is_carried_out(self):
        story = story_of()
        story.say("context", Story.CONTEXT, "ContextRestarted", {
            "id": "restart-1", "target": "all", "outputs": "reuse", "version": "same", "reason": "",
            "by": "ann", "steps": []})
        self.assert_stuck(story, "never carried out")
