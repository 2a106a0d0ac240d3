"""What clients logged: commands and reads against the history that they led to."""

import json
import pathlib
import tempfile
import unittest

from .. import ids, operations
from ..commands import Commands
from ..event import Event
from ..findings import Findings
from ..fold import Fold
from ..history import History
from ..operations import Operation
from ..reads import Reads
from .story import Story, planned

KEY = ids.of_key("default", "task.spawn", "k")


def operation(method, params, *outcomes, id_="op-1"):
    """Outcomes: ("ok", result), ("fail", error) or ("unknown", None), one for each try."""
    made = Operation(id_, "client", {"method": method, "params": params})
    for phase, what in outcomes:
        made.take({"phase": phase, "result": what, "error": what})
    return made


def story():
    """A single task with one output, a context, and a resource of nobody's."""
    told = Story()
    single = planned("single", outputs={"x": "r-x"}, step=None)["task"]
    spawned = told.say("task", "single", "TaskSpawned", single)
    told.events[-1]["metadata"]["command_id"] = KEY
    told.run("single", outputs={"x": {"value": 1}})
    told.say("resource", "r-free", "ResourceAllocated", {"type": "number"}, context="r-free")
    assert spawned == 2
    return told


def judge(*logged, told=None):
    findings = Findings()
    history = History(findings)
    commands, reads = Commands(logged, history.world), Reads(logged, findings)
    fold = Fold(reads.ids())
    for document in (told or story()).events:
        event = Event.of_document(document)
        history.take(event)
        commands.take(event)
        fold.take(event)
    commands.finish()
    reads.finish(fold.followed)
    return findings.counts


ANSWER = {"task_id": "single", "context_id": Story.CONTEXT, "outputs": {"x": "r-x"}, "stream_seq": 2}
SPAWN = {"specification": "s", "idempotency_key": "k"}


class TheCommands(unittest.TestCase):
    def test_what_was_acknowledged_is_there(self):
        self.assertEqual(judge(operation("task.spawn", SPAWN, ("ok", ANSWER))), {})
        self.assertEqual(judge(operation("task.spawn", SPAWN, ("unknown", None), ("ok", ANSWER))), {})

    def test_what_is_not_there_is_lost(self):
        for wrong in ({"stream_seq": 5}, {"stream_seq": 99}, {"task_id": "other"},
                      {"context_id": "other"}, {"outputs": {}}):
            with self.subTest(wrong):
                found = judge(operation("task.spawn", SPAWN, ("ok", {**ANSWER, **wrong})))
                self.assertEqual(found, {"lost": 1})

    def test_a_key_stands_for_one_command(self):
        other = {**SPAWN, "idempotency_key": "other"}
        self.assertEqual(judge(operation("task.spawn", other, ("ok", ANSWER))), {"lost": 1})
        elsewhere = {**SPAWN, "context_id": Story.CONTEXT}
        self.assertEqual(judge(operation("task.spawn", elsewhere, ("ok", ANSWER))), {"lost": 1})

    def test_each_of_a_batch_is_there(self):
        params = {"tasks": [SPAWN, {"specification": "s"}]}
        refused = {"error": {"code": 1003, "message": "no"}}
        good = {"results": [{"result": ANSWER}, refused], "stream_seq": 2}
        self.assertEqual(judge(operation("task.spawn_batch", params, ("ok", good))), {})
        lost = {"results": [{"result": {**ANSWER, "stream_seq": 8}}, refused], "stream_seq": 8}
        self.assertIn("lost", judge(operation("task.spawn_batch", params, ("ok", lost))))
        all_refused = {"results": [refused, refused], "stream_seq": 0}
        self.assertEqual(judge(operation("task.spawn_batch", params, ("ok", all_refused))), {"refused": 1})

    def test_what_was_refused_has_no_effect(self):
        error = {"code": 1000, "message": "no"}
        self.assertEqual(judge(operation("task.spawn", SPAWN, ("fail", error))), {"refused": 1})
        again = operation("task.spawn", SPAWN, ("unknown", None), ("fail", error))
        self.assertEqual(judge(again), {})
        # Another has used the key before.
        first = operation("task.spawn", SPAWN, ("ok", ANSWER), id_="op-2")
        self.assertEqual(judge(operation("task.spawn", SPAWN, ("fail", error)), first), {})

    def test_nothing_happens_twice(self):
        told = story()
        told.say("task", "double", "TaskSpawned", planned("double", step=None)["task"])
        told.events[-1]["metadata"]["command_id"] = KEY
        self.assertEqual(judge(operation("task.spawn", SPAWN, ("unknown", None)), told=told),
                         {"doubled": 1})
        other = {**ANSWER, "task_id": "other"}
        self.assertIn("doubled", judge(operation("task.spawn", SPAWN, ("ok", ANSWER), ("ok", other))))

    def test_orders_have_keys_of_their_own(self):
        task = "01930000-0000-7000-8000-000000000000"
        error = {"code": 1000, "message": "no"}
        orders = [("task.cancel", {"id": task}, task), ("context.pause", {"id": task}, task),
                  ("resource.initialize", {"items": [{"id": task, "value": 1}]}, task),
                  ("resource.release", {"ids": [task]}, task),
                  ("specification.pause", {"name": "s"}, ids.named("default", "specification", "s")),
                  ("namespace.pause", {}, ids.named("default", "namespace", "default"))]
        for method, params, id_ in orders:
            told = story()
            command = ids.of_key("default", f"{method}:{id_}", "k")
            told.events[0]["metadata"]["command_id"] = command
            refused = operation(method, {**params, "idempotency_key": "k"}, ("fail", error))
            self.assertEqual(judge(refused, told=told), {"refused": 1}, method)

    def test_labels_tell_what_ids_do_not(self):
        told = Story()
        for id_ in ("one", "two"):
            told.say("task", id_, "TaskSpawned", planned(id_, step=None, labels={"op": "op-1"})["task"])
        labelled = {"specification": "s", "labels": {"op": "op-1"}}
        self.assertEqual(judge(operation("task.spawn", labelled, ("unknown", None)), told=told),
                         {"doubled": 1})
        told.events.pop()
        self.assertEqual(judge(operation("task.spawn", labelled, ("unknown", None)), told=told), {})
        self.assertEqual(judge(operation("task.spawn", labelled, ("fail", {"code": 1000})), told=told),
                         {"refused": 1})

    def test_orders_have_their_effect(self):
        told = Story()
        told.open([planned("a"), planned("b")])
        for id_ in ("a", "b"):
            told.say("task", id_, "TaskSpawned", planned(id_)["task"])
        seqs = {
            "task.pause": ("a", told.say("task", "a", "TaskPaused", {"by": "x", "since": "x"})),
            "task.resume": ("a", told.say("task", "a", "TaskResumed", {"by": "x"})),
            "task.cancel": ("b", told.say("task", "b", "TaskCancelled", {"reason": ""})),
            "context.pause": (Story.CONTEXT, told.say(
                "context", Story.CONTEXT, "ContextPaused", {"by": "x", "since": "x"})),
            "context.cancel": (Story.CONTEXT, told.say(
                "context", Story.CONTEXT, "ContextCancelled", {"reason": ""})),
        }
        for method, (id_, seq) in seqs.items():
            done = operation(method, {"id": id_}, ("ok", {"stream_seq": seq}))
            self.assertEqual(judge(done, told=told), {}, method)
            lost = operation(method, {"id": id_}, ("ok", {"stream_seq": 2}))
            self.assertEqual(judge(lost, told=told), {"lost": 1}, method)
            other = operation(method, {"id": "other"}, ("ok", {"stream_seq": seq}))
            self.assertEqual(judge(other, told=told), {"lost": 1}, method)
        run = {"context_id": Story.CONTEXT, "tasks": 2, "stream_seq": 2}
        self.assertEqual(judge(operation("pipeline.run", {}, ("ok", run)), told=told), {})
        self.assertEqual(judge(operation("pipeline.run", {}, ("ok", {**run, "tasks": 3})), told=told),
                         {"lost": 1})
        restart = {"restart_id": "r", "stream_seq": 2}
        self.assertEqual(judge(operation("context.restart", {}, ("ok", restart)), told=told), {"lost": 1})

    def test_resources_are_there(self):
        allocated = {"ids": ["r-free"], "stream_seq": 14}
        self.assertEqual(judge(operation("resource.allocate", {"count": 1}, ("ok", allocated))), {})
        lost = {"ids": ["r-lost"], "stream_seq": 14}
        self.assertEqual(judge(operation("resource.allocate", {"count": 1}, ("ok", lost))), {"lost": 1})
        items = {"items": [{"id": "r-free", "value": 1}]}
        self.assertEqual(judge(operation("resource.initialize", items, (
            "ok", {"errors": [None], "stream_seq": 14}))), {"lost": 1})


class TheReads(unittest.TestCase):
    def read(self, min_seq, method="task.get", **result):
        return judge(operation(method, {"id": "single", "min_seq": min_seq}, ("ok", result)))

    def test_what_is_fresh_and_true_is_fine(self):
        self.assertEqual(self.read(2, id="single", stream_seq=2, status="initialized"), {})
        self.assertEqual(self.read(2, id="single", stream_seq=8, status="received"), {})
        self.assertEqual(self.read(11, id="single", stream_seq=11, status="finished", sub_status="ok"), {})
        items = [{"id": "single", "stream_seq": 8, "status": "received"}]
        self.assertEqual(self.read(8, method="task.list", items=items, as_of_seq=8), {})

    def test_what_is_stale_is_found(self):
        self.assertEqual(self.read(8, id="single", stream_seq=2, status="initialized"), {"stale": 1})
        items = [{"id": "single", "stream_seq": 8, "status": "received"}]
        self.assertEqual(self.read(8, method="task.list", items=items, as_of_seq=11), {"stale": 1})
        self.assertEqual(self.read(8, method="task.list", items=items, as_of_seq=5), {"stale": 1})

    def test_what_was_never_so_is_found(self):
        self.assertEqual(self.read(8, id="single", stream_seq=8, status="finished"), {"read": 1})
        self.assertEqual(self.read(2, id="single", stream_seq=3, status="initialized"), {"read": 1})

    def test_what_is_there_is_found_by_reads(self):
        task = "01930000-0000-7000-8000-000000000000"
        told = Story()
        told.say("task", task, "TaskSpawned", planned(task, step=None)["task"])
        missing = ("fail", {"code": 1002, "message": "there is none"})
        for min_seq, found in ((2, {"stale": 1}), (1, {})):
            read = operation("task.get", {"id": task, "min_seq": min_seq}, missing)
            self.assertEqual(judge(read, told=told), found)


class TheLogs(unittest.TestCase):
    def test_tries_make_an_operation(self):
        lines = [{"op": 1, "phase": "invoke", "method": "task.spawn", "params": SPAWN, "try": 1},
                 {"op": 1, "phase": "unknown"},
                 {"op": 1, "phase": "invoke", "method": "task.spawn", "params": SPAWN, "try": 2},
                 {"op": 1, "phase": "ok", "result": ANSWER},
                 {"op": 2, "phase": "invoke", "method": "task.cancel", "params": {"id": "a"}},
                 {"op": 2, "phase": "fail", "error": {"code": 1000}},
                 {"op": 3, "phase": "invoke", "method": "task.cancel", "params": {"id": "a"}}]
        with tempfile.TemporaryDirectory() as directory:
            clients = pathlib.Path(directory, "clients")
            clients.mkdir()
            text = "".join(json.dumps({"client": "c", **line}) + "\n" for line in lines)
            (clients / "c.jsonl").write_text(text + '{"client": "c", "op": 4, "pha')
            found = operations.read(directory)
            self.assertEqual([it.outcome for it in found], ["ok", "fail", "unknown"])
            self.assertEqual(Commands(found, None).counts(), (3, 1, 1))
            (clients / "d.jsonl").write_text("no JSON\n")
            with self.assertRaises(ValueError):
                operations.read(directory)
