"""What a file is: CSV, JSON or JSON Lines, in which encoding, with which separator and columns."""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from domain.errors import PermanentError

CSV, JSON, JSON_LINES = "CSV", "JSON", "JSON Lines"

OPENING = re.compile(r'\s*(?:\{\s*"(?:job_changes|data|records|results|rows|items)"\s*:\s*)?\[')
"""Of JSON that is an array, by itself or inside the object that tools wrap it in."""

CHUNK = 256 * 1024
"""How much of a file is in memory at once, and looked at to find out what it is."""

_SAMPLE_LINES = 20
_SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)


class UnreadableFileError(PermanentError):
    """The file holds no rows that we could read."""


@dataclass(frozen=True)
class RowsFile:
    """
    A file, and how to read it. *digest* is of its content; *size* in bytes.

    Of a CSV, *header* names the columns, each once, and *lines_before* is where they stand; *separator* is empty for
    the others.
    """

    path: Path
    size: int
    digest: str
    kind: str
    encoding: str
    separator: str = ""
    header: tuple[str, ...] = ()
    lines_before: int = 0


def detect_format(path: Path) -> RowsFile:
    """Find out what a file is, reading it once. Raises UnreadableFileError, OSError."""
    digest, is_utf8 = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    head, decodes = b"", True
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            head = head or chunk
            digest.update(chunk)
            decodes = decodes and _decodes(is_utf8, chunk)
    encoding = _encoding(head, is_utf8=decodes)
    text = head.decode(encoding, "replace")
    if not text.strip("\x00 \t\r\n"):
        raise UnreadableFileError(f"{path} is empty")
    size, kind = path.stat().st_size, _kind(text)
    if kind != CSV:
        return RowsFile(path, size, digest.hexdigest(), kind, encoding)
    separator, header, before = _columns(text)
    return RowsFile(path, size, digest.hexdigest(), kind, encoding, separator, header, before)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(head: bytes, *, is_utf8: bool) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    # Text of ours has hardly any zero bytes, unless every second one is.
    zeros = Counter(place % 2 for place, byte in enumerate(head[:4_000]) if byte == 0)
    if sum(zeros.values()) > len(head[:4_000]) / 4:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    # What is not UTF-8 comes from a spreadsheet on Windows, nearly always; Latin-1 reads the same there.
    return "utf-8" if is_utf8 else "cp1252"


def _kind(text: str) -> str:
    text = text.lstrip()
    if not text.startswith(("[", "{")):
        return CSV
    if OPENING.match(text):
        return JSON
    # The first of the lines may be a broken one; an object that is written on several goes on with a name.
    first, second = [*(line.strip() for line in text.splitlines()[:100] if line.strip()), ""][:2]
    return JSON_LINES if first.endswith("}") or second.startswith("{") else JSON


def _columns(text: str) -> tuple[str, tuple[str, ...], int]:
    """Separator, names, and how many lines stand before the first row."""
    lines = StringIO(text, newline="").readlines()
    if told := _SEPARATOR_LINE.fullmatch(lines[0]):
        return told[1], *_header(lines[1:], told[1], 1)
    separator = max(_SEPARATORS, key=lambda each: _likelihood(lines, each))
    return separator, *_header(lines, separator, 0)


def _likelihood(lines: Sequence[str], separator: str) -> float:
    """How many columns it makes of the first line, less where the next lines have another number of them."""
    rows = [row for row in _sample(lines, separator) if row]
    same = sum(len(row) == len(rows[0]) for row in rows) / len(rows) if rows else 0.0
    return (len(rows[0]) - 1) * (0.5 + same) if rows else 0.0


def _sample(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines[:_SAMPLE_LINES], delimiter=separator))
    except csv.Error:
        return []


def _header(lines: Sequence[str], separator: str, before: int) -> tuple[tuple[str, ...], int]:
    reader = csv.reader(lines, delimiter=separator)
    try:
        cells = next((row for row in reader if any(cell.strip() for cell in row)), [])
    except csv.Error:
        cells = []
    return _unique(cells), before + reader.line_num


def _unique(cells: Sequence[str]) -> tuple[str, ...]:
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        name = free = cell.strip() or f"column {number}"
        again = 2
        while free in names:
            free, again = f"{name} {again}", again + 1
        names.append(free)
    return tuple(names)
