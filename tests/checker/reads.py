"""Reads that asked for a position: none is older, and each says what was so then."""

import re

NOT_FOUND = 1002
ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
RECORDS = ("task.", "context.", "resource.")


class Read:
    """What a client was told."""

    __slots__ = ("name", "min_seq", "as_of", "documents", "missing")

    def __init__(self, operation, result, missing=None):
        self.name, self.min_seq = str(operation), operation.params["min_seq"]
        self.missing = missing
        self.as_of = result.get("as_of_seq")
        items = result.get("items", [result])
        self.documents = [
            (item["id"], item["stream_seq"], item.get("status"), item.get("sub_status"))
            for item in items if isinstance(item, dict) and "id" in item and "stream_seq" in item]


class Reads:
    """All reads that named a position in `min_seq`."""

    def __init__(self, operations, findings):
        self.findings, self.reads = findings, []
        for operation in operations:
            if not operation.params.get("min_seq") or not operation.method.startswith(RECORDS):
                continue
            self.reads += [Read(operation, result) for result in operation.results]
            id_ = str(operation.params.get("id", "")).split("/")[-1]
            if (operation.error or {}).get("code") == NOT_FOUND and ID.match(id_):
                self.reads.append(Read(operation, {}, id_))

    def ids(self):
        """Of whatever was read."""
        return ({document[0] for read in self.reads for document in read.documents}
                | {read.missing for read in self.reads if read.missing})

    def finish(self, changes):
        """`changes`: id -> the changes of its document, each (position, status, how it finished)."""
        for read in self.reads:
            if read.as_of is not None and read.as_of < read.min_seq:
                self.wrong("stale", [read.as_of, read.min_seq], f"{read.name} asked for position "
                           f"{read.min_seq}, and was answered as of {read.as_of}")
            for document in read.documents:
                self.check(read, document, changes[document[0]])
            of_missing = changes.get(read.missing)
            if of_missing and of_missing[0][0] <= read.min_seq:
                self.wrong("stale", [of_missing[0][0], read.min_seq], f"{read.name} asked for "
                           f"position {read.min_seq}, and {read.missing} was not found, which is "
                           f"there since {of_missing[0][0]}")

    def check(self, read, document, changes):
        id_, seq, status, sub_status = document
        known = max(read.min_seq, read.as_of or 0)
        newer = [change[0] for change in changes if seq < change[0] <= known]
        if newer:
            self.wrong("stale", [seq, newer[0]], f"{read.name} was told of {id_} as of {seq}, and "
                       f"it changed at {newer[0]}; what was asked for is {read.min_seq}, and the "
                       f"answer as of {read.as_of}")
        then = [change for change in changes if change[0] == seq]
        if not then:
            self.wrong("read", [seq], f"{read.name} was told that {id_} changed at {seq}, and it "
                       "did not")
        elif status is not None and then[-1][1:] != (status, sub_status):
            self.wrong("read", [seq], f"{read.name} was told that {id_} is {status} ({sub_status}) "
                       f"since {seq}, and it is {then[-1][1]} ({then[-1][2]})")

    def wrong(self, rule, positions, message):
        self.findings.add(rule, None, positions, message)
