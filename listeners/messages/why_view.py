"""Who was asked for a job change, in order, and what became of each, in mrkdwn. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.ownership.rules.labels import candidate_result
from services.slack.mrkdwn import escape


def considered_lines(considered: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """A line each, as a decision has them; at most so many of them, and never none."""
    return [*_lines(considered[:most]), *_rest(len(considered) - most)] or ["nobody"]


def _lines(considered: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for number, each in enumerate(considered, 1):
        who = each.get("name") or each.get("email")
        named = f", {escape(who, 80)}" if who else ""
        result = f"{'✅ ' if each['result'] == 'told' else ''}{escape(candidate_result(each), 200)}"
        yield f"{number}. {escape(each['source'], 80)}{named}: {result}"


def _rest(count: int) -> list[str]:
    return [f"… and {count} more"] if count > 0 else []
