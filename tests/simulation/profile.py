"""What one run is like: its size and the kinds of trouble in it, drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

NOT_PERFORMED = ("refused", "asked to wait", "failed before", "no answer, not performed")
AMBIGUOUS = (
    "failed before",
    "failed after",
    "error code after",
    "connection lost after",
    "no answer, not performed",
    "no answer",
    "performed late",
    "garbage",
    "no place",
)
"""Fates of a write after which its caller cannot know whether it was performed."""

WRITE_FATES = ("slow", *dict.fromkeys((*NOT_PERFORMED, *AMBIGUOUS)))
READ_FATES = ("slow", "refused", "asked to wait", "failed before", "no answer", "garbage")
SALESFORCE_FATES = ("slow", "unavailable", "asked to wait", "refused")


@dataclass(frozen=True)
class Window:
    """A time in which a vendor is down, in seconds since the start."""

    begin: float
    end: float

    def covers(self, now: float) -> bool:
        return self.begin <= now < self.end


NEVER = Window(0, 0)


@dataclass(frozen=True)
class Profile:
    """
    The draws that hold for a whole run. Times are in seconds, probabilities for each occasion.

    Each run has only some kinds of trouble: runs with all of them at once seldom get anywhere.
    """

    replicas: int
    owners: int
    job_changes: int
    seconds: float
    """Until the last job change is sent. The troubles end a little later, or after the days of trouble."""
    days_of_trouble: int
    """So that reminders and snoozed deliveries, which wait for the next day, meet them too."""
    disorder: float
    database_latency: float
    database_failures: float
    kills: int
    kill_chance: float
    freezes: int
    freeze_seconds: float
    stops: int
    write_fates: dict[str, float]
    read_fates: dict[str, float]
    slack_down: Window
    slack_latency: float
    salesforce_fates: dict[str, float]
    salesforce_down: Window
    clock_jump: float
    """How far, at most, the wall clock is set forward or back before a process starts."""
    reads_history: bool
    """Whether the workspace has allowed `im:history`."""
    reminder_hours: int
    escalation: str
    actions: int
    retries_failed: bool
    channel_chosen_at: float | None
    """When the default channel is chosen; None means before the start."""
    channel_archived: Window
    deactivated_at: float | None
    """When the account of the first owner is deactivated."""
    refuses_layout: bool
    """Whether Slack refuses the first job change unless it is plain text."""
    duplicates: float
    unowned: float

    @property
    def routes_calmly(self) -> bool:
        """Whether nothing disturbs the order in which job changes are routed."""
        return not (
            self.read_fates
            or self.salesforce_fates
            or self.salesforce_down.end
            or self.slack_down.end
            or self.database_failures
            or self.clock_jump
        )

    @classmethod
    def draw(cls, chance: Random) -> Profile:
        def some(probability: float) -> bool:
            return chance.random() < probability

        seconds = chance.choice((3.0, 10.0, 40.0))

        def window(probability: float, *lengths: float) -> Window:
            if not some(probability):
                return NEVER
            begin = chance.uniform(0, seconds)
            return Window(begin, begin + chance.choice(lengths))

        def fates(probability: float, names: tuple[str, ...]) -> dict[str, float]:
            if not some(probability):
                return {}
            share = chance.choice((0.1, 0.3, 0.6))
            chosen = chance.sample(names, chance.randint(1, 4))
            return dict.fromkeys(chosen, share / len(chosen))

        kills = chance.choice((0, 0, 1, 2, 4))
        freezes = chance.choice((0, 0, 0, 1, 2))
        return cls(
            replicas=chance.choice((1, 1, 2, 2, 3)),
            owners=chance.randint(1, 3),
            job_changes=chance.randint(2, 9),
            seconds=seconds,
            days_of_trouble=3 if some(0.3) else 0,
            disorder=chance.choice((0.0, 0.2, 1.0)),
            database_latency=chance.choice((0.0, 0.0, 0.02, 0.3)),
            database_failures=chance.choice((0.0, 0.0, 0.0, 0.03)),
            kills=kills,
            kill_chance=chance.choice((0.01, 0.05, 0.2)),
            freezes=freezes,
            freeze_seconds=chance.choice((5.0, 20.0, 45.0, 130.0)),
            stops=chance.choice((0, 0, 0, 1)),
            write_fates=fates(0.6, WRITE_FATES),
            read_fates=fates(0.3, READ_FATES),
            slack_down=window(0.1, 20.0, 300.0),
            slack_latency=chance.choice((0.05, 0.3, 2.0)),
            salesforce_fates=fates(0.2, SALESFORCE_FATES),
            salesforce_down=window(0.1, 60.0, 900.0),
            clock_jump=chance.choice((0.0,) * 7 + (200.0, 3_600.0)),
            reads_history=some(0.7),
            reminder_hours=chance.choice((0, 0, 1, 4)),
            escalation=chance.choice(("nobody", "manager", "channel")),
            actions=chance.choice((0, 0, 1, 3)),
            retries_failed=some(0.5),
            channel_chosen_at=seconds * chance.random() if some(0.1) else None,
            channel_archived=window(0.1, 10.0, 60.0),
            deactivated_at=seconds * chance.random() if some(0.1) else None,
            refuses_layout=some(0.1),
            duplicates=chance.choice((0.0, 0.0, 0.3)),
            unowned=chance.choice((0.0, 0.2, 0.6)),
        )
