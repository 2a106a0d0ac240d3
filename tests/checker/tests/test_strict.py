"""Ids are derived all the way: rules that only hold for what the system itself has stored."""

import unittest

from .. import ids
from ..event import Event
from ..findings import Findings
from ..history import History

COMMAND = "01930000-0000-7000-8000-00000000002a"
CONTEXT = "01930000-0000-7000-8000-00000000012a"
STEP = ids.derive(CONTEXT, "step:a", 0x2A)


def stored(type_, id_, data, command=COMMAND, seq=1, version=1, previous=0, **more):
    aggregate = "context" if type_.startswith("Context") else "task"
    document = {
        "stream_seq": seq, "subject": f"evt.default.2a.{aggregate}.{id_}", "namespace": "default",
        "aggregate": aggregate, "id": id_, "version": version, "type": type_, "data": data,
        "metadata": {"event_id": ids.event_id(command), "command_id": command,
                     "correlation_id": CONTEXT, "actor": "a", "service_id": "s", "schema": 1,
                     "at": "2026-11-24T00:00:00Z", "previous_seq": previous}}
    document.update(more)
    return document


def task(id_, output=None, **more):
    output = output or ids.derive(id_, "x", 0x2A)
    return {"step": "a", "specification": {"name": "s", "version": 1, "digest": "d"}, "inputs": {},
            "outputs": {"x": {"id": output, "type": "unknown"}}, "context_id": CONTEXT,
            "queue": "g p", "retry": {}, "timeouts": {}, **more}


def history(planned=STEP, output=None, queue="g=20p", digest="d", **more):
    """A context, its only task, and the task's announcement."""
    opened = {"pipeline": {}, "params": {}, "outputs": {},
              "plan": [{"id": planned, "task": task(planned, output)}]}
    second, third, fourth = (COMMAND[:-3] + digits for digits in ("12a", "22a", "32a"))
    name = ids.named("default", "specification", "s")
    applied = stored("SpecificationApplied", name, {
        "name": "s", "version": 1, "digest": digest}, fourth, 1, aggregate="specification")
    applied["metadata"]["correlation_id"] = name
    ready = stored("TaskReady", planned, {"task_id": planned, "attempt": 1, "guard": 3, "inputs": {}},
                   third, 4, 1, 3, subject=f"ready.default.{queue}.0")
    return [applied, stored("ContextOpened", CONTEXT, opened, seq=2),
            stored("TaskSpawned", planned, task(planned, output), second, 3), {**ready, **more}]


def rules(events):
    findings = Findings()
    judged = History(findings, strict=True)
    for event in events:
        judged.take(Event.of_document(event))
    return findings.counts


class Ids(unittest.TestCase):
    def test_they_are_those_of_rfc_9562(self):
        # The uuid v5 of www.example.com in the namespace of DNS, appendix A.4.
        dns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        made = ids.as_text(ids.version_5(ids.as_bytes(dns), "www.example.com"))
        self.assertEqual(made, "2ed6657d-e927-568b-95e1-2665a8aea6a2")
        self.assertEqual(ids.derive(dns, "a", 5)[-2:], "05")

    def test_a_history_whose_ids_are_derived_is_sound(self):
        self.assertEqual(rules(history()), {})

    def test_others_are_found(self):
        other = ids.derive(CONTEXT, "step:b", 0x2A)
        self.assertEqual(rules(history(planned=other)), {"derived": 1})
        self.assertEqual(rules(history(output=other)), {"derived": 1})
        self.assertEqual(rules(history(queue="other")), {"queue": 1})
        self.assertEqual(rules(history(digest="other")), {"specification": 1})

    def test_an_event_that_is_not_its_commands_is_found(self):
        events = history()
        events[2]["metadata"]["event_id"] = COMMAND
        self.assertEqual(rules(events), {"event-id": 1})

    def test_a_command_that_took_effect_twice_is_found(self):
        events = history()
        events[2]["metadata"].update(command_id=COMMAND, event_id=ids.event_id(COMMAND))
        self.assertEqual(rules(events), {"duplicate": 1})

    def test_an_aggregate_has_one_namespace_and_the_partition_of_its_context(self):
        self.assertEqual(rules(history(namespace="other")), {"namespace": 1})
        elsewhere = STEP[:-2] + "01"
        found = rules(history(planned=elsewhere))
        self.assertIn("partition", found)
