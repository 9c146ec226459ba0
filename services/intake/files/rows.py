"""The rows of a file of any size, one at a time. Rows that cannot be read have a fault."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TextIO

from services.intake.files.formats import CHUNK, CSV, JSON_LINES, OPENING, RowsFile

LONGEST_ROW = 1024 * 1024
"""The limit in characters, as for posted bodies."""

REFUSED_LINE, REFUSED_BECAUSE = "refused_line", "refused_because"
"""The additional columns of a file of refused rows."""

_SHOWN_CHARACTERS = 1_000
_BETWEEN = re.compile(r"[\s,]*")
_ESCAPED_FORMULA = re.compile("(^|[;,|\t])'(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True)
class FileRow:
    """A row. `line` is where it starts, or its number in JSON. `content` is a dict or any other JSON value."""

    line: int
    content: object
    fault: str | None = None


@contextmanager
def open_rows(file: RowsFile) -> Iterator[tuple[Iterator[FileRow], Callable[[], int]]]:
    """Open a file, and return its rows and a function that returns how many bytes have been read."""
    with (
        file.path.open("rb") as content,
        TextIOWrapper(content, encoding=file.encoding, errors="replace", newline="") as text,
    ):
        if file.kind == CSV:
            rows = _csv_rows(text, file)
        elif file.kind == JSON_LINES:
            rows = _lines(text)
        else:
            rows = _values(text)
        yield rows, content.tell


def _csv_rows(text: TextIO, file: RowsFile) -> Iterator[FileRow]:
    # Limited reads rather than lines, since a file of another type may have no line breaks.
    reader = csv.reader(iter(lambda: text.readline(LONGEST_ROW), ""), delimiter=file.separator)
    is_corrected_file = {REFUSED_LINE, REFUSED_BECAUSE} <= set(file.header)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield FileRow(line, {}, f"cannot be read ({error}); perhaps a quote is not closed")
            continue
        if line <= file.lines_before or not any(cells):
            continue
        if is_corrected_file:
            cells = [_ESCAPED_FORMULA.sub(r"\1", cell) for cell in cells]
        content = dict(zip(file.header, cells, strict=False))
        content.pop(REFUSED_LINE, None)
        content.pop(REFUSED_BECAUSE, None)
        has_more = any(cells[len(file.header) :])
        fault = f"has {len(cells)} cells, but the header has {len(file.header)}" if has_more else None
        yield FileRow(line, content, fault)


def _lines(text: TextIO) -> Iterator[FileRow]:
    number, continues = 0, False
    while line := text.readline(LONGEST_ROW):
        number += not continues
        is_rest, continues = continues, not line.endswith(("\n", "\r")) and len(line) == LONGEST_ROW
        if is_rest or not line.strip():
            continue
        value, end = (None, None) if continues else _decoded(line.strip(), 0, whole=True)
        yield FileRow(number, line if end is None else value, "is not valid JSON" if end is None else None)


def _values(text: TextIO) -> Iterator[FileRow]:
    """Yield the items of an array, or consecutive values. The last one has a fault if the file is cut off."""
    window = text.read(CHUNK)
    opening = OPENING.match(window)
    at, number = opening.end() if opening else 0, 1
    while True:
        match = _BETWEEN.match(window, at)
        at = match.end() if match else at
        if opening and window.startswith("]", at):
            return
        value, end = _decoded(window, at)
        if end is not None and (end < len(window) or isinstance(value, dict | list)):
            yield FileRow(number, value)
            number, at = number + 1, end
            continue
        more = text.read(CHUNK) if len(window) - at <= LONGEST_ROW else ""
        if more:
            window, at = window[at:] + more, 0
        elif at == len(window) and not opening:
            return
        else:
            fault = "is not valid JSON, or the file is cut off; everything from here on was skipped"
            yield FileRow(number, window[at : at + _SHOWN_CHARACTERS], fault)
            return


_decoder = json.JSONDecoder()


def _decoded(text: str, at: int, *, whole: bool = False) -> tuple[object, int | None]:
    """Return a value and where it ends. The end is None if there is no complete value, or not only one with `whole`."""
    try:
        value, end = _decoder.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, None
    return (None, None) if whole and end != len(text) else (value, end)
