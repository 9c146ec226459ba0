"""The dialogs in which admins add senders of job changes and look at what they have sent."""

from __future__ import annotations

from collections.abc import Callable

from domain.day_counts import counted
from domain.job_change.validation import InvalidJobChangeError
from services.intake.added_senders import ListedSender
from services.intake.intake import Result, Skipped


def sender_line(sender: ListedSender, time: Callable[[int], str]) -> str:
    """The figures of a sender, for people. `time` renders milliseconds."""
    figures = sender.figures
    parts = [f"{counted(figures.accepted, 'job change')} accepted", f"{figures.duplicate:,} repeated"]
    parts += [f"{figures.skipped:,} skipped"] if figures.skipped else []
    parts += [f"{figures.refused:,} refused"] if figures.refused else []
    parts.append(f"last received {time(figures.received_at)}" if figures.received_at else "nothing received yet")
    if not sender.keys:
        parts.append("its key was revoked")
    return ", ".join(parts)


def result_line(result: Result) -> str:
    """What became of one person in a payload."""
    if result is None:
        return "The app is no longer installed."
    if isinstance(result, InvalidJobChangeError):
        return f"Refused: {result}"
    if isinstance(result, Skipped):
        return f"Skipped: {result}"
    if result.attached_to:
        return f"Attached to {result.attached_to}, which reports the same move"
    return f"{'Accepted' if result.is_new else 'A duplicate of'} {result.id}"
