"""Commands: what was acknowledged happened, once; what was refused did not."""

from .acknowledged import CHECKS
from .keys import keyed
from .operations import FAILED, OK, UNKNOWN

READS = (".get", ".list", ".count", ".wait", ".tree", ".logs", ".attempts", ".why", ".load",
         ".graph", ".info", ".discover", ".subscribe", ".validate", ".events")


def is_command(operation):
    """Whether it was to change something."""
    method = operation.method or ""
    return not method.endswith(READS) and "." in method and not operation.params.get("dry_run")


class Commands:
    """Compares commands with the events that they led to."""

    def __init__(self, operations, world):
        self.world = world
        self.operations = [operation for operation in operations if is_command(operation)]
        self.by_command = {}  # command id -> (operations, which are not all refused)
        self.by_seq = {}  # position -> [(operation, result)] that name it
        self.applied = {}  # command id -> [positions]
        # What clients label with the name of the operation is known by it, whatever its ids are.
        self.by_label = {it.params["labels"]["op"]: it for it in self.operations
                         if isinstance(it.params.get("labels"), dict) and "op" in it.params["labels"]}
        self.labelled = {}  # label -> [positions]
        for operation in self.operations:
            for command, outcome in keyed(operation):
                self.by_command.setdefault(command, []).append((operation, outcome))
            for result in operation.results:
                for part in parts(operation, result):
                    if part.get("stream_seq"):
                        self.by_seq.setdefault(part["stream_seq"], []).append((operation, part))

    def counts(self):
        """How many commands there are, were acknowledged, and have an unknown outcome."""
        outcomes = [operation.outcome for operation in self.operations]
        return len(outcomes), outcomes.count(OK), outcomes.count(UNKNOWN)

    def take(self, event):
        """After the rules of the event itself."""
        command = event.metadata["command_id"]
        if command in self.by_command:
            self.applied.setdefault(command, []).append(event.seq)
        if event.type in ("TaskSpawned", "ContextOpened") and not event.data.get("restart_parent"):
            label = event.data.get("labels", {}).get("op")
            if label in self.by_label:
                self.labelled.setdefault(label, []).append(event.seq)
        for operation, part in self.by_seq.pop(event.seq, ()):
            problem = self.problem(event, operation, part)
            if problem:
                self.wrong("lost", [event.seq], f"{operation} was acknowledged at {event.seq}, "
                           f"where {event.type} of {event.aggregate} {event.id} lies: {problem}")

    def wrong(self, rule, positions, message):
        self.world.findings.add(rule, None, positions, message)

    def problem(self, event, operation, part):
        """Why the event is not what the operation was acknowledged with; None if it is."""
        check = CHECKS.get(operation.method)
        return check(self.world, event, operation, part) if check else None

    def finish(self):
        for seq, named in self.by_seq.items():
            for operation, _ in named:
                self.wrong("lost", [seq], f"{operation} was acknowledged at {seq}, where no event is")
        for command, known in self.by_command.items():
            self.judge(self.applied.get(command, []), known)
        for label, positions in self.labelled.items():
            self.judge(positions, [(self.by_label[label], self.by_label[label].outcome)])
        for operation in self.operations:
            self.finish_one(operation)

    def judge(self, positions, known):
        """What took effect at these positions, and what is known of it."""
        if len(positions) > 1:
            self.wrong("doubled", positions, f"{known[0][0]} took effect {len(positions)} times")
        if positions and all(outcome == FAILED for _, outcome in known):
            self.wrong("refused", positions, f"{known[0][0]} was refused, and took effect")

    def finish_one(self, operation):
        first, *more = operation.results or [{}]
        for result in more:
            for name in ("task_id", "context_id", "ids", "restart_id"):
                if result.get(name) != first.get(name) and operation.params.get("idempotency_key"):
                    self.wrong("doubled", [], f"{operation} was acknowledged with {name} "
                               f"{first.get(name)}, then with {result.get(name)}")
        for result in operation.results:
            for id_ in result.get("ids", ()):
                resource = self.world.resources.get(id_)
                if resource is None or not resource.allocated:
                    self.wrong("lost", [], f"{operation} allocated {id_}, which is not there")
            if operation.method == "resource.initialize":
                for item, error in zip(operation.params["items"], result.get("errors", ())):
                    resource = self.world.resources.get(item["id"])
                    if error is None and (resource is None or resource.resolved is None):
                        self.wrong("lost", [], f"{operation} resolved {item['id']}, which is not")


def parts(operation, result):
    """The acknowledgements in a result: of a batch, one for each that was accepted."""
    if operation.method != "task.spawn_batch":
        yield result
        return
    for item in result.get("results", ()):
        if "result" in item:
            yield item["result"]
