"""What the clients logged: each operation, its tries, and what came of it."""

import json
import pathlib

OK, FAILED, UNKNOWN = "ok", "fail", "unknown"
KEPT_OF_DOCUMENTS = ("id", "stream_seq", "status", "sub_status")


class Operation:
    """One operation of a client, however often it was tried."""

    __slots__ = ("id", "client", "method", "params", "outcome", "results", "error", "at")

    def __init__(self, id_, client, line):
        self.id, self.client, self.at = id_, client, line.get("at_us", 0)
        self.method, self.params = line.get("method"), line.get("params") or {}
        self.outcome, self.results, self.error = None, [], None

    def __str__(self):
        return f"{self.method} {self.id} of {self.client}"

    def take(self, line):
        """What came of a try. One that was acknowledged counts, then one of which nothing is known."""
        phase = line["phase"]
        if phase == OK:
            self.results.append(kept(line.get("result")))
            self.outcome = OK
        elif phase == UNKNOWN and self.outcome != OK:
            self.outcome = UNKNOWN
        elif phase == FAILED and self.outcome is None:
            self.outcome, self.error = FAILED, line.get("error") or {}

    @property
    def namespace(self):
        return self.params.get("namespace") or "default"


def kept(result):
    """What rules ask of a result: documents and plans are long, and there are many."""
    if not isinstance(result, dict):
        return {}
    if "items" in result:
        items = [item for item in result["items"] if isinstance(item, dict)]
        result = {**result, "items": [
            {name: item[name] for name in KEPT_OF_DOCUMENTS if name in item} for item in items]}
    elif "status" in result and "id" in result:
        result = {name: result[name] for name in KEPT_OF_DOCUMENTS if name in result}
    return {name: value for name, value in result.items() if name != "plan"}


def read(directory):
    """All operations in the logs under `directory/clients`; a ValueError names a line that is none."""
    operations = {}
    for path in sorted(pathlib.Path(directory, "clients").glob("*.jsonl")):
        open_ = set()
        with open(path, encoding="utf-8") as lines:
            for number, text in enumerate(lines, 1):
                if not text.strip():
                    continue
                try:
                    line = json.loads(text)
                    operation = take(operations, path.stem, line)
                except (ValueError, KeyError, TypeError) as error:
                    if not text.endswith("\n"):
                        break  # the client was killed while it wrote
                    raise ValueError(f"{path}, line {number}: {error!r}") from error
                if line["phase"] == "invoke":
                    open_.add(operation.id)
                else:
                    open_.discard(operation.id)
        for id_ in open_:
            # The client did not live to hear of it.
            operations[id_].take({"phase": UNKNOWN})
    return list(operations.values())


def take(operations, client, line):
    id_ = f"{line['op']}"
    operation = operations.get(id_)
    if operation is None:
        operation = operations[id_] = Operation(id_, line.get("client", client), line)
    if line["phase"] != "invoke":
        operation.take(line)
    elif operation.method is None:
        operation.method, operation.params = line.get("method"), line.get("params") or {}
    return operation
