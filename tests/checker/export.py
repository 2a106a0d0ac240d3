"""`check_history.py`: judges an export, which anybody can make and anybody can check.

Reads what `ktk events export` writes: a header line, one event document a line, perhaps a last
line with how many there were and their chain of hashes.

    ktk events export | check_history.py
    check_history.py history.jsonl --context 0193b0de --expect-tasks 52 --expect-ok

It proves, for every task: it was spawned as its plan, its parent or a restart named it; an attempt
was received only after all that it waits for was there; attempts follow each other in order, each
claimed once and ended by its own number; the task ended exactly once; every output was resolved
exactly once, by its custodian of that moment, be it the task itself, the child that the output was
delegated to or the task that took its place. And of the log itself: positions increase, versions
and previous positions of every aggregate form one unbroken chain, no event is there twice, and the
lines are those that were exported.

Exit codes: 0 the history is sound, 1 it cannot be read, 2 usage, 7 violations were found.
"""

import argparse
import hashlib
import json
import sys

from .ended import finish
from .event import Event
from .history import History

SHOWN_MAX = 100
EXIT_UNREADABLE, EXIT_FOUND = 1, 7
FIELDS = ("stream_seq", "subject", "namespace", "aggregate", "id", "type", "version", "data",
          "metadata")


def is_event(document):
    return isinstance(document, dict) and all(field in document for field in FIELDS)


class Chain:
    """The hashes of the lines, each with all before it; checked where the export tells them."""

    def __init__(self):
        self.header, self.sum, self.events, self.problem = {}, bytes(32), 0, None

    def begin(self, header):
        self.header = header
        self.sum = bytes.fromhex(header.get("chain_start", "")) or bytes(32)

    def add(self, line):
        self.sum = hashlib.sha256(self.sum + line).digest()
        self.events += 1

    def end(self, trailer):
        for name, is_so in (("events", self.events), ("chain", self.sum.hex())):
            if trailer.get(name, is_so) != is_so:
                self.problem = f"the export says {name} {trailer[name]}, and has {is_so}"

    def close(self, has_trailer):
        if "chain_start" in self.header and not has_trailer:
            self.problem = "the export has no last line: it was cut off"


def read(lines, chain=None):
    """The events of an export; a ValueError says which line is none."""
    chain, trailer = chain or Chain(), None
    for number, line in enumerate(lines, 1):
        line = line.strip() if isinstance(line, bytes) else line.strip().encode()
        if not line:
            continue
        if trailer is not None:
            raise ValueError(f"line {number} comes after the last line of an export")
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON: {error}") from error
        if is_event(document):
            chain.add(line)
            yield Event.of_document(document)
        elif number == 1 and isinstance(document, dict):
            chain.begin(document)
        elif isinstance(document, dict) and "chain" in document and "events" in document:
            trailer = document
            chain.end(trailer)
        else:
            raise ValueError(f"line {number} is no event document: {line[:80].decode()}")
    chain.close(trailer is not None)


def check(events, may_be_unfinished=False):
    """The history, judged to its end."""
    history = History()
    for event in events:
        history.take(event)
    finish(history.world, may_be_unfinished)
    return history


def report(history, arguments):
    """Prints what was found about the context asked for; whether all is well."""
    def is_asked_for(context):
        return not arguments.context or (context or "").startswith(arguments.context)

    world, findings = history.world, history.findings
    tasks = [task for task in world.tasks.values() if is_asked_for(task.context)]
    contexts = [context for id_, context in world.contexts.items() if is_asked_for(id_)]
    found = [finding for finding in findings.kept if is_asked_for(finding[0])]
    found.sort(key=lambda finding: finding[2])
    for _, rule, positions, message in found[:SHOWN_MAX]:
        where = f"at {', '.join(map(str, positions))}: " if positions else ""
        print(f"{where}{rule}: {message}")
    if len(found) > SHOWN_MAX:
        print(f"… and {len(found) - SHOWN_MAX} more")
    ends = {"ok": 0, "failed": 0, "cancelled": 0, "skipped": 0, "unfinished": 0}
    for task in tasks:
        ends[task.how if task.is_over else "unfinished"] += 1
    is_sound = not found
    if arguments.context and not any(context.events for context in contexts):
        print(f"there is no event of context {arguments.context}")
        is_sound = False
    if arguments.expect_tasks is not None and len(tasks) != arguments.expect_tasks:
        print(f"there are {len(tasks)} tasks, not {arguments.expect_tasks}")
        is_sound = False
    if arguments.expect_ok and ends["ok"] != len(tasks):
        for task in [task for task in tasks if task.how != "ok"][:SHOWN_MAX]:
            print(f"{task} has ended {task.how}" if task.is_over else f"{task} has not ended")
        is_sound = False
    outputs = {resource for task in tasks for resource in task.outputs.values()}
    resolved = sum(world.resources[id_].resolved is not None for id_ in outputs)
    print(f"{'sound' if is_sound else 'NOT SOUND'}: {len(tasks)} tasks ("
          + ", ".join(f"{count} {how}" for how, count in ends.items() if count or how == "ok")
          + f"), {sum(task.attempts for task in tasks)} attempts, "
          f"{resolved} of {len(outputs)} outputs resolved, "
          f"{sum(task.delegated for task in tasks)} delegated, "
          f"{sum(context.events for context in contexts)} events, "
          f"positions {history.log.first or 0} to {history.log.last}, "
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
        from .tests.tampering import self_test
        return self_test()
    chain = Chain()
    try:
        with sys.stdin.buffer if arguments.file == "-" else open(arguments.file, "rb") as lines:
            history = check(read(lines, chain), arguments.allow_unfinished)
    except (OSError, ValueError) as error:
        print(f"cannot read the history: {error}", file=sys.stderr)
        return EXIT_UNREADABLE
    if chain.problem:
        history.findings.add("chain", arguments.context, [], chain.problem)
    return 0 if report(history, arguments) else EXIT_FOUND
