"""Checks what a run has left behind.

    python3 tests/checker --run DIR [--nats URL] [--database URL]
    python3 tests/checker --dump [--database URL] [--schema NAME]

Reads the whole stream KTK_EVENTS, the tables, and what clients logged in DIR/clients, and says where
they contradict each other or the rules. Without --run there are no clients. URLs come from
DIR/run.json or from KTK_NATS_URL and KTK_DATABASE_URL unless given; without a database the tables
are not looked at. With --dump it prints the hash of a canonical dump of the tables instead, which
is the same for the same rows.

Findings are printed one a line, at most 50; the last line is a summary in JSON.
Exit codes: 0 nothing was found, 1 it could not be checked, 2 usage, 7 findings.
"""

import argparse
import gc
import json
import os
import pathlib
import sys
import time

from . import operations
from .commands import Commands
from .dump import dump
from .ended import check_resolved
from .findings import Findings
from .fold import Fold
from .history import History
from .nats import NatsError
from .postgres import PostgresError
from .reads import Reads
from .stored import Stream
from .stuck import Stuck
from .tables import Tables

SHOWN_MAX = 50
EXIT_UNCHECKED, EXIT_FOUND = 1, 7
GRACE, GRACE_OF_RUN = 30, 3
LOST = ("lost", "gap")
DOUBLED = ("doubled", "duplicate", "resolved-twice", "spawned-twice", "claimed-twice", "ended-twice",
           "restarted-twice", "opened-twice", "refused")


def main():
    arguments = parse()
    # What is kept is kept to the end, and looking through it again and again for cycles is slow.
    gc.disable()
    try:
        if arguments.dump:
            print(json.dumps(dump(required(arguments.database, "--database"), arguments.schema)))
            return 0
        run = read_run(arguments)
        findings, summary = check(arguments, run)
    except (OSError, ValueError, NatsError, PostgresError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return EXIT_UNCHECKED
    report(findings)
    print(json.dumps(summary))
    return EXIT_FOUND if findings.total else 0


def parse():
    parser = argparse.ArgumentParser(
        prog="checker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", metavar="DIR", type=pathlib.Path, help="what the run has written")
    parser.add_argument("--nats", metavar="URL", default=os.environ.get("KTK_NATS_URL"))
    parser.add_argument("--database", metavar="URL", default=os.environ.get("KTK_DATABASE_URL"))
    parser.add_argument("--schema", metavar="NAME", default="ktk", help="where the tables are (ktk)")
    parser.add_argument("--grace", metavar="SECONDS", type=float,
                        help="what changed so shortly before may still be under way "
                        f"({GRACE}; {GRACE_OF_RUN} of a run, which is at rest)")
    parser.add_argument("--dump", action="store_true", help="print the hash of the tables instead")
    return parser.parse_args()


def required(value, flag):
    if not value:
        raise ValueError(f"nothing says where to look: give {flag}")
    return value


def read_run(arguments):
    """What the harness says about the run; nothing without one."""
    if arguments.run is None:
        return {}
    with open(arguments.run / "run.json", encoding="utf-8") as file:
        run = json.load(file)
    arguments.nats = arguments.nats or run.get("nats_url")
    arguments.database = arguments.database or run.get("database_url")
    return run


def check(arguments, run):
    """All that can be found wrong, and how much there was to look at."""
    began, findings = time.monotonic(), Findings()
    now = int(time.time() * 1_000_000)
    grace = arguments.grace if arguments.grace is not None else GRACE_OF_RUN if run else GRACE
    logged = operations.read(arguments.run) if arguments.run else []
    history = History(findings, strict=True)
    commands, reads = Commands(logged, history.world), Reads(logged, findings)
    stream = Stream(required(arguments.nats, "--nats"), findings)
    last = stream.last
    tables = None
    if arguments.database:
        tables = Tables(arguments.database, arguments.schema, findings)
        last = max(last, tables.wait_for(stream.last_event()))
    fold = Fold(reads.ids())
    for event in stream.events(last):
        history.take(event)
        commands.take(event)
        stream.note_blobs(event)
        if tables is None or event.seq <= tables.seq:
            fold.take(event)
        if tables is not None and event.seq <= tables.seq:
            tables.take(event)
    if tables is not None:
        tables.compare(fold, stream.created)
    commands.finish()
    reads.finish(fold.followed)
    check_resolved(history.world)
    Stuck(history.world, history.limits, now, grace).look()
    stream.finish(set(run.get("poison", ())))
    given, acknowledged, unknown = commands.counts()
    return findings, {
        "events": history.log.events, "commands": given, "acknowledged": acknowledged,
        "unknown": unknown, "lost": findings.count(*LOST), "doubled": findings.count(*DOUBLED),
        "stuck": findings.count("stuck"), "findings": findings.total,
        "reads": len(reads.reads), "tasks": len(history.world.tasks),
        "rules": findings.counts, "seconds": round(time.monotonic() - began, 1)}


def report(findings):
    for context, rule, positions, message in findings.kept[:SHOWN_MAX]:
        where = [f"at {', '.join(map(str, positions))}"] if positions else []
        where += [f"context {context}"] if context else []
        print(f"{rule}: {message}" + (f" ({'; '.join(where)})" if where else ""))
    if findings.total > SHOWN_MAX:
        print(f"… and {findings.total - SHOWN_MAX} more")
