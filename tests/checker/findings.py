"""What was found wrong."""


class Findings:
    """All findings are counted; each is kept, up to a limit."""

    KEPT_MAX = 10_000

    def __init__(self):
        self.kept = []  # (context, rule, positions, message)
        self.counts = {}  # by rule

    def add(self, rule, context, positions, message):
        """Notes a contradiction. `positions` are those of the events that show it."""
        self.counts[rule] = self.counts.get(rule, 0) + 1
        if len(self.kept) < self.KEPT_MAX:
            known = sorted({position for position in positions if position})
            self.kept.append((context, rule, known, message))

    @property
    def total(self):
        """How many there are."""
        return sum(self.counts.values())

    def count(self, *rules):
        """How many there are of some rules."""
        return sum(self.counts.get(rule, 0) for rule in rules)
