"""Text values of the ownership dialogs: lists of words, and comparisons of fields. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO

from services.ownership.rules.rule_set import FieldTest

_TEST = re.compile(r"([^\s=<>]+)\s*(?:(>=|<=|=)|\s(in|contains)\s)\s*(.+)", re.IGNORECASE)
_TESTS = {"=": "equals", "in": "in", "contains": "contains", ">=": "at_least", "<=": "at_most"}
_SIGNS = {test: sign for sign, test in _TESTS.items()}


def lines_of(text: str) -> Iterator[str]:
    """The lines that are not empty."""
    yield from filter(None, map(str.strip, text.splitlines()))


def shown_words(words: Sequence[str]) -> str:
    """Words separated by commas. A word that contains a comma is quoted."""
    written = StringIO()
    csv.writer(written, lineterminator="").writerow(words)
    line = written.getvalue()
    return line if '"' in line else line.replace(",", ", ")


def read_words(text: str) -> list[str]:
    """Read words separated by commas. A word that contains a comma is quoted."""
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return [word.strip() for row in rows for word in row if word.strip()]


def shown_test(test: FieldTest) -> str:
    return f"{test.field} {_SIGNS[test.test]} {shown_words(test.values)}"


def read_test(text: str) -> dict[str, object]:
    """A FieldTest as JSON, not validated yet. Raises ValueError with a sentence about the text."""
    match = _TEST.fullmatch(text.strip())
    if match is None:
        raise ValueError("Enter a field, then =, in, contains, >= or <=, then values.")
    name, equals, word, values = match.groups()
    return {"field": name, "test": _TESTS[equals or word.lower()], "values": read_words(values)}
